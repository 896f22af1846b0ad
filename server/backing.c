// SPDX-License-Identifier: BSD-3-Clause
/* Which backing a path gets, and what the backings share. */
#include "backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backing_priv.h"

void backing_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, BACKING_BREAK_SIGNAL);
	sigaddset(set, SIGIO);
}

void backing_block_signals(void)
{
	sigset_t set;

	backing_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGXFSZ, SIG_IGN);
}

/* /sys/dev/block/MAJ:MIN links to …/block/NAME, or …/block/DISK/NAME for a partition. */
bool backing_on_iopmem(const char *path)
{
	char link[64], target[512];
	struct statfs fs;
	struct stat st;
	ssize_t n;

	if (statfs(path, &fs) || fs.f_type != XFS_SUPER_MAGIC || stat(path, &st))
		return false;
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_dev),
		 minor(st.st_dev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strstr(target, "/block/iopmem") != NULL;
}

const struct backing_ops *backing_find(const char *kind, const char *path)
{
	if (!strcmp(kind, "auto"))
		return backing_on_iopmem(path) ? &backing_xfs_ops : &backing_dir_ops;
	if (!strcmp(kind, backing_xfs_ops.kind))
		return &backing_xfs_ops;
	if (!strcmp(kind, backing_dir_ops.kind))
		return &backing_dir_ops;
	return NULL;
}

bool backing_attr_copy(struct backing_attr *to, const struct backing_attr *from)
{
	*to = *from;
	to->path = strdup(from->path);
	to->name = strdup(from->name);
	to->state_dir = strdup(from->state_dir);
	return to->path && to->name && to->state_dir;
}

void backing_attr_free(struct backing_attr *attr)
{
	free((char *)attr->path);
	free((char *)attr->name);
	free((char *)attr->state_dir);
}

char *backing_fd_path(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return strdup(path);
}

int backing_open_inode(int path_fd, const char *path, int *out, bool *writable,
		       struct iopmem_err *err)
{
	/* O_NONBLOCK: another process's lease must not stall the server for 45 s. */
	const int flags = O_NONBLOCK | O_CLOEXEC;
	bool rw = true;
	struct stat st;
	char link[64];
	int fd;

	if (fstat(path_fd, &st))
		return err_set(err, errno, "stat '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_msg(err, EINVAL, "'%s' is not a regular file", path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, O_RDWR | flags);
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS || errno == ETXTBSY)) {
		rw = false;
		fd = open(link, O_RDONLY | flags);
	}
	if (fd < 0 && errno == EWOULDBLOCK)
		return err_msg(err, EAGAIN, "'%s': another process holds a lease on it", path);
	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	*out = fd;
	*writable = rw;
	return 0;
}

/* Walks up by inode, so that links and bind mounts do not fool it. */
int backing_check_state_dir(const struct backing_attr *attr, int root_fd,
			    struct iopmem_err *err)
{
	struct stat root, st, up;
	int fd, parent, ret = 0;

	fd = open(attr->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open state directory '%s'", attr->state_dir);
	if (fstat(root_fd, &root) || fstat(fd, &st)) {
		ret = err_set(err, errno, "stat '%s'", attr->state_dir);
		goto out;
	}
	for (;;) {
		if (st.st_dev == root.st_dev && st.st_ino == root.st_ino) {
			ret = err_msg(err, EINVAL, "state directory '%s' lies inside export"
				      " '%s' (%s)", attr->state_dir, attr->name, attr->path);
			break;
		}
		parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0 || fstat(parent, &up)) {
			ret = err_set(err, errno, "'%s': walk up", attr->state_dir);
			if (parent >= 0)
				close(parent);
			break;
		}
		close(fd);
		fd = parent;
		if (up.st_dev == st.st_dev && up.st_ino == st.st_ino)
			break;
		st = up;
	}
out:
	close(fd);
	return ret;
}
