// SPDX-License-Identifier: BSD-3-Clause
/*
 * CREATE: OPEN that makes the file when it is not there.  Looks first and creates
 * exclusively: an open() with O_CREAT of an existing file would break our own lease.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "export.h"
#include "open.h"

#define TRIES 8		/* somebody else creates and removes it all the time */

static bool same_file(int fd, const struct stat *b)
{
	struct stat a;

	return !fstat(fd, &a) && a.st_dev == b->st_dev && a.st_ino == b->st_ino;
}

static int create(struct path_job *pj)
{
	const iopmem_create_args *args = pj->call->args;
	const char *name;
	int dir, fd, rc;

	rc = path_writable(pj);
	if (!rc)
		rc = path_parent(pj, pj->path, &dir, &name);
	if (rc)
		return rc;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
		    args->mode & 07777);
	/* The creator may use it whatever the mode says; O_PATH of the very same file. */
	rc = fd < 0 ? err_set(&pj->err, errno, "create '%s'", pj->path) : path_lookup(pj);
	if (fd >= 0 && !rc && !same_file(fd, &pj->st)) {
		close(pj->fd);		/* replaced meanwhile: look again, as for any other */
		pj->fd = -1;
		rc = -EEXIST;
	}
	if (fd >= 0)
		close(fd);
	if (rc) {
		close(dir);
		return rc;
	}
	pj->created = true;
	path_changed(pj, dir);
	handle_make(pj->exp, pj->fd, &pj->handle);
	return 0;
}

/*
 * The name may be new all the same: whoever made it this moment has no answer yet, or a server
 * died before it had one to give and the call was repeated.
 */
static int look(struct path_job *pj)
{
	const iopmem_create_args *args = pj->call->args;
	const char *name;
	int dir, rc;

	if (args->guarded)
		return err_set(&pj->err, EEXIST, "create '%s'", pj->path);
	rc = open_look(pj, args->access);
	if (rc || !S_ISREG(pj->st.st_mode))
		return rc;
	rc = path_parent(pj, pj->path, &dir, &name);
	if (!rc)
		path_changed(pj, dir);
	return rc;
}

static void work(struct path_job *pj)
{
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		memset(&pj->err, 0, sizeof(pj->err));
		pj->rc = path_lookup(pj);
		if (!pj->rc) {
			pj->rc = look(pj);
			return;
		}
		if (pj->rc != -ENOENT)
			return;
		memset(&pj->err, 0, sizeof(pj->err));
		pj->rc = create(pj);
		if (pj->rc != -EEXIST)
			return;
	}
}

static void finish(struct path_job *pj)
{
	const iopmem_create_args *args = pj->call->args;

	open_finish(pj, args->access);
}

void op_create(struct call *call)
{
	const iopmem_create_args *args = call->args;

	if (!open_access_valid(args->access))
		return call_status(call, IOPMEM_INVAL);
	path_job_start(call, args->export_name, args->path, work, finish, NULL);
}
