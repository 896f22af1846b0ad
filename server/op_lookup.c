// SPDX-License-Identifier: BSD-3-Clause
/* LOOKUP: attributes by path. */
#include <stdlib.h>

#include "call.h"
#include "export.h"
#include "file.h"

static void work(struct path_job *pj)
{
	const iopmem_lookup_args *args = pj->call->args;

	pj->nofollow = args->flags & IOPMEM_NOFOLLOW;
	pj->rc = path_lookup(pj);
}

struct lookup {
	struct file_sizes fs;
	struct path_job *pj;
};

static void sized(struct file_sizes *fs)
{
	struct lookup *l = (struct lookup *)fs;
	struct path_job *pj = l->pj;
	struct call *call = pj->call;

	attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &pj->st);
	call_reply(call);
	path_job_free(pj);
	free(l);
}

static void finish(struct path_job *pj)
{
	struct lookup *l;

	if (pj->rc) {
		call_errno(pj->call, pj->rc, NULL);
		return path_job_free(pj);
	}
	l = calloc(1, sizeof(*l));
	if (l) {
		l->fs.st = &pj->st;
		l->fs.n = 1;
		l->fs.done = sized;
		l->pj = pj;
		if (file_sizes(pj->exp, &l->fs))
			return;
	}
	free(l);
	call_status(pj->call, IOPMEM_DELAY);
	path_job_free(pj);
}

void op_lookup(struct call *call)
{
	const iopmem_lookup_args *args = call->args;

	if (args->flags & ~(u_int)IOPMEM_NOFOLLOW)
		return call_status(call, IOPMEM_INVAL);
	path_job_start(call, args->export_name, args->path, work, finish, NULL);
}
