// SPDX-License-Identifier: BSD-3-Clause
/*
 * Commit: flush (a one-sided read of the last bytes written in each segment), then
 * LAYOUTCOMMIT where one is needed.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client.h"
#include "layout.h"

#define FLUSH_BYTES 8

/* One read: the last bytes of @r, which lies in @e. */
static void flush_one(struct iopmem_client *client, const struct extent *e, struct range r,
		      unsigned int slot)
{
	uint64_t align = client->conn.io_align;
	uint64_t bytes = align > FLUSH_BYTES ? align : FLUSH_BYTES;
	uint64_t end = round_up_sat(r.end, align), start;
	size_t room = CONN_SCRATCH / bytes;

	if (end > e->r.end)
		end = e->r.end;
	start = end - e->r.offset < bytes ? e->r.offset : end - bytes;
	conn_post(client, FABRIC_OP_READ, &client->conn.scratch,
		  (uint8_t *)client->conn.scratch.addr + (slot % room) * bytes,
		  (uint32_t)(end - start), e->rkey, e->addr + (start - e->r.offset));
}

/*
 * Data written over an earlier connection that broke: its completions were taken, so
 * the bytes had reached the server's adapter; a read through the new connection goes
 * to memory behind them all the same.
 */
int commit_flush(struct iopmem_file *file, struct rpc_channel *ch, bool rw_map,
		 const struct range *ranges, size_t n, struct iopmem_err *err)
{
	struct iopmem_client *client = file->client;
	unsigned int slot = 0;
	size_t i;
	int ret;

	(void)ch;
	for (i = 0; i < n; i++) {
		struct range r = ranges[i];

		while (!range_empty(r)) {
			const struct extent *found;
			struct extent e;

			pthread_mutex_lock(&file->lock);
			found = extent_map_find(&file->maps[rw_map], r.offset);
			if (found)
				e = *found;
			pthread_mutex_unlock(&file->lock);
			if (!found) {
				conn_drain(client);
				return err_msg(err, ESTALE, "flush '%s': layout is gone",
					       file->path);
			}
			flush_one(client, &e, range_intersect(r, e.r), slot++);
			r.offset = e.r.end;
		}
	}
	ret = conn_drain(client);
	return ret ? err_set(err, -ret, "flush '%s'", file->path) : 0;
}

/* ---- iopmem_commit() ---- */

struct commit {
	struct iopmem_lease *lease;
	struct range ranges[WRITTEN_MAX];	/* bytes written */
	size_t n;
	struct layout_return wire;		/* ranges and size as they are sent */
};

/* Flushes what is COMMITTING.  Drops and takes file->lock. */
static int flush_phase(struct commit *c, struct iopmem_err *err)
{
	struct iopmem_lease *lease = c->lease;
	struct iopmem_file *file = lease->file;
	struct iopmem_client *client = file->client;
	int ret;

	lease->inflight++;
	file->inflight++;
	pthread_mutex_unlock(&file->lock);
	conn_lock(client);
	ret = conn_ensure(client, &client->control, err);
	if (!ret)
		ret = commit_flush(file, &client->control, true, c->ranges, c->n, err);
	conn_unlock(client);
	pthread_mutex_lock(&file->lock);
	lease->inflight--;
	file->inflight--;
	pthread_cond_broadcast(&file->cond);
	return ret;
}

/* One LAYOUTCOMMIT; -EAGAIN: again.  Drops and takes file->lock. */
static int send_commit(struct commit *c, struct iopmem_err *err)
{
	struct iopmem_file *file = c->lease->file;
	iopmem_wire_range ranges[WRITTEN_MAX];
	iopmem_layoutcommit_args args = {
		.stateid = file->layout,
		.commit = { { (u_int)c->wire.n, ranges }, c->wire.new_size },
	};
	iopmem_layoutcommit_res res;
	struct session_op op = SESSION_OP(LAYOUTCOMMIT, layoutcommit_args, layoutcommit_res,
					  &args, &res, file->generation, SESSION_ONCE);
	struct iopmem_err cause = { 0 };
	unsigned int status = 0;
	size_t i;
	int ret;

	for (i = 0; i < c->wire.n; i++)
		ranges[i] = (iopmem_wire_range){ c->wire.ranges[i].offset,
						 range_len(c->wire.ranges[i]) };
	pthread_mutex_unlock(&file->lock);
	ret = session_call(file->client, &file->client->main, &op, &status, &cause);
	pthread_mutex_lock(&file->lock);
	if (ret)
		return err_msg(err, -ret, "commit '%s': %.200s", file->path, cause.text);
	if (!status && c->lease->state == LEASE_ACTIVE)
		file->size = res.iopmem_layoutcommit_res_u.ok.size;
	session_free(&op);
	if (!status)
		return 0;
	if (status_is_retry(status) || status == IOPMEM_OLD_STATEID)
		return -EAGAIN;
	return err_msg(err, -status_to_errno(status), "commit '%s': %s", file->path,
		       status_text(status));
}

