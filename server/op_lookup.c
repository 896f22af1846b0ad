// SPDX-License-Identifier: BSD-3-Clause
/* LOOKUP: attributes by path. */
#include "call.h"
#include "export.h"
#include "file.h"

static void work(struct path_job *pj)
{
	pj->rc = path_lookup(pj);
}

static void finish(struct path_job *pj)
{
	struct call *call = pj->call;

	if (pj->rc) {
		call_errno(call, pj->rc, NULL);
	} else {
		file_fix_size(file_peek(pj->exp, &pj->st), &pj->st);
		attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &pj->st);
		call_reply(call);
	}
	path_job_free(pj);
}

void op_lookup(struct call *call)
{
	const iopmem_path_args *args = call->args;

	path_job_start(call, args->export_name, args->path, work, finish, NULL);
}
