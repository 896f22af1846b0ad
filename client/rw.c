// SPDX-License-Identifier: BSD-3-Clause
/* Reads and writes that lease for themselves. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cached.h"
#include "cover.h"
#include "io.h"
#include "mem.h"
#include "server_io.h"

#define TRYLATER_MS 2000	/* then through the server */
#define UNAVAILABLE_MS 1000

struct rw {
	struct file *file;
	const struct iovec *iov;	/* the first @skip bytes are done */
	size_t skip;
	uint64_t offset;
	size_t len;
	bool write;
	uint64_t until_ms;
	bool uncovered;			/* a part went through the server */
};

static void advance(struct rw *rw, size_t n)
{
	rw->offset += n;
	rw->len -= n;
	rw->skip += n;
	while (rw->len && rw->skip >= rw->iov->iov_len) {
		rw->skip -= rw->iov->iov_len;
		rw->iov++;
	}
}

/* Moves the bytes of @m at @rw->offset, as far as one lease goes; how many, or -errno. */
static ssize_t leased(const struct rw *rw, const struct mem *m, struct iopmem_err *err)
{
	struct io io = { .buf = m->buf, .iov = m->iov, .skip = m->skip, .write = rw->write,
			 .offset = rw->offset, .len = m->len };
	struct range want = { rw->offset, rw->offset + m->len };
	struct iopmem_lease *lease;
	size_t n;
	int ret;

	ret = cached_get(rw->file, want, rw->write, rw->until_ms, &lease, err);
	if (ret)
		return ret;
	if (io.len > lease->range.end - io.offset)
		io.len = lease->range.end - io.offset;
	n = io.len;
	io.lease = lease;
	ret = io_run(&io, err);
	cached_put(lease);
	return ret ? ret : (ssize_t)n;
}

/* False: the server has forgotten the file, and it cannot be had again. */
static bool revived(struct file *file)
{
	int ret;

	pthread_mutex_lock(&file->lock);
	ret = file_ensure(file, NULL);
	pthread_mutex_unlock(&file->lock);
	return !ret;
}

/* The same through the server, as far as one call goes. */
static ssize_t through_server(struct rw *rw, const struct mem *m, struct iopmem_err *err)
{
	uint8_t *addr = (uint8_t *)m->iov->iov_base + m->skip;
	size_t n = m->iov->iov_len - m->skip;

	n = n < m->len ? n : m->len;
	rw->uncovered = true;
	return rw->write ? server_write(rw->file, addr, n, rw->offset, rw->until_ms, err) :
			   server_read(rw->file, addr, n, rw->offset, rw->until_ms, err);
}

/*
 * Can the file have no layout, or not soon?  Then it is not asked again for a while: asking
 * costs the server a lease of its own.
 */
static bool no_layout(const struct rw *rw, ssize_t result)
{
	struct file *file = rw->file;
	bool none;

	pthread_mutex_lock(&file->lock);
	none = result == -EOPNOTSUPP ||
	       (result == -ETIMEDOUT && file->refusal == IOPMEM_LAYOUTTRYLATER);
	if (none)
		file->layouts_after_ms = clock_ms() + UNAVAILABLE_MS;
	else
		none = clock_ms() < file->layouts_after_ms && !result;
	pthread_mutex_unlock(&file->lock);
	return none;
}

static ssize_t try_once(struct rw *rw, const struct mem *m, struct iopmem_err *err)
{
	uint64_t until = clock_ms() + TRYLATER_MS, whole = rw->until_ms;
	struct iopmem_err cause = { 0 };
	ssize_t n;

	if (no_layout(rw, 0))
		return through_server(rw, m, err);
	rw->until_ms = until < whole ? until : whole;
	n = leased(rw, m, &cause);
	rw->until_ms = whole;
	if (n < 0 && no_layout(rw, n))
		return through_server(rw, m, err);
	if (n == -ETIMEDOUT && clock_ms() < whole)
		n = -ESTALE;		/* a conflict lasts: again */
	if (n < 0 && err && !err->code)
		*err = cause;
	return n;
}

/* A piece: again with a new lease while the time lasts, when the old one ended under it. */
static ssize_t piece(struct rw *rw, struct iopmem_err *err)
{
	size_t len = rw->len < IO_SLICE ? rw->len : IO_SLICE;
	struct iopmem_err cause;
	struct mem m;
	ssize_t n;
	int ret;

	ret = mem_get(rw->file->client, rw->iov, rw->skip, len, rw->write, &m, err);
	if (ret)
		return ret;
	do {
		cause = (struct iopmem_err){ 0 };
		n = try_once(rw, &m, &cause);
	} while ((n == -ESTALE || n == -ECONNRESET) && clock_ms() < rw->until_ms &&
		 revived(rw->file));
	mem_put(&m, n > 0 ? (size_t)n : 0);
	if (n < 0 && err && !err->code)
		*err = cause;
	return n;
}

