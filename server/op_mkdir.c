// SPDX-License-Identifier: BSD-3-Clause
/* MKDIR. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	const iopmem_mkdir_args *args = pj->call->args;
	const char *name;
	int dir;

	pj->rc = pj->exp->cfg->read_only ?
		 err_msg(&pj->err, EROFS, "export '%s' is read-only", pj->exp->cfg->name) :
		 path_parent(pj, &dir, &name);
	if (pj->rc)
		return;
	if (mkdirat(dir, name, args->mode & 07777) ||
	    fstatat(dir, name, &pj->st, AT_SYMLINK_NOFOLLOW))
		pj->rc = err_set(&pj->err, errno, "make directory '%s'", pj->path);
	close(dir);
}

static void finish(struct path_job *pj)
{
	struct call *call = pj->call;

	if (pj->rc) {
		call_errno(call, pj->rc, &pj->err);
	} else {
		attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &pj->st);
		call_reply(call);
	}
	path_job_free(pj);
}

void op_mkdir(struct call *call)
{
	const iopmem_mkdir_args *args = call->args;

	path_job_start(call, args->export_name, args->path, work, finish, NULL);
}
