// SPDX-License-Identifier: BSD-3-Clause
#include "backing_grow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "backing_priv.h"
#include "base/log.h"

#define HANDLE_MAX	128

union handle_buf {
	struct file_handle h;
	unsigned char bytes[sizeof(struct file_handle) + HANDLE_MAX];
};

/* The inode for good: its NFS handle, which no reused inode number has. */
static void identify(int fd, const struct stat *st, struct store_growing *row)
{
	union handle_buf buf;
	int mount_id;
	size_t len = sizeof(buf.h);
	uint64_t plain[2] = { st->st_dev, st->st_ino };

	memset(&buf, 0, sizeof(buf));
	buf.h.handle_bytes = HANDLE_MAX;
	if (!name_to_handle_at(fd, "", &buf.h, &mount_id, AT_EMPTY_PATH)) {
		len += buf.h.handle_bytes;
		memcpy(row->key, &buf, len);
		row->key_len = len;
		return;
	}
	memcpy(row->key, plain, sizeof(plain));
	row->key_len = sizeof(plain);
}

static int row_fill(int fd, struct store_growing *row)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return -errno;
	row->dev = st.st_dev;
	row->ino = st.st_ino;
	memcpy(&row->fsid, &fs.f_fsid, sizeof(row->fsid));
	identify(fd, &st, row);
	row->path = backing_fd_path(fd);
	return row->path ? 0 : -ENOMEM;
}

void grow_init(struct backing_grow *g, struct store *store, const char *export, const char *path,
	       int fd)
{
	*g = (struct backing_grow){ .store = store, .export = export, .path = path, .fd = fd };
	pthread_mutex_init(&g->lock, NULL);
}

void grow_fini(struct backing_grow *g)
{
	pthread_mutex_destroy(&g->lock);
}

void grow_begin(struct backing_grow *g, uint64_t size)
{
	pthread_mutex_lock(&g->lock);
	g->on = true;
	g->committed = g->grown = size;
	pthread_mutex_unlock(&g->lock);
}

void grow_end(struct backing_grow *g)
{
	pthread_mutex_lock(&g->lock);
	g->on = false;
	pthread_mutex_unlock(&g->lock);
}

uint64_t grow_size(struct backing_grow *g, uint64_t size)
{
	pthread_mutex_lock(&g->lock);
	if (g->on)
		size = g->committed;
	pthread_mutex_unlock(&g->lock);
	return size;
}

uint64_t grow_limit(struct backing_grow *g)
{
	uint64_t limit;

	pthread_mutex_lock(&g->lock);
	limit = g->on ? g->grown : 0;
	pthread_mutex_unlock(&g->lock);
	return limit;
}

void grow_set(struct backing_grow *g, uint64_t grown)
{
	pthread_mutex_lock(&g->lock);
	g->grown = grown;
	pthread_mutex_unlock(&g->lock);
}

int grow_note(struct backing_grow *g, uint64_t grown, uint64_t committed, struct iopmem_err *err)
{
	struct store_growing row = { .grown = grown, .committed = committed };
	int ret = row_fill(g->fd, &row);

	if (ret)
		return err_set(err, -ret, "'%s': identify", g->path);
	ret = store_growing_put(g->store, g->export, &row, err);
	free(row.path);
	if (!ret)
		g->stored = true;
	return ret;
}

int grow_commit(struct backing_grow *g, uint64_t committed, struct iopmem_err *err)
{
	int ret = grow_note(g, g->grown, committed, err);

	if (ret)
		return ret;
	pthread_mutex_lock(&g->lock);
	g->committed = committed;
	pthread_mutex_unlock(&g->lock);
	return 0;
}

static void forget(struct backing_grow *g)
{
	struct store_growing row = { 0 };
	struct iopmem_err err = { 0 };

	if (!row_fill(g->fd, &row)) {
		if (store_growing_del(g->store, g->export, row.key, row.key_len, &err))
			log_error("%s", err.text);
		else
			g->stored = false;
	}
	free(row.path);
}

/*
 * A size that is not the one we left means that the lease ran out and somebody else
 * has the file: cutting it would destroy their data.
 */
