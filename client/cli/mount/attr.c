// SPDX-License-Identifier: BSD-3-Clause
/* Attributes of files, and of the file system. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "mount.h"

static mode_t type_bits(uint32_t type)
{
	switch (type) {
	case IOPMEM_STAT_DIR:
		return S_IFDIR;
	case IOPMEM_STAT_BLK:
		return S_IFBLK;
	case IOPMEM_STAT_CHR:
		return S_IFCHR;
	case IOPMEM_STAT_LNK:
		return S_IFLNK;
	case IOPMEM_STAT_SOCK:
		return S_IFSOCK;
	case IOPMEM_STAT_FIFO:
		return S_IFIFO;
	default:
		return S_IFREG;
	}
}

void attr_fill(const struct iopmem_stat *from, struct stat *to)
{
	*to = (struct stat){
		.st_ino = from->fileid,
		.st_mode = type_bits(from->type) | from->mode,
		.st_nlink = from->nlink,
		.st_uid = from->uid,
		.st_gid = from->gid,
		.st_rdev = makedev(from->rdev_major, from->rdev_minor),
		.st_size = (off_t)from->size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)(from->space_used / 512),
		.st_atim = { from->atime_sec, from->atime_nsec },
		.st_mtim = { from->mtime_sec, from->mtime_nsec },
		.st_ctim = { from->ctime_sec, from->ctime_nsec },
	};
}

int attr_of_handle(const struct handle *h, struct iopmem_stat *st)
{
	uint64_t end, after;
	int ret;

	/* A commit in between would hide growth from both questions. */
	do {
		end = iopmem_file_written(h->file);
		ret = iopmem_fstat(h->file, st, NULL);
		after = iopmem_file_written(h->file);
	} while (!ret && after < end);
	if (!ret && after > st->size)
		st->size = after;
	return ret;
}

int attr_get_named(struct mount *m, struct node *node, struct iopmem_stat *st)
{
	struct handle *h = handle_find(m, node, false);
	char path[NODE_PATH_MAX + 1];
	int ret;

	if (h) {
		ret = attr_of_handle(h, st);
		handle_put(m, h);
		return ret;
	}
	ret = node_path(&m->nodes, node, NULL, path);
	if (ret)
		return ret;
	if (node == &m->nodes.root)	/* it is what the URL names */
		return iopmem_stat(m->client, path, st, NULL);
	ret = iopmem_lstat(m->client, path, st, NULL);
	/* Another host may have given the name to another file: then the kernel looks it up again. */
	return !ret && st->fileid != node->fileid ? -ESTALE : ret;
}

int attr_get(struct mount *m, struct node *node, struct iopmem_stat *st)
{
	int ret;

	pthread_rwlock_rdlock(&m->names);
	ret = attr_get_named(m, node, st);
	pthread_rwlock_unlock(&m->names);
	return ret;
}

static void reply_attr(fuse_req_t req, struct mount *m, const struct iopmem_stat *st)
{
	struct stat attr;

	attr_fill(st, &attr);
	fuse_reply_attr(req, &attr, m->timeout);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct iopmem_stat st;
	int ret;

	(void)fi;
	ret = attr_get(m, mount_node(req, ino), &st);
	if (ret)
		fuse_reply_err(req, -ret);
	else
		reply_attr(req, m, &st);
}

static struct iopmem_changes changes_of(const struct stat *attr, int to_set)
{
	struct iopmem_changes c = {
		.size = sizeof(c),
		.mode = attr->st_mode & 07777, .uid = attr->st_uid, .gid = attr->st_gid,
		.atime_sec = attr->st_atim.tv_sec, .mtime_sec = attr->st_mtim.tv_sec,
		.atime_nsec = (uint32_t)attr->st_atim.tv_nsec,
		.mtime_nsec = (uint32_t)attr->st_mtim.tv_nsec,
	};

	if (to_set & FUSE_SET_ATTR_MODE)
		c.set |= IOPMEM_SET_MODE;
	if (to_set & FUSE_SET_ATTR_UID)
		c.set |= IOPMEM_SET_UID;
	if (to_set & FUSE_SET_ATTR_GID)
		c.set |= IOPMEM_SET_GID;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		c.set |= IOPMEM_SET_ATIME_NOW;
	else if (to_set & FUSE_SET_ATTR_ATIME)
		c.set |= IOPMEM_SET_ATIME;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		c.set |= IOPMEM_SET_MTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		c.set |= IOPMEM_SET_MTIME;
	return c;
}

static int set_size(struct mount *m, struct node *node, uint64_t size)
{
	struct handle *h = handle_find(m, node, true);
	char path[NODE_PATH_MAX + 1];
	int ret;

	if (h) {
		ret = iopmem_ftruncate(h->file, size, NULL);
		handle_put(m, h);
		return ret;
	}
	ret = node_path(&m->nodes, node, NULL, path);
	return ret ? ret : iopmem_truncate(m->client, path, size, NULL);
}

/* What was written under layouts must not come later than times that are set. */
static int set_rest(struct mount *m, struct node *node, const struct iopmem_changes *c)
{
	struct handle *h = handle_find(m, node, false);
	char path[NODE_PATH_MAX + 1];
	int ret;

	if (!h) {
		ret = node_path(&m->nodes, node, NULL, path);
		return ret ? ret : iopmem_setattr(m->client, path, c, IOPMEM_NOFOLLOW, NULL, NULL);
	}
	ret = c->set & (IOPMEM_SET_MTIME | IOPMEM_SET_MTIME_NOW) ?
	      iopmem_file_return(h->file, NULL) : 0;
	if (ret >= 0)
		ret = iopmem_fsetattr(h->file, c, NULL, NULL);
	handle_put(m, h);
	return ret;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct iopmem_changes c = changes_of(attr, to_set);
	struct node *node = mount_node(req, ino);
	struct mount *m = mount_of(req);
	struct iopmem_stat st;
	int ret = 0;

	(void)fi;
	pthread_rwlock_rdlock(&m->names);
	if (to_set & FUSE_SET_ATTR_SIZE) {
		cache_resize(m, node, true);
		ret = set_size(m, node, (uint64_t)attr->st_size);
	}
	if (!ret && c.set)
		ret = set_rest(m, node, &c);
	if (!ret)
		ret = attr_get_named(m, node, &st);
	if (to_set & FUSE_SET_ATTR_SIZE)
		cache_resize(m, node, false);
	node_changed(&m->nodes, node);
	pthread_rwlock_unlock(&m->names);
	if (ret)
		fuse_reply_err(req, -ret);
	else
		reply_attr(req, m, &st);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct iopmem_statfs fs = { .size = sizeof(fs) };
	struct statvfs out = { 0 };
	int ret;

	(void)ino;
	ret = iopmem_statfs(mount_of(req)->client, &fs, NULL);
	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	out.f_bsize = out.f_frsize = fs.block_size ? fs.block_size : 4096;
	out.f_blocks = fs.space_total / out.f_frsize;
	out.f_bfree = fs.space_free / out.f_frsize;
	out.f_bavail = fs.space_avail / out.f_frsize;
	out.f_files = fs.files_total;
	out.f_ffree = fs.files_free;
	out.f_favail = fs.files_avail;
	out.f_namemax = fs.name_max;
	fuse_reply_statfs(req, &out);
}
