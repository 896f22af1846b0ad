// SPDX-License-Identifier: BSD-3-Clause
#include "io.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "bounce.h"

#define RECONNECTS_MAX 3	/* of one slice; its lease stays valid meanwhile */

int io_begin(struct iopmem_lease *lease, struct iopmem_err *err)
{
	struct file *file = lease->file;
	int ret;

	pthread_mutex_lock(&file->lock);
	while (lease->state == LEASE_ACTIVE && file->gate)
		pthread_cond_wait(&file->cond, &file->lock);
	ret = lease_check(lease, err);
	if (!ret) {
		lease->inflight++;
		file->inflight++;
	}
	pthread_mutex_unlock(&file->lock);
	return ret;
}

bool io_try_begin(struct iopmem_lease *lease)
{
	struct file *file = lease->file;
	bool can;

	pthread_mutex_lock(&file->lock);
	can = lease->state == LEASE_ACTIVE && !file->gate;
	if (can) {
		lease->inflight++;
		file->inflight++;
	}
	pthread_mutex_unlock(&file->lock);
	return can;
}

void io_end(struct iopmem_lease *lease, bool write, bool done, struct range r)
{
	struct file *file = lease->file;

	pthread_mutex_lock(&file->lock);
	if (write && done)
		written_add(lease->state == LEASE_LOST ? &lease->lost : &lease->written, r);
	file->inflight--;
	if (!--lease->inflight && (lease->state != LEASE_ACTIVE || file->gate))
		pthread_cond_broadcast(&file->cond);
	pthread_mutex_unlock(&file->lock);
}

enum where { WHERE_MEMORY, WHERE_ZERO, WHERE_GONE };

/* Where the byte at io->offset is, and how far that goes. */
static enum where locate(const struct io *io, struct extent *e, uint64_t *end)
{
	const struct iopmem_lease *lease = io->lease;
	struct file *file = lease->file;
	const struct extent *found;
	enum where where = WHERE_MEMORY;

	*end = io->offset + io->len;
	pthread_mutex_lock(&file->lock);
	if (lease->state != LEASE_ACTIVE) {
		pthread_mutex_unlock(&file->lock);
		return WHERE_GONE;
	}
	found = extent_map_find(&file->maps[lease->rw], io->offset);
	if (!found && !lease->rw)	/* an RW segment may stand for a READ one */
		found = extent_map_find(&file->maps[1], io->offset);
	if (!lease->rw && io->offset >= file->size) {
		where = WHERE_ZERO;
	} else if (!found) {
		where = WHERE_GONE;
	} else {
		if (found->r.end < *end)
			*end = found->r.end;
		if (!lease->rw && file->size < *end)
			*end = file->size;
		if (found->state == EXTENT_HOLE)
			where = io->write ? WHERE_GONE : WHERE_ZERO;
		*e = *found;
	}
	pthread_mutex_unlock(&file->lock);
	return where;
}

/* The caller's memory for the next bytes: at most @n of them. */
static uint8_t *memory(const struct io *io, size_t *n)
{
	size_t left = io->iov->iov_len - io->skip;

	if (left < *n)
		*n = left;
	return (uint8_t *)io->iov->iov_base + io->skip;
}

static void advance(struct io *io, size_t n)
{
	io->offset += n;
	io->len -= n;
	io->skip += n;
	while (io->len && io->skip == io->iov->iov_len) {
		io->iov++;
		io->skip = 0;
	}
}

static int post_one(struct io *io, struct conn_wait *w, const struct extent *e, size_t n)
{
	struct iopmem_client *client = io->lease->file->client;
	uint32_t align = client->conn.io_align;
	struct conn_op op = {
		.op = io->write ? FABRIC_OP_WRITE : FABRIC_OP_READ,
		.buf = io->buf, .rkey = e->rkey,
		.raddr = e->addr + (io->offset - e->r.offset),
	};
	int ret;

	op.addr = memory(io, &n);
	n = n < IO_CHUNK ? n : IO_CHUNK;
	n -= n % align;
	if (!n || io->offset % align)
		return -ENOTBLK;
	op.len = (uint32_t)n;
	ret = conn_post(client, w, &op);
	if (!ret)
		advance(io, n);
	return ret;
}

