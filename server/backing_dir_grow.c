// SPDX-License-Identifier: BSD-3-Clause
/*
 * A file grows when a range past its end is granted, before anything in it is
 * committed.  The committed size is in the store before the file grows, and the file
 * is cut back to it at the last return, or by the next server after a crash.
 */
#include "backing_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

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

int dir_grow_note(struct backing_file *file, uint64_t grown, uint64_t committed,
		  struct iopmem_err *err)
{
	struct store_growing row = { .grown = grown, .committed = committed };
	int ret = row_fill(file->fd, &row);

	if (ret)
		return err_set(err, -ret, "'%s': identify", file->path);
	ret = store_growing_put(file->exp->store, file->exp->attr.name, &row, err);
	free(row.path);
	if (!ret)
		file->stored = true;
	return ret;
}

static void forget(struct backing_file *file)
{
	struct store_growing row = { 0 };
	struct iopmem_err err = { 0 };

	if (!row_fill(file->fd, &row)) {
		if (store_growing_del(file->exp->store, file->exp->attr.name, row.key,
				      row.key_len, &err))
			log_error("%s", err.text);
		else
			file->stored = false;
	}
	free(row.path);
}

/*
 * A size that is not the one we left means that the lease ran out and somebody else
 * has the file: cutting it would destroy their data.
 */
void dir_grow_trim(struct backing_file *file)
{
	struct stat st;

	if (!file->stored)
		return;
	if (fstat(file->fd, &st))
		goto err_trim;
	if ((uint64_t)st.st_size != file->grown) {
		log_warn("'%s': changed under its layout (size %lld, not %llu): not trimmed to"
			 " the committed %llu", file->path, (long long)st.st_size,
			 (unsigned long long)file->grown, (unsigned long long)file->committed);
	} else if (file->grown > file->committed) {
		if (ftruncate(file->fd, (off_t)file->committed) || fsync(file->fd))
			goto err_trim;
		pthread_mutex_lock(&file->lock);
		file->grown = file->committed;
		pthread_mutex_unlock(&file->lock);
	}
	forget(file);
	return;
err_trim:
	/* The row stays: the next start trims. */
	log_error("'%s': trim to the committed size %llu: %s", file->path,
		  (unsigned long long)file->committed, strerror(errno));
}

static bool same_fs(const struct store_growing *row, uint64_t dev, uint64_t fsid)
{
	return row->dev == dev || row->fsid == fsid;
}

/* Returns a descriptor or -errno; -ENOENT and -ESTALE: the file is gone. */
static int open_row(struct backing_export *exp, const struct store_growing *row)
{
	const int flags = O_RDWR | O_NONBLOCK | O_CLOEXEC;
	struct store_growing now = { 0 };
	union handle_buf buf;
	int fd, ret;

	if (row->key_len > sizeof(buf.h) && row->key_len <= sizeof(buf) &&
	    same_fs(row, exp->dev, exp->fsid)) {
		memcpy(&buf, row->key, row->key_len);
		fd = open_by_handle_at(exp->root_fd, &buf.h, flags);
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

static int trim_row(int fd, const struct backing_export *exp, const struct store_growing *row,
		    struct iopmem_err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(err, errno, "export '%s': stat '%s'", exp->attr.name, row->path);
	if ((uint64_t)st.st_size <= row->committed)
		return 0;
	if ((uint64_t)st.st_size > row->grown) {
		log_warn("export '%s': '%s' was changed while no server ran: not trimmed to the"
			 " committed %llu", exp->attr.name, row->path,
			 (unsigned long long)row->committed);
		return 0;
	}
	if (ftruncate(fd, (off_t)row->committed) || fsync(fd))
		return err_set(err, errno, "export '%s': trim '%s'", exp->attr.name, row->path);
	log_info("export '%s': '%s' trimmed to its committed size %llu", exp->attr.name,
		 row->path, (unsigned long long)row->committed);
	return 0;
}

static int recover_row(struct backing_export *exp, const struct store_growing *row,
		       struct iopmem_err *err)
{
	int fd = open_row(exp, row);
	int ret = 0;

	if (fd == -ENOENT || fd == -ESTALE || fd == -ENOTDIR) {
		if (!same_fs(row, exp->dev, exp->fsid)) {
			log_warn("export '%s': '%s' was being extended and is on a file system"
				 " that is not here now", exp->attr.name, row->path);
			return 0;
		}
		log_warn("export '%s': '%s' was being extended and is gone", exp->attr.name,
			 row->path);
	} else if (fd < 0) {
		return err_set(err, -fd, "export '%s': '%s' must be trimmed to %llu bytes: open",
			       exp->attr.name, row->path, (unsigned long long)row->committed);
	} else {
		ret = trim_row(fd, exp, row, err);
		close(fd);
	}
	if (!ret)
		ret = store_growing_del(exp->store, exp->attr.name, row->key, row->key_len, err);
	return ret;
}

int dir_grow_recover(struct backing_export *exp, struct iopmem_err *err)
{
	struct store_growing *rows;
	size_t n;
	int ret = store_growing_list(exp->store, exp->attr.name, &rows, &n, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < n && !ret; i++)
		ret = recover_row(exp, &rows[i], err);
	store_growing_free(rows, n);
	return ret;
}
