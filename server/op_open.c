// SPDX-License-Identifier: BSD-3-Clause
/* OPEN, RFC 8881 section 18.16: an existing regular file, access checked as the caller. */
#include "call.h"
#include "export.h"
#include "open.h"

static void work(struct path_job *pj)
{
	const iopmem_open_args *args = pj->call->args;

	pj->rc = path_lookup(pj);
	if (!pj->rc)
		pj->rc = open_look(pj, args->access);
}

static void finish(struct path_job *pj)
{
	const iopmem_open_args *args = pj->call->args;

	open_finish(pj, args->access);
}

void op_open(struct call *call)
{
	const iopmem_open_args *args = call->args;

	if (!open_access_valid(args->access))
		return call_status(call, IOPMEM_INVAL);
	path_job_start(call, args->export_name, args->path, work, finish, NULL);
}
