// SPDX-License-Identifier: BSD-3-Clause
/* MKDIR. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	const iopmem_mkdir_args *args = pj->call->args;
	const char *name;
	int dir;

	pj->rc = path_writable(pj);
	if (!pj->rc)
		pj->rc = path_parent(pj, pj->path, &dir, &name);
	if (pj->rc)
		return;
	if (mkdirat(dir, name, args->mode & 07777) ||
	    fstatat(dir, name, &pj->st, AT_SYMLINK_NOFOLLOW))
		pj->rc = err_set(&pj->err, errno, "make directory '%s'", pj->path);
	else
		path_changed(pj, openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	path_changed(pj, dir);
}

void op_mkdir(struct call *call)
{
	const iopmem_mkdir_args *args = call->args;

	path_job_start(call, args->export_name, args->path, work, path_answer_attr, NULL);
}
