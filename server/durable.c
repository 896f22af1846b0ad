// SPDX-License-Identifier: BSD-3-Clause
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "export.h"

/* It is done already: the answer is none after which it would be asked for again (DELAY). */
static int failed(struct iopmem_err *err, int number, const char *what, const char *path)
{
	bool plain = number == EIO || number == ENOSPC || number == EDQUOT || number == EROFS;

	return err_msg(err, plain ? number : EIO, "'%s': %s: %s", path, what, strerror(number));
}

static int dir_failed(struct iopmem_err *err, int number, int fd)
{
	char *path = backing_fd_path(fd);
	int rc = failed(err, number, "fsync", path ? path : "a directory");

	free(path);
	return rc;
}

int durable_all(const struct export *exp, struct iopmem_err *err)
{
	return syncfs(exp->mount_fd) ? failed(err, errno, "syncfs", exp->cfg->path) : 0;
}

int durable_dir(const struct export *exp, int dir, struct iopmem_err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	/* A server that is not root may not read each of them, a file system need not sync them. */
	if (fd < 0)
		return durable_all(exp, err);
	if (fsync(fd))
		rc = errno == EINVAL ? durable_all(exp, err) : dir_failed(err, errno, fd);
	close(fd);
	return rc;
}