/* Where what is written and not committed ends; 0: nowhere.  Assumes: file->lock. */
static uint64_t uncommitted_end(const struct file *file)
{
	const struct iopmem_lease *l;
	uint64_t end = 0;

	for (l = file->leases; l; l = l->next)
		if (l->state <= LEASE_RECALLED && written_top(&l->written) > end)
			end = written_top(&l->written);
	return end;
}

/* Where a reader of @file finds the end: what it wrote itself counts.  Assumes: file->lock. */
static uint64_t end_of_file(const struct file *file)
{
	uint64_t end = uncommitted_end(file);

	return end > file->size ? end : file->size;
}

/* Cuts a read at the end of file; who asks for more than we know of makes us look. */
static int clip(struct rw *rw, struct iopmem_err *err)
{
	struct iopmem_stat st;
	uint64_t end;
	int ret;

	pthread_mutex_lock(&rw->file->lock);
	end = end_of_file(rw->file);
	pthread_mutex_unlock(&rw->file->lock);
	if (rw->offset + rw->len > end) {
		ret = file_getattr(rw->file, &st, err);
		if (ret)
			return ret;
		pthread_mutex_lock(&rw->file->lock);
		rw->file->size = st.size;
		end = end_of_file(rw->file);
		pthread_mutex_unlock(&rw->file->lock);
	}
	if (rw->offset >= end)
		rw->len = 0;
	else if (rw->len > end - rw->offset)
		rw->len = end - rw->offset;
	return 0;
}

static ssize_t run(struct iopmem_file *handle, const struct iovec *iov, int iovcnt,
		   uint64_t offset, bool write, struct iopmem_err *err)
{
	const char *what = write ? "write" : "read";
	ssize_t len = io_iov_len(iov, iovcnt), n;
	struct rw rw = { NULL, iov, 0, offset, (size_t)len, write, 0, false };
	struct file *file;
	int ret;

	if (!handle || len < 0)
		return err_msg(err, EINVAL, "%s: invalid argument", what);
	file = rw.file = handle->file;
	if (write && !handle->writable)
		return err_msg(err, EBADF, "write '%s': it is open read-only", file->path);
	if (offset > INT64_MAX || (uint64_t)len > INT64_MAX - offset)
		return err_msg(err, EFBIG, "%s '%s': the range ends past 2^63", what, file->path);
	rw.until_ms = clock_ms() + file->client->timeout_ms + 2 * file->client->session.lease_ms;
	if (!write) {
		ret = clip(&rw, err);
		if (ret)
			return ret;
	}
	len = (ssize_t)rw.len;
	n = 1;
	while (rw.len && n > 0) {	/* 0: through the server, the file has become shorter */
		n = piece(&rw, err);
		if (n > 0)
			advance(&rw, (size_t)n);
	}
	if (rw.uncovered)
		cover_tell(file->client, IOPMEM_COVER_NONE, file->fileid,
			     (struct range){ offset, offset + (uint64_t)len });
	return n < 0 ? n : len - (ssize_t)rw.len;
}

ssize_t iopmem_preadv(struct iopmem_file *handle, const struct iovec *iov, int iovcnt,
		      uint64_t offset, struct iopmem_err *err)
{
	return run(handle, iov, iovcnt, offset, false, err);
}

ssize_t iopmem_pwritev(struct iopmem_file *handle, const struct iovec *iov, int iovcnt,
		       uint64_t offset, struct iopmem_err *err)
{
	return run(handle, iov, iovcnt, offset, true, err);
}

ssize_t iopmem_pread(struct iopmem_file *handle, void *buf, size_t len, uint64_t offset,
		     struct iopmem_err *err)
{
	struct iovec iov = { buf, len };

	return run(handle, &iov, 1, offset, false, err);
}

ssize_t iopmem_pwrite(struct iopmem_file *handle, const void *buf, size_t len, uint64_t offset,
		      struct iopmem_err *err)
{
	union { const void *in; void *io; } p = { .in = buf };	/* only read from */
	struct iovec iov = { p.io, len };

	return run(handle, &iov, 1, offset, true, err);
}

uint64_t iopmem_file_written(struct iopmem_file *file)
{
	uint64_t end;

	if (!file)
		return 0;
	pthread_mutex_lock(&file->file->lock);
	end = uncommitted_end(file->file);
	pthread_mutex_unlock(&file->file->lock);
	return end;
}