void grow_trim(struct backing_grow *g, int (*cut)(void *arg, uint64_t size), void *arg)
{
	struct stat st;

	if (!g->stored)
		return;
	if (fstat(g->fd, &st))
		goto err_trim;
	if ((uint64_t)st.st_size != g->grown) {
		log_warn("'%s': changed under its layout (size %lld, not %llu): not trimmed to"
			 " the committed %llu", g->path, (long long)st.st_size,
			 (unsigned long long)g->grown, (unsigned long long)g->committed);
	} else if (g->grown > g->committed) {
		int ret = cut ? cut(arg, g->committed) :
				ftruncate(g->fd, (off_t)g->committed) ? -errno : 0;

		errno = -ret;
		if (ret || fsync(g->fd))
			goto err_trim;
		grow_set(g, g->committed);
	}
	forget(g);
	return;
err_trim:
	/* The row stays: the next start trims. */
	log_error("'%s': trim to the committed size %llu: %s", g->path,
		  (unsigned long long)g->committed, strerror(errno));
}

/* An export at start-up. */
struct where {
	const char *export;
	int root_fd;
	uint64_t dev, fsid;
};

static bool same_fs(const struct store_growing *row, uint64_t dev, uint64_t fsid)
{
	return row->dev == dev || row->fsid == fsid;
}

/* Returns a descriptor or -errno; -ENOENT and -ESTALE: the file is gone. */
static int open_row(const struct where *w, const struct store_growing *row)
{
	const int flags = O_RDWR | O_NONBLOCK | O_CLOEXEC;
	struct store_growing now = { 0 };
	union handle_buf buf;
	int fd, ret;

	if (row->key_len > sizeof(buf.h) && row->key_len <= sizeof(buf) &&
	    same_fs(row, w->dev, w->fsid)) {
		memcpy(&buf, row->key, row->key_len);
		fd = open_by_handle_at(w->root_fd, &buf.h, flags);
		if (fd >= 0)
			return fd;
		if (errno != EPERM && errno != EOPNOTSUPP)
			return -errno;
	}
	fd = open(row->path, flags | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	ret = row_fill(fd, &now);
	if (!ret && (now.key_len != row->key_len || memcmp(now.key, row->key, now.key_len) ||
		     now.ino != row->ino || !same_fs(row, now.dev, now.fsid)))
		ret = -ENOENT;
	free(now.path);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int trim_row(int fd, const struct where *w, const struct store_growing *row,
		    struct iopmem_err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(err, errno, "export '%s': stat '%s'", w->export, row->path);
	if ((uint64_t)st.st_size <= row->committed)
		return 0;
	if ((uint64_t)st.st_size > row->grown) {
		log_warn("export '%s': '%s' was changed while no server ran: not trimmed to the"
			 " committed %llu", w->export, row->path,
			 (unsigned long long)row->committed);
		return 0;
	}
	if (ftruncate(fd, (off_t)row->committed) || fsync(fd))
		return err_set(err, errno, "export '%s': trim '%s'", w->export, row->path);
	log_info("export '%s': '%s' trimmed to its committed size %llu", w->export,
		 row->path, (unsigned long long)row->committed);
	return 0;
}

static int recover_row(struct store *store, const struct where *w,
		       const struct store_growing *row, struct iopmem_err *err)
{
	int fd = open_row(w, row);
	int ret = 0;

	if (fd == -ENOENT || fd == -ESTALE || fd == -ENOTDIR) {
		if (!same_fs(row, w->dev, w->fsid)) {
			log_warn("export '%s': '%s' was being extended and is on a file system"
				 " that is not here now", w->export, row->path);
			return 0;
		}
		log_warn("export '%s': '%s' was being extended and is gone", w->export,
			 row->path);
	} else if (fd < 0) {
		return err_set(err, -fd, "export '%s': '%s' must be trimmed to %llu bytes: open",
			       w->export, row->path, (unsigned long long)row->committed);
	} else {
		ret = trim_row(fd, w, row, err);
		close(fd);
	}
	if (!ret)
		ret = store_growing_del(store, w->export, row->key, row->key_len, err);
	return ret;
}

int grow_recover(struct store *store, const char *export, int root_fd, struct iopmem_err *err)
{
	struct where w = { .export = export, .root_fd = root_fd };
	struct store_growing *rows;
	struct statfs fs;
	struct stat st;
	size_t n;
	int ret;

	if (fstat(root_fd, &st) || fstatfs(root_fd, &fs))
		return err_set(err, errno, "export '%s': stat", export);
	w.dev = st.st_dev;
	memcpy(&w.fsid, &fs.f_fsid, sizeof(w.fsid));
	ret = store_growing_list(store, export, &rows, &n, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < n && !ret; i++)
		ret = recover_row(store, &w, &rows[i], err);
	store_growing_free(rows, n);
	return ret;
}
