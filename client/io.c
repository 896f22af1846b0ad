// SPDX-License-Identifier: BSD-3-Clause
/*
 * One-sided I/O: cut at segments and at CHUNK, pipelined to the connection's depth.
 * A slice holds the lease "in flight": a recall waits for it and no longer.
 */
#include <errno.h>
#include <string.h>

#include "bounce.h"
#include "client.h"

#define CHUNK (1U << 20)
#define SLICE (64U << 20)

struct io {
	struct iopmem_lease *lease;
	struct iopmem_buf *buf;
	bool write;
	uint8_t *addr;		/* what is left */
	uint64_t offset;
	size_t len;
};

static int slice_begin(struct iopmem_lease *lease, struct iopmem_err *err)
{
	struct iopmem_file *file = lease->file;
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

static void slice_end(struct iopmem_lease *lease, bool wrote, struct range r)
{
	struct iopmem_file *file = lease->file;

	pthread_mutex_lock(&file->lock);
	if (wrote && lease->state == LEASE_LOST)
		written_add(&lease->lost, r);
	else if (wrote)
		written_add(&lease->written, r);
	lease->inflight--;
	file->inflight--;
	pthread_cond_broadcast(&file->cond);
	pthread_mutex_unlock(&file->lock);
}

enum where { WHERE_MEMORY, WHERE_ZERO, WHERE_GONE };

/* Where the byte at io->offset is, and how far that goes. */
static enum where locate(const struct io *io, struct extent *e, uint64_t *end)
{
	const struct iopmem_lease *lease = io->lease;
	struct iopmem_file *file = lease->file;
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

static void advance(struct io *io, size_t n)
{
	io->addr += n;
	io->offset += n;
	io->len -= n;
}

/* Moves up to @n bytes within @e; returns how many were posted or done, or -errno. */
static ssize_t move(struct io *io, const struct extent *e, size_t n)
{
	struct iopmem_client *client = io->lease->file->client;
	uint32_t align = client->conn.io_align;
	uint64_t off = io->offset;
	int ret;

	if (off % align || n < align) {
		uint64_t room = align - off % align;

		n = n < room ? n : room;
		ret = bounce(client, io->write, e, off, io->addr, n);
		return ret ? ret : (ssize_t)n;
	}
	n -= n % align;
	if (n > CHUNK)
		n = CHUNK;
	conn_post(client, io->write ? FABRIC_OP_WRITE : FABRIC_OP_READ, io->buf, io->addr,
		  (uint32_t)n, e->rkey, e->addr + (off - e->r.offset));
	return (ssize_t)n;
}

/* Assumes: conn locked, lease in flight.  Everything posted is drained on return. */
static int slice_run(struct io io, struct iopmem_err *err)
{
	struct iopmem_file *file = io.lease->file;
	struct iopmem_client *client = file->client;
	const char *what = io.write ? "write" : "read";
	uint64_t at = io.offset, end;
	int ret, first = 0;
	struct extent e;
	ssize_t n;

	while (io.len && !first && !client->conn.error) {
		switch (locate(&io, &e, &end)) {
		case WHERE_ZERO:
			memset(io.addr, 0, end - io.offset);
			advance(&io, end - io.offset);
			break;
		case WHERE_GONE:
			first = -ESTALE;
			break;
		case WHERE_MEMORY:
			n = move(&io, &e, end - io.offset);
			if (n < 0)
				first = (int)n;
			else
				advance(&io, (size_t)n);
			break;
		}
	}
	ret = conn_drain(client);
	if (first)
		ret = first;
	if (ret == -EACCES)	/* fenced: the event that says so is on its way */
		return err_msg(err, ESTALE, "%s '%s' at %llu: the server has taken the key back",
			       what, file->path, (unsigned long long)at);
	if (ret)
		return err_set(err, -ret, "%s '%s' at %llu", what, file->path,
			       (unsigned long long)at);
	return 0;
}

static int slice(const struct io *io, size_t n, struct iopmem_err *err)
{
	struct iopmem_client *client = io->lease->file->client;
	struct io part = *io;
	struct iopmem_err cause = { 0 };
	int ret;

	part.len = n;
	ret = slice_begin(io->lease, err);
	if (ret)
		return ret;
	conn_lock(client);
	ret = conn_ensure(client, &client->control, &cause);
	if (!ret)
		ret = slice_run(part, &cause);
	conn_unlock(client);
	slice_end(io->lease, io->write && !ret,
		  (struct range){ io->offset, io->offset + n });
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

static bool in_buf(const struct iopmem_buf *buf, const void *addr, size_t len)
{
	uintptr_t start = (uintptr_t)buf->addr, first = (uintptr_t)addr;

	return first >= start && first - start <= buf->len && len <= buf->len - (first - start);
}

static ssize_t transfer(struct iopmem_lease *lease, struct iopmem_buf *buf, void *addr,
			size_t len, uint64_t offset, bool write, struct iopmem_err *err)
{
	struct io io = { lease, buf, write, addr, offset, len };
	const char *what = write ? "write" : "read";
	int ret;

	if (!lease || !buf || !addr || len > SSIZE_MAX || buf->client != lease->file->client)
		return err_msg(err, EINVAL, "%s: invalid argument", what);
	if (write && !lease->rw)
		return err_msg(err, EBADF, "write '%s': the lease is for reading",
			       lease->file->path);
	if (!len)
		return 0;
	if (!in_buf(buf, addr, len))
		return err_msg(err, ERANGE, "%s '%s': outside the buffer", what, lease->file->path);
	if (offset < lease->range.offset || offset > lease->range.end ||
	    len > lease->range.end - offset)
		return err_msg(err, ERANGE, "%s '%s': [%llu, +%zu) is outside the lease", what,
			       lease->file->path, (unsigned long long)offset, len);
	ret = session_validate(lease->file->client, err);
	while (!ret && io.len) {
		size_t n = io.len < SLICE ? io.len : SLICE;

		ret = slice(&io, n, err);
		if (!ret)
			advance(&io, n);
	}
	return ret ? ret : (ssize_t)len;
}

ssize_t iopmem_write(struct iopmem_lease *lease, struct iopmem_buf *buf, const void *addr,
		     size_t len, uint64_t offset, struct iopmem_err *err)
{
	union { const void *in; void *io; } p = { .in = addr };	/* only read from */

	return transfer(lease, buf, p.io, len, offset, true, err);
}

ssize_t iopmem_read(struct iopmem_lease *lease, struct iopmem_buf *buf, void *addr,
		    size_t len, uint64_t offset, struct iopmem_err *err)
{
	return transfer(lease, buf, addr, len, offset, false, err);
}
