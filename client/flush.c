// SPDX-License-Identifier: BSD-3-Clause
/* Flush: a one-sided read of the last bytes written in each segment. */
#include <errno.h>

#include "client.h"

#define FLUSH_BYTES 8

/* One read: the last bytes of @r, which lies in @e. */
static void flush_one(struct iopmem_client *client, struct conn_wait *w, const struct extent *e,
		      struct range r, unsigned int slot)
{
	uint64_t align = client->conn.io_align;
	uint64_t bytes = align > FLUSH_BYTES ? align : FLUSH_BYTES;
	uint64_t end = round_up_sat(r.end, align), start;
	size_t room = (CONN_SCRATCH - CONN_FLUSH_AT) / bytes;
	struct conn_op op = { .op = FABRIC_OP_READ, .buf = &client->conn.scratch,
			      .rkey = e->rkey, .urgent = true };

	if (end > e->r.end)
		end = e->r.end;
	start = end - e->r.offset < bytes ? e->r.offset : end - bytes;
	op.addr = (uint8_t *)client->conn.scratch.addr + CONN_FLUSH_AT + (slot % room) * bytes;
	op.len = (uint32_t)(end - start);
	op.raddr = e->addr + (start - e->r.offset);
	conn_post_wait(client, w, &op);
}

/* The RW segment that holds @offset. */
static bool next_segment(struct file *file, uint64_t offset, struct extent *e)
{
	const struct extent *found;

	pthread_mutex_lock(&file->lock);
	found = extent_map_find(&file->maps[1], offset);
	if (found)
		*e = *found;
	pthread_mutex_unlock(&file->lock);
	return found != NULL;
}

/*
 * One read for each segment, of the last bytes that were written there: what was placed
 * before over this connection is pushed ahead of it.  Data written over an earlier connection
 * that broke: its completions were taken, so the bytes had reached the server's adapter; a
 * read through the new connection goes to memory behind them all the same.
 */
int flush_ranges(struct file *file, const struct range *ranges, size_t n, struct iopmem_err *err)
{
	struct iopmem_client *client = file->client;
	struct conn_wait w = { 0 };
	unsigned int slot = 0;
	struct range r, last;
	struct extent e;
	size_t i = 0;
	int ret;

	if (n)
		r = ranges[0];
	while (i < n) {
		if (!next_segment(file, r.offset, &e)) {
			conn_drain(client, &w);
			return err_msg(err, ESTALE, "flush '%s': layout is gone", file->path);
		}
		do {	/* ranges ascend: the last one in the segment */
			last = range_intersect(r, e.r);
			r.offset = last.end;
			if (range_empty(r) && ++i < n)
				r = ranges[i];
		} while (i < n && r.offset < e.r.end && r.offset >= e.r.offset);
		flush_one(client, &w, &e, last, slot++);
	}
	ret = conn_drain(client, &w);
	return ret ? err_set(err, -ret, "flush '%s'", file->path) : 0;
}