int io_post(struct io *io, struct conn_wait *w)
{
	struct extent e;
	uint64_t end;
	int ret = 1;

	while (io->len && ret == 1) {
		enum where where = locate(io, &e, &end);
		size_t n = end - io->offset;

		if (where == WHERE_GONE) {
			ret = -ESTALE;
		} else if (where == WHERE_ZERO) {
			memset(memory(io, &n), 0, n);
			advance(io, n);
		} else {
			ret = post_one(io, w, &e, n);
			if (!ret)
				ret = 1;
			else if (ret == -EAGAIN)
				ret = 0;
		}
	}
	return ret;
}

/* The next bytes, up to a whole block, through a block of our own. */
static int bounce_some(struct io *io)
{
	uint32_t align = io->lease->file->client->conn.io_align;
	struct extent e;
	uint64_t end;
	size_t n;
	int ret;

	if (locate(io, &e, &end) != WHERE_MEMORY)
		return -ESTALE;
	n = end - io->offset;
	if (n > align - io->offset % align)
		n = align - io->offset % align;
	uint8_t *mem = memory(io, &n);

	ret = bounce(io->lease->file->client, io->write, &e, io->offset, mem, n);
	if (!ret)
		advance(io, n);
	return ret;
}

/* One pass over all of @io; everything posted is over on return.  Assumes: conn locked. */
static int pass(struct io *io)
{
	struct iopmem_client *client = io->lease->file->client;
	struct conn_wait w = { 0 };
	int ret = 0, status;

	while (io->len && !ret && !w.status) {
		ret = io_post(io, &w);
		conn_kick(client);
		if (!ret) {
			conn_step(client);
		} else if (ret == -ENOTBLK) {
			ret = conn_drain(client, &w);
			if (!ret)
				ret = bounce_some(io);
		} else if (ret > 0) {
			ret = 0;
		}
	}
	status = conn_drain(client, &w);
	/* The offender's own status says more. */
	return status && (!ret || ret == -ECONNRESET) ? status : ret;
}

static int slice(const struct io *io, struct iopmem_err *err)
{
	struct iopmem_client *client = io->lease->file->client;
	const char *what = io->write ? "write" : "read", *path = io->lease->file->path;
	struct iopmem_err cause = { 0 };
	unsigned int tries = 0;
	struct io part;
	int ret;

	ret = io_begin(io->lease, err);
	if (ret)
		return ret;
	conn_lock(client);
	do {
		part = *io;
		ret = conn_ensure(client, &client->control, &cause);
		if (!ret)
			ret = pass(&part);
	} while (ret == -ECONNRESET && tries++ < RECONNECTS_MAX);
	conn_unlock(client);
	if (ret == -EACCES) {	/* fenced: the event that says so is on its way */
		ret = -ESTALE;
		err_msg(&cause, ESTALE, "%s '%s' at %llu: the server has taken the key back",
			what, path, (unsigned long long)io->offset);
	} else if (ret) {
		err_set(&cause, -ret, "%s '%s' at %llu", what, path,
			(unsigned long long)io->offset);
	}
	io_end(io->lease, io->write, !ret, (struct range){ io->offset, io->offset + io->len });
	if (ret) {
		int stale;

		pthread_mutex_lock(&io->lease->file->lock);
		stale = lease_check(io->lease, err);	/* says more than the symptom */
		pthread_mutex_unlock(&io->lease->file->lock);
		if (stale)
			return stale;
		if (err && !err->code)
			*err = cause;
	}
	return ret;
}

int io_run(struct io *io, struct iopmem_err *err)
{
	struct file *file = io->lease->file;
	int ret;

	pthread_mutex_lock(&file->lock);
	ret = lease_check(io->lease, err);
	pthread_mutex_unlock(&file->lock);
	if (!ret)
		ret = session_validate(file->client, err);
	while (!ret && io->len) {
		struct io part = *io;
		size_t n, left;

		part.len = io->len < IO_SLICE ? io->len : IO_SLICE;
		ret = slice(&part, err);
		for (left = part.len; !ret && left; left -= n) {
			n = left;
			memory(io, &n);
			advance(io, n);
		}
	}
	return ret;
}

