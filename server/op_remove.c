// SPDX-License-Identifier: BSD-3-Clause
/*
 * REMOVE: a file or an empty directory.  The server's descriptor keeps the blocks
 * of an open file until its layouts are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	const char *name;
	int dir;

	pj->rc = path_writable(pj);
	if (!pj->rc)
		pj->rc = path_parent(pj, pj->path, &dir, &name);
	if (pj->rc)
		return;
	if (fstatat(dir, name, &pj->st, AT_SYMLINK_NOFOLLOW) ||
	    unlinkat(dir, name, S_ISDIR(pj->st.st_mode) ? AT_REMOVEDIR : 0))
		pj->rc = err_set(&pj->err, errno, "remove '%s'", pj->path);
	path_changed(pj, dir);
}

static void finish(struct path_job *pj)
{
	call_errno(pj->call, pj->rc, &pj->err);
	path_job_free(pj);
}

void op_remove(struct call *call)
{
	const iopmem_path_args *args = call->args;

	path_job_start(call, args->export_name, args->path, work, finish, NULL);
}
