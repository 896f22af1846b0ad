// SPDX-License-Identifier: BSD-3-Clause
/*
 * OPEN by file handle (RFC 8881 sections 18.16 and 18.19): the same file, whatever its
 * name is now.  Access is checked as the caller, of the file alone: no path is walked.
 */
#include <errno.h>
#include <sys/stat.h>

#include "call.h"
#include "export.h"
#include "handle.h"
#include "open.h"

/* With the server's rights: only root opens by handle. */
static int before(struct path_job *pj)
{
	const iopmem_open_handle_args *args = pj->call->args;
	int rc;

	rc = handle_open(pj->exp, &args->handle, &pj->fd, pj->found, sizeof(pj->found), &pj->err);
	if (rc)
		return rc;
	if (pj->found[0])
		pj->path = pj->found;
	return fstat(pj->fd, &pj->st) ? err_set(&pj->err, errno, "stat '%s'", pj->path) : 0;
}

static void work(struct path_job *pj)
{
	const iopmem_open_handle_args *args = pj->call->args;

	pj->rc = open_look(pj, args->access);
}

static void finish(struct path_job *pj)
{
	const iopmem_open_handle_args *args = pj->call->args;

	open_finish(pj, args->access);
}

void op_open_handle(struct call *call)
{
	const iopmem_open_handle_args *args = call->args;
	enum iopmem_status status;
	struct export *exp;

	if (!open_access_valid(args->access))
		return call_status(call, IOPMEM_INVAL);
	status = handle_check(call->srv, &args->handle, &exp);
	if (status)
		return call_status(call, status);
	path_job_start_in(call, exp, "(by handle)", before, work, finish);
}