/* Drops and takes file->lock. */
static int commit_phase(struct commit *c, struct iopmem_err *err)
{
	struct iopmem_lease *lease = c->lease;
	struct iopmem_file *file = lease->file;
	uint64_t until = clock_ms() + file->client->timeout_ms;
	struct backoff backoff = { 0 };
	struct written w = { 0 };
	size_t i;
	int ret = -EAGAIN;

	for (i = 0; i < c->n; i++)
		written_add(&w, c->ranges[i]);
	layout_commit_ranges(file, &w, &c->wire);
	c->wire.new_size = written_top(&w) > file->size ? written_top(&w) : 0;
	/* From a recall on, the return carries the commit. */
	while (lease->state == LEASE_ACTIVE) {
		ret = send_commit(c, err);
		if (ret != -EAGAIN)
			return ret;
		if (clock_ms() >= until)
			return err_set(err, EAGAIN, "commit '%s'", file->path);
		pthread_mutex_unlock(&file->lock);
		backoff_sleep(&backoff);
		pthread_mutex_lock(&file->lock);
	}
	return -ESTALE;
}

/* The lease was recalled or revoked.  Assumes: file->lock. */
static int outcome(struct iopmem_lease *lease, struct iopmem_err *err)
{
	while (lease->state == LEASE_RECALLED)
		pthread_cond_wait(&lease->file->cond, &lease->file->lock);
	if (lease->state == LEASE_RETURNED && !lease->lost.n)
		return lease->level;
	return lease_check(lease, err);
}

/* Assumes: file->lock, lease active, not committing. */
static int commit_written(struct commit *c, struct iopmem_err *err)
{
	struct iopmem_lease *lease = c->lease;
	struct iopmem_file *file = lease->file;
	bool needed = false;
	int ret, level;
	size_t i;

	if (!written_begin(&lease->written))
		return lease->level;
	c->n = lease->written.n;
	for (i = 0; i < c->n; i++)
		c->ranges[i] = lease->written.v[i].r;
	ret = flush_phase(c, err);
	for (i = 0; !ret && i < c->n; i++)
		needed |= layout_needs_commit(file, c->ranges[i]);
	level = needed || file->client->conn.durable ? IOPMEM_LEVEL_POWER_LOSS :
						       IOPMEM_LEVEL_SERVER_DEATH;
	if (!ret && needed)
		ret = commit_phase(c, err);
	written_end(&lease->written, !ret);
	if (!ret && lease->state == LEASE_ACTIVE)
		lease->level = level;
	return ret ? ret : level;
}

int commit_lease(struct iopmem_lease *lease, struct iopmem_err *err)
{
	struct iopmem_file *file = lease->file;
	struct iopmem_err cause = { 0 };
	struct commit *c;
	int ret = 0;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, ENOMEM, "commit '%s'", file->path);
	c->lease = lease;
	pthread_mutex_lock(&file->lock);
	while (lease->state == LEASE_ACTIVE && (lease->committing || file->gate))
		pthread_cond_wait(&file->cond, &file->lock);
	if (lease->state == LEASE_ACTIVE) {
		lease->committing = true;
		ret = commit_written(c, &cause);
		lease->committing = false;
		pthread_cond_broadcast(&file->cond);
		if (ret < 0 && lease->state == LEASE_ACTIVE && err && !err->code)
			*err = cause;
	}
	if (lease->state != LEASE_ACTIVE)
		ret = outcome(lease, err);
	pthread_mutex_unlock(&file->lock);
	free(c);
	return ret;
}

int iopmem_commit(struct iopmem_lease *lease, struct iopmem_err *err)
{
	if (!lease)
		return err_msg(err, EINVAL, "commit: no lease");
	return commit_lease(lease, err);
}
