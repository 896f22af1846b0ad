// SPDX-License-Identifier: BSD-3-Clause
/*
 * RENAME, RFC 8881 section 18.26.  A file that is renamed over lives on for who has it
 * open or leased, as a removed one does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	const iopmem_rename_args *args = pj->call->args;
	unsigned int flags = (args->flags & IOPMEM_RENAME_NOREPLACE ? RENAME_NOREPLACE : 0) |
			     (args->flags & IOPMEM_RENAME_EXCHANGE ? RENAME_EXCHANGE : 0);
	const char *from, *to;
	int from_dir, to_dir;

	pj->rc = path_writable(pj);
	if (!pj->rc)
		pj->rc = path_parent(pj, args->from, &from_dir, &from);
	if (pj->rc)
		return;
	pj->rc = path_parent(pj, args->to, &to_dir, &to);
	if (pj->rc)
		goto out;
	/* Both directories are on the export's mount; EBUSY is a name something is mounted on. */
	if (renameat2(from_dir, from, to_dir, to, flags))
		pj->rc = err_set(&pj->err, errno == EBUSY ? EXDEV : errno,
				 "rename '%s' to '%s'", args->from, args->to);
	path_changed(pj, to_dir);
out:
	path_changed(pj, from_dir);
}

static void finish(struct path_job *pj)
{
	call_errno(pj->call, pj->rc, &pj->err);
	path_job_free(pj);
}

void op_rename(struct call *call)
{
	const iopmem_rename_args *args = call->args;

	if (args->flags && args->flags != IOPMEM_RENAME_NOREPLACE &&
	    args->flags != IOPMEM_RENAME_EXCHANGE)
		return call_status(call, IOPMEM_INVAL);
	path_job_start(call, args->export_name, args->from, work, finish, NULL);
}
