// SPDX-License-Identifier: BSD-3-Clause
/* Names: looking up, making, removing, renaming. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "mount.h"

void entry_fill(const struct mount *m, struct node *node, const struct iopmem_stat *st,
		struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){
		.ino = (fuse_ino_t)(uintptr_t)node,
		.attr_timeout = m->timeout,
		.entry_timeout = m->timeout,
	};
	attr_fill(st, &e->attr);
}

/*
 * Answers with @name in @parent, which is there.  Assumes: the caller has mount.names, which
 * is given up.
 */
static void reply_name(fuse_req_t req, struct node *parent, const char *name, const char *path)
{
	struct mount *m = mount_of(req);
	struct fuse_entry_param e;
	struct iopmem_stat st;
	struct node *node = NULL;
	struct handle *h;
	int ret;

	ret = iopmem_lstat(m->client, path, &st, NULL);
	if (!ret)
		ret = node_learn(&m->nodes, parent, name, &st, &node);
	pthread_rwlock_unlock(&m->names);
	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	h = handle_find(m, node, false);
	if (h) {		/* it may be longer than the server knows */
		attr_of_handle(h, &st);
		handle_put(m, h);
	}
	entry_fill(m, node, &st, &e);
	if (fuse_reply_entry(req, &e))
		node_put(&m->nodes, node, 1);	/* the kernel has not heard of it */
}

/* Reads mount.names and fills @path.  Not 0: it was answered. */
static int begin(fuse_req_t req, struct node *parent, const char *name,
		 char path[NODE_PATH_MAX + 1])
{
	struct mount *m = mount_of(req);
	int ret;

	pthread_rwlock_rdlock(&m->names);
	ret = node_path(&m->nodes, parent, name, path);
	if (!ret)
		return 0;
	pthread_rwlock_unlock(&m->names);
	fuse_reply_err(req, -ret);
	return ret;
}

static void fail(fuse_req_t req, int ret)
{
	pthread_rwlock_unlock(&mount_of(req)->names);
	fuse_reply_err(req, -ret);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = mount_node(req, parent);
	char path[NODE_PATH_MAX + 1];

	if (!begin(req, dir, name, path))
		reply_name(req, dir, name, path);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	if (ino != FUSE_ROOT_ID)
		node_put(&mount_of(req)->nodes, mount_node(req, ino), nlookup);
	fuse_reply_none(req);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct mount *m = mount_of(req);
	char path[NODE_PATH_MAX + 1], target[NODE_PATH_MAX + 1];
	ssize_t ret;

	if (begin(req, mount_node(req, ino), NULL, path))
		return;
	ret = iopmem_readlink(m->client, path, target, sizeof(target), NULL);
	pthread_rwlock_unlock(&m->names);
	if (ret < 0)
		fuse_reply_err(req, (int)-ret);
	else
		fuse_reply_readlink(req, target);
}

static int make_file(struct mount *m, const char *path, mode_t mode)
{
	struct iopmem_file *file;
	int ret;

	ret = iopmem_open(m->client, path, O_RDWR | O_CREAT | O_EXCL, mode & 07777, &file, NULL);
	return ret ? ret : iopmem_close(file, NULL);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct node *dir = mount_node(req, parent);
	char path[NODE_PATH_MAX + 1];
	int ret;

	(void)rdev;
	if (begin(req, dir, name, path))
		return;
	/* The protocol makes no devices, sockets and pipes. */
	ret = S_ISREG(mode) ? make_file(mount_of(req), path, mode) : -EPERM;
	if (ret)
		fail(req, ret);
	else
		reply_name(req, dir, name, path);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct node *dir = mount_node(req, parent);
	char path[NODE_PATH_MAX + 1];
	int ret;

	if (begin(req, dir, name, path))
		return;
	ret = iopmem_mkdir(mount_of(req)->client, path, mode, NULL);
	if (ret)
		fail(req, ret);
	else
		reply_name(req, dir, name, path);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct node *dir = mount_node(req, parent);
	char path[NODE_PATH_MAX + 1];
	int ret;

	if (begin(req, dir, name, path))
		return;
	ret = iopmem_symlink(mount_of(req)->client, target, path, NULL);
	if (ret)
		fail(req, ret);
	else
		reply_name(req, dir, name, path);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct node *dir = mount_node(req, parent);
	struct mount *m = mount_of(req);
	char from[NODE_PATH_MAX + 1], path[NODE_PATH_MAX + 1];
	int ret;

	if (begin(req, dir, name, path))
		return;
	ret = node_path(&m->nodes, mount_node(req, ino), NULL, from);
	if (!ret)
		ret = iopmem_link(m->client, from, path, NULL);
	if (ret)
		fail(req, ret);
	else
		reply_name(req, dir, name, path);
}

/* The kernel knows which of the two a name is: both are one call of the server's. */
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = mount_node(req, parent);
	struct mount *m = mount_of(req);
	char path[NODE_PATH_MAX + 1];
	int ret;

	if (begin(req, dir, name, path))
		return;
	ret = iopmem_remove(m->client, path, NULL);
	if (!ret || ret == -ENOENT)
		node_unlink(&m->nodes, dir, name);
	pthread_rwlock_unlock(&m->names);
	fuse_reply_err(req, -ret);
}

void op_rename(fuse_req_t req, fuse_ino_t from, const char *from_name, fuse_ino_t to,
	       const char *to_name, unsigned int flags)
{
	struct node *a = mount_node(req, from), *b = mount_node(req, to);
	struct mount *m = mount_of(req);
	char path_a[NODE_PATH_MAX + 1], path_b[NODE_PATH_MAX + 1];
	int ret;

	if (flags & ~(IOPMEM_RENAME_NOREPLACE | IOPMEM_RENAME_EXCHANGE)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	pthread_rwlock_wrlock(&m->names);
	ret = node_path(&m->nodes, a, from_name, path_a);
	if (!ret)
		ret = node_path(&m->nodes, b, to_name, path_b);
	if (!ret)
		ret = iopmem_rename(m->client, path_a, path_b, flags, NULL);
	if (!ret)
		node_rename(&m->nodes, a, from_name, b, to_name, flags & IOPMEM_RENAME_EXCHANGE);
	pthread_rwlock_unlock(&m->names);
	fuse_reply_err(req, -ret);
}
