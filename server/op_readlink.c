// SPDX-License-Identifier: BSD-3-Clause
/* READLINK, RFC 8881 section 18.24: the bytes of a symbolic link. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	char *target;
	ssize_t n;

	pj->nofollow = true;
	pj->rc = path_lookup(pj);
	if (pj->rc)
		return;
	if (!S_ISLNK(pj->st.st_mode)) {
		pj->rc = err_msg(&pj->err, EINVAL, "'%s' is not a symbolic link", pj->path);
		return;
	}
	target = malloc(IOPMEM_PATH_MAX + 1);
	n = target ? readlinkat(pj->fd, "", target, IOPMEM_PATH_MAX + 1) : -1;
	if (n < 0 || n > IOPMEM_PATH_MAX) {
		pj->rc = err_set(&pj->err, !target ? ENOMEM : n < 0 ? errno : ENAMETOOLONG,
				 "read link '%s'", pj->path);
		free(target);
		return;
	}
	target[n] = '\0';
	pj->call->res.readlink.iopmem_readlink_res_u.target = target;
}

static void finish(struct path_job *pj)
{
	if (pj->rc)
		call_errno(pj->call, pj->rc, &pj->err);
	else
		call_reply(pj->call);
	path_job_free(pj);
}

void op_readlink(struct call *call)
{
	const iopmem_path_args *args = call->args;

	path_job_start(call, args->export_name, args->path, work, finish, NULL);
}
