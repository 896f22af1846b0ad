// SPDX-License-Identifier: BSD-3-Clause
/* Listing directories: what was there when the listing began. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mount.h"

struct item {
	char *name;
	struct iopmem_stat st;
};

struct dir {
	pthread_mutex_t lock;		/* all below */
	struct item *item;
	size_t n, room;
	bool read;
	uint64_t changes;		/* of the directory when it was read */
};

static struct dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct dir *)(uintptr_t)fi->fh;
}

static void forget(struct dir *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		free(d->item[i].name);
	free(d->item);
	d->item = NULL;
	d->n = d->room = 0;
	d->read = false;
}

static int add(const char *name, const struct iopmem_stat *st, void *arg)
{
	struct dir *d = arg;
	size_t room = d->room ? d->room * 2 : 64;
	struct item *grown;
	char *copy;

	if (d->n == d->room) {
		grown = reallocarray(d->item, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		d->item = grown;
		d->room = room;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	d->item[d->n++] = (struct item){ copy, *st };
	return 0;
}

/* Assumes: d->lock. */
static int load(struct mount *m, struct node *node, struct dir *d)
{
	const struct iopmem_stat self = { .type = IOPMEM_STAT_DIR, .fileid = node->fileid };
	char path[NODE_PATH_MAX + 1];
	int ret;

	forget(d);
	d->changes = node_changes(&m->nodes, node);
	pthread_rwlock_rdlock(&m->names);
	ret = node_path(&m->nodes, node, NULL, path);
	if (!ret)
		ret = add(".", &self, d);
	if (!ret)
		ret = add("..", &self, d);
	if (!ret)
		ret = iopmem_readdir(m->client, path, add, d, NULL);
	pthread_rwlock_unlock(&m->names);
	d->read = !ret;
	return ret;
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir *d = calloc(1, sizeof(*d));

	(void)ino;
	if (!d) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_init(&d->lock, NULL);
	fi->fh = (uintptr_t)d;
	if (fuse_reply_open(req, fi)) {
		pthread_mutex_destroy(&d->lock);
		free(d);
	}
}

/* A listing's reply in the making. */
struct listing {
	fuse_req_t req;
	struct node *parent;
	struct dir *dir;
	bool plus;
	char *buf;
	size_t used, size;
	struct node **learnt;		/* for the kernel, if it gets the reply */
	size_t n;
};

/*
 * The attributes of an entry go with it, so that it need not be looked up.  Not if a name in
 * the directory, or what it leads to, has been changed since, which could be this one, and not if
 * it is open: then it may be longer than this says.
 */
static void learn(struct listing *l, const struct item *it, struct fuse_entry_param *e)
{
	struct mount *m = mount_of(l->req);
	struct handle *h;
	struct node *node;

	if (l->dir->changes != node_changes(&m->nodes, l->parent) ||
	    node_learn(&m->nodes, l->parent, it->name, &it->st, &node))
		return;
	h = handle_find(m, node, false);
	if (h) {
		handle_put(m, h);
		node_put(&m->nodes, node, 1);
		return;
	}
	entry_fill(m, node, &it->st, e);
	l->learnt[l->n++] = node;
}

/* Adds entry @i.  False: there is no room. */
static bool put(struct listing *l, size_t i)
{
	const struct item *it = &l->dir->item[i];
	size_t room = l->size - l->used, need;
	struct fuse_entry_param e = { 0 };
	char *at = l->buf + l->used;

	attr_fill(&it->st, &e.attr);
	if (l->plus && fuse_add_direntry_plus(l->req, NULL, 0, it->name, NULL, 0) > room)
		return false;
	if (l->plus && i >= 2)
		learn(l, it, &e);
	need = l->plus ?
	       fuse_add_direntry_plus(l->req, at, room, it->name, &e, (off_t)i + 1) :
	       fuse_add_direntry(l->req, at, room, it->name, &e.attr, (off_t)i + 1);
	if (need > room)
		return false;
	l->used += need;
	return true;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct dir *d,
		 bool plus)
{
	struct mount *m = mount_of(req);
	struct listing l = {
		.req = req, .parent = mount_node(req, ino), .dir = d, .plus = plus, .size = size,
		.buf = malloc(size),
		/* Each entry takes more than its attributes do. */
		.learnt = calloc(size / sizeof(struct stat) + 1, sizeof(*l.learnt)),
	};
	int ret = l.buf && l.learnt ? 0 : -ENOMEM;
	size_t i;

	pthread_mutex_lock(&d->lock);
	if (!ret && (!offset || !d->read))
		ret = load(m, l.parent, d);
	for (i = (size_t)offset; !ret && i < d->n && put(&l, i); i++)
		;
	pthread_mutex_unlock(&d->lock);
	if (ret)
		fuse_reply_err(req, -ret);
	else if (fuse_reply_buf(req, l.buf, l.used))
		while (l.n)
			node_put(&m->nodes, l.learnt[--l.n], 1);
	free(l.learnt);
	free(l.buf);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	list(req, ino, size, offset, dir_of(fi), false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	list(req, ino, size, offset, dir_of(fi), true);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir *d = dir_of(fi);

	(void)ino;
	forget(d);
	pthread_mutex_destroy(&d->lock);
	free(d);
	fuse_reply_err(req, 0);
}

/* Names are durable when the call that changes them is answered. */
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, 0);
}
