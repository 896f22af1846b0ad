// SPDX-License-Identifier: BSD-3-Clause
/* Reading, writing, and making it last. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mount.h"

/* Memory that the library moves bytes into without a copy; they are kept. */
struct io_buf {
	struct io_buf *next;
	struct iopmem_buf *buf;
};

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static struct io_buf *buf_get(struct mount *m)
{
	struct io_buf *b;

	pthread_mutex_lock(&m->lock);
	b = m->bufs;
	if (b)
		m->bufs = b->next;
	pthread_mutex_unlock(&m->lock);
	if (b)
		return b;
	b = malloc(sizeof(*b));
	if (b && iopmem_buf_alloc(m->client, MOUNT_IO_MAX, &b->buf, NULL)) {
		free(b);
		b = NULL;
	}
	return b;
}

static void buf_put(struct mount *m, struct io_buf *b)
{
	pthread_mutex_lock(&m->lock);
	b->next = m->bufs;
	m->bufs = b;
	pthread_mutex_unlock(&m->lock);
}

void data_fini(struct mount *m)
{
	struct io_buf *b;

	while ((b = m->bufs)) {
		m->bufs = b->next;
		iopmem_buf_unregister(b->buf);
		free(b);
	}
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct io_buf *b = buf_get(m);
	struct fill fill;
	ssize_t n;

	if (!b) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fill_begin(m, &fill, mount_node(req, ino), (uint64_t)offset, size);
	do {
		n = iopmem_pread(handle_of(fi)->file, iopmem_buf_addr(b->buf),
				 size < MOUNT_IO_MAX ? size : MOUNT_IO_MAX, (uint64_t)offset, NULL);
	} while (!fill_ready(m, &fill, n >= 0));
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, iopmem_buf_addr(b->buf), (size_t)n);
	fill_end(m, &fill);
	buf_put(m, b);
}

/* By no way that the kernel keeps anything of; what it has of the old end is wrong by now. */
static ssize_t append(struct mount *m, struct handle *h, const char *buf, size_t size)
{
	uint64_t at;
	ssize_t n = iopmem_append(h->file, buf, size, &at, NULL);

	if (n > 0)
		cache_drop(m, h->node, (struct range){ at, at + (uint64_t)n });
	return n;
}

static bool no_room(ssize_t n)
{
	return n == -ENOSPC || n == -EDQUOT || n == -EFBIG;
}

/*
 * write(2): as many bytes as there is room for.  The library writes all or fails, so what fails is
 * tried again in halves; bytes that are there already are written once more.
 */
static ssize_t write_what_fits(struct handle *h, const char *buf, size_t size, uint64_t offset)
{
	size_t done = 0, len = size;
	ssize_t n = 0;

	while (len) {
		n = iopmem_pwrite(h->file, buf + done, len, offset + done, NULL);
		if (n <= 0) {
			len = no_room(n) ? len / 2 : 0;
			continue;
		}
		done += (size_t)n;
		if (len > size - done)
			len = size - done;
	}
	return done ? (ssize_t)done : n;
}

static void reply_written(fuse_req_t req, struct handle *h, ssize_t n)
{
	h->node->dirty = true;		/* a part may be there all the same */
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
	      struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct handle *h = handle_of(fi);
	struct fill fill;
	ssize_t n;

	if (h->append) {
		reply_written(req, h, append(m, h, buf, size));
		return;
	}
	fill_begin(m, &fill, mount_node(req, ino), (uint64_t)offset, size);
	if ((fi->flags & O_APPEND) && !fi->writepage) {
		fill.uncovered = true;		/* by F_SETFL: the kernel keeps it at another place */
		n = append(m, h, buf, size);
	} else if (fi->writepage) {		/* a page that was stored to: all of it or an error */
		n = iopmem_pwrite(h->file, buf, size, (uint64_t)offset, NULL);
	} else {
		n = write_what_fits(h, buf, size, (uint64_t)offset);
	}
	fill_ready(m, &fill, false);
	reply_written(req, h, n);
	fill_end(m, &fill);
}

/* Ranges that are lost cannot be written again from here: the caller hears EIO, once. */
static int sync_handle(struct mount *m, struct handle *h,
		       int (*sync)(struct iopmem_file *, struct iopmem_err *))
{
	struct iopmem_range lost[128];
	struct iopmem_err err = { 0 };
	int level = sync(h->file, &err);

	if (level < 0) {
		h->node->dirty = true;		/* the next close(2) or fsync(2) tries again */
		mount_log(m, "%s", err.text);
		return iopmem_file_lost(h->file, lost, 128) ? -EIO : level;
	}
	if (level < IOPMEM_LEVEL_POWER_LOSS && !atomic_exchange(&m->level_told, true))
		mount_log(m, "what is overwritten in this export survives the death of the server, "
			  "but not power loss, after fsync() too");
	return 0;
}

/*
 * close(2) commits, and gives the layouts back: their end moves the file's times, and whoever
 * sets times after it wants them to stay.
 */
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	int ret = 0;

	(void)ino;
	if (h->writable && atomic_exchange(&h->node->dirty, false))
		ret = sync_handle(mount_of(req), h, iopmem_file_return);
	fuse_reply_err(req, -ret);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);

	(void)ino;
	(void)datasync;
	h->node->dirty = false;
	fuse_reply_err(req, -sync_handle(mount_of(req), h, iopmem_sync));
}
