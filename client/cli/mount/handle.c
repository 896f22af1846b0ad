// SPDX-License-Identifier: BSD-3-Clause
/* Open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "mount.h"

static struct handle *handle_new(struct mount *m, struct node *node, struct iopmem_file *file,
				 int flags)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->file = file;
	h->refs = 1;
	h->writable = (flags & O_ACCMODE) != O_RDONLY;
	h->append = flags & O_APPEND;
	h->node = node;
	pthread_mutex_lock(&m->nodes.lock);
	node->refs++;
	h->next = node->handles;
	node->handles = h;
	pthread_mutex_unlock(&m->nodes.lock);
	return h;
}

struct handle *handle_find(struct mount *m, struct node *node, bool writable)
{
	struct handle *h;

	pthread_mutex_lock(&m->nodes.lock);
	for (h = node->handles; h && writable && !h->writable; h = h->next)
		;
	if (h)
		h->refs++;
	pthread_mutex_unlock(&m->nodes.lock);
	return h;
}

int handle_put(struct mount *m, struct handle *h)
{
	struct handle **p;
	bool last;
	int ret;

	pthread_mutex_lock(&m->nodes.lock);
	last = !--h->refs;
	if (last) {
		p = &h->node->handles;
		while (*p != h)
			p = &(*p)->next;
		*p = h->next;
	}
	pthread_mutex_unlock(&m->nodes.lock);
	if (!last)
		return 0;
	/* From now on listings tell of it; those that began before its last commit do not. */
	if (h->writable)
		node_changed(&m->nodes, h->node);
	ret = iopmem_close(h->file, NULL);
	if (h->writable)
		node_changed(&m->nodes, h->node);
	node_put(&m->nodes, h->node, 1);
	free(h);
	return ret;
}

void handles_close(struct mount *m)
{
	struct node *node;
	struct handle *h;

	for (;;) {
		DL_FOREACH(m->nodes.all, node)
			if (node->handles)
				break;
		if (!node)
			return;
		h = node->handles;
		h->refs = 1;
		if (handle_put(m, h))
			mount_log(m, "a file that was open could not be committed");
	}
}

/* What the library is told; the kernel itself sees to the rest. */
static int open_flags(const struct fuse_file_info *fi)
{
	int access = fi->flags & O_ACCMODE;

	/* open(2) truncates by O_RDONLY | O_TRUNC too, where the file may be written. */
	if (fi->flags & O_TRUNC)
		return (access == O_RDONLY ? O_RDWR : access) | O_TRUNC;
	return access;
}

static void reply_open(fuse_req_t req, struct mount *m, struct handle *h,
		       struct fuse_file_info *fi, const struct fuse_entry_param *e)
{
	fi->fh = (uintptr_t)h;
	/* Each write goes where the end is by then, so there is nothing to cache. */
	fi->direct_io = h->append;
	if (e ? fuse_reply_create(req, e, fi) : fuse_reply_open(req, fi)) {
		if (e)
			node_put(&m->nodes, h->node, 1);
		handle_put(m, h);
	}
}

/*
 * The file that @node is, not one that another host has given its name meanwhile: then the kernel
 * looks the name up again (-ESTALE).  So it is cut only when it is known.  Assumes: mount.names
 * is read.
 */
static int open_node(struct mount *m, struct node *node, int flags, struct iopmem_file **file)
{
	char path[NODE_PATH_MAX + 1];
	struct iopmem_stat st;
	int ret;

	ret = node_path(&m->nodes, node, NULL, path);
	if (!ret)
		ret = iopmem_open(m->client, path, flags & ~O_TRUNC, 0, file, NULL);
	if (ret)
		return ret;
	ret = iopmem_fstat(*file, &st, NULL);
	if (!ret && st.fileid != node->fileid)
		ret = -ESTALE;
	if (!ret && (flags & O_TRUNC) && (st.size || iopmem_file_written(*file)))
		ret = iopmem_ftruncate(*file, 0, NULL);
	if (ret)
		iopmem_close(*file, NULL);
	return ret;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *node = mount_node(req, ino);
	struct mount *m = mount_of(req);
	struct iopmem_file *file;
	struct handle *h = NULL;
	int ret;

	if (fi->flags & O_TRUNC)
		cache_resize(m, node, true);
	pthread_rwlock_rdlock(&m->names);
	ret = open_node(m, node, open_flags(fi), &file);
	pthread_rwlock_unlock(&m->names);
	if (fi->flags & O_TRUNC)
		cache_resize(m, node, false);
	if (!ret) {
		h = handle_new(m, node, file, fi->flags);
		if (!h) {
			iopmem_close(file, NULL);
			ret = -ENOMEM;
		}
	}
	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	/* Close-to-open: what the kernel knows of the file is as old as it likes. */
	fuse_lowlevel_notify_inval_inode(m->session, ino, -1, 0);
	reply_open(req, m, h, fi, NULL);
}

/* Assumes: mount.names is read. */
static int create(struct mount *m, struct node *dir, const char *name, mode_t mode,
		  const struct fuse_file_info *fi, struct handle **h, struct iopmem_stat *st)
{
	int flags = open_flags(fi) | O_CREAT | (fi->flags & O_EXCL), ret;
	char path[NODE_PATH_MAX + 1];
	struct iopmem_file *file;
	struct node *node;

	ret = node_path(&m->nodes, dir, name, path);
	if (!ret)
		ret = iopmem_open(m->client, path, flags, mode & 07777, &file, NULL);
	if (ret)
		return ret;
	ret = iopmem_fstat(file, st, NULL);
	if (!ret)
		ret = node_learn(&m->nodes, dir, name, st, &node);
	if (ret) {
		iopmem_close(file, NULL);
		return ret;
	}
	*h = handle_new(m, node, file, fi->flags);
	if (*h)
		return 0;
	node_put(&m->nodes, node, 1);
	iopmem_close(file, NULL);
	return -ENOMEM;
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct fuse_entry_param e;
	struct iopmem_stat st;
	struct handle *h;
	int ret;

	pthread_rwlock_rdlock(&m->names);
	ret = create(m, mount_node(req, parent), name, mode, fi, &h, &st);
	pthread_rwlock_unlock(&m->names);
	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	entry_fill(m, h->node, &st, &e);
	reply_open(req, m, h, fi, &e);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	int ret;

	(void)ino;
	ret = handle_put(m, (struct handle *)(uintptr_t)fi->fh);
	if (ret)	/* close(2) does not hear of it; what it could hear op_flush() has told */
		mount_log(m, "close: %s", strerror(-ret));
	fuse_reply_err(req, 0);
}
