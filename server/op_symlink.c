// SPDX-License-Identifier: BSD-3-Clause
/*
 * SYMLINK, RFC 8881 section 18.4 (type NF4LNK).  The target is the clients' to read: it
 * may be anything, and leads nobody out of the export, for path.c resolves it beneath.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	const iopmem_symlink_args *args = pj->call->args;
	const char *name;
	int dir;

	pj->rc = path_writable(pj);
	if (!pj->rc)
		pj->rc = path_parent(pj, pj->path, &dir, &name);
	if (pj->rc)
		return;
	if (symlinkat(args->target, dir, name) || fstatat(dir, name, &pj->st, AT_SYMLINK_NOFOLLOW))
		pj->rc = err_set(&pj->err, errno, "make symbolic link '%s'", pj->path);
	path_changed(pj, dir);
}

void op_symlink(struct call *call)
{
	const iopmem_symlink_args *args = call->args;

	if (!*args->target)
		return call_status(call, IOPMEM_INVAL);
	path_job_start(call, args->export_name, args->path, work, path_answer_attr, NULL);
}