/* ---- checks, public calls ---- */

ssize_t io_iov_len(const struct iovec *iov, int iovcnt)
{
	size_t sum = 0;
	int i;

	if (iovcnt < 0 || iovcnt > IOV_MAX || (iovcnt && !iov))
		return -EINVAL;
	for (i = 0; i < iovcnt; i++) {
		if ((iov[i].iov_len && !iov[i].iov_base) ||
		    iov[i].iov_len > SSIZE_MAX - sum ||
		    (uintptr_t)iov[i].iov_base > UINTPTR_MAX - iov[i].iov_len)
			return -EINVAL;
		sum += iov[i].iov_len;
	}
	return (ssize_t)sum;
}

bool io_in_buf(const struct iopmem_buf *buf, const struct iovec *iov, int iovcnt)
{
	uintptr_t start = (uintptr_t)buf->addr;
	int i;

	for (i = 0; i < iovcnt; i++) {
		uintptr_t first = (uintptr_t)iov[i].iov_base;

		if (iov[i].iov_len && (first < start || first - start > buf->len ||
				       iov[i].iov_len > buf->len - (first - start)))
			return false;
	}
	return true;
}

int io_check(const struct iopmem_lease *lease, bool write, size_t len, uint64_t offset,
	     struct iopmem_err *err)
{
	const char *what = write ? "write" : "read";

	if (write && !lease->rw)
		return err_msg(err, EBADF, "write '%s': the lease is for reading",
			       lease->file->path);
	if (offset < lease->range.offset || offset > lease->range.end ||
	    len > lease->range.end - offset)
		return err_msg(err, ERANGE, "%s '%s': [%llu, +%zu) is outside the lease", what,
			       lease->file->path, (unsigned long long)offset, len);
	return 0;
}

static ssize_t transfer(struct iopmem_lease *lease, struct iopmem_buf *buf,
			const struct iovec *iov, int iovcnt, uint64_t offset, bool write,
			struct iopmem_err *err)
{
	const char *what = write ? "write" : "read";
	ssize_t len = io_iov_len(iov, iovcnt);
	struct io io = { lease, buf, iov, 0, write, offset, (size_t)len };
	int ret;

	if (!lease || !buf || len < 0 || buf->client != lease->file->client)
		return err_msg(err, EINVAL, "%s: invalid argument", what);
	ret = io_check(lease, write, (size_t)len, offset, err);
	if (ret || !len)
		return ret;
	if (!io_in_buf(buf, iov, iovcnt))
		return err_msg(err, ERANGE, "%s '%s': outside the buffer", what, lease->file->path);
	while (!io.iov->iov_len)
		io.iov++;
	ret = io_run(&io, err);
	return ret ? ret : len;
}

ssize_t iopmem_writev(struct iopmem_lease *lease, struct iopmem_buf *buf,
		      const struct iovec *iov, int iovcnt, uint64_t offset,
		      struct iopmem_err *err)
{
	return transfer(lease, buf, iov, iovcnt, offset, true, err);
}

ssize_t iopmem_readv(struct iopmem_lease *lease, struct iopmem_buf *buf,
		     const struct iovec *iov, int iovcnt, uint64_t offset,
		     struct iopmem_err *err)
{
	return transfer(lease, buf, iov, iovcnt, offset, false, err);
}

ssize_t iopmem_write(struct iopmem_lease *lease, struct iopmem_buf *buf, const void *addr,
		     size_t len, uint64_t offset, struct iopmem_err *err)
{
	union { const void *in; void *io; } p = { .in = addr };	/* only read from */
	struct iovec iov = { p.io, len };

	return transfer(lease, buf, &iov, 1, offset, true, err);
}

ssize_t iopmem_read(struct iopmem_lease *lease, struct iopmem_buf *buf, void *addr,
		    size_t len, uint64_t offset, struct iopmem_err *err)
{
	struct iovec iov = { addr, len };

	return transfer(lease, buf, &iov, 1, offset, false, err);
}
