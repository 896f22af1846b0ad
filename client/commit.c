// SPDX-License-Identifier: BSD-3-Clause
/* Commit of one lease, or of all of a file's: flush, then LAYOUTCOMMIT where one is needed. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client.h"
#include "layout.h"

#define RECALLS_MAX 100	/* of one sync */

struct commit {
	struct file *file;
	struct iopmem_lease *only;	/* NULL: all */
	struct range *ranges;		/* bytes written; ascending */
	size_t n;
	int level;			/* of what was committed before */
	struct layout_return wire;	/* ranges and size as they are sent */
};

static bool concerns(const struct commit *c, const struct iopmem_lease *l)
{
	return (!c->only || c->only == l) && l->state == LEASE_ACTIVE;
}

static int by_offset(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Takes what is DIRTY.  0, or -ENOMEM with nothing taken. */
static int gather(struct commit *c)
{
	struct iopmem_lease *l;
	size_t i, max = 0;

	for (l = c->file->leases; l; l = l->next)
		if (concerns(c, l))
			max += l->written.n;
	c->ranges = calloc(max + 1, sizeof(*c->ranges));
	if (!c->ranges)
		return -ENOMEM;
	for (l = c->file->leases; l; l = l->next) {
		if (!concerns(c, l))
			continue;
		if (!written_begin(&l->written))
			continue;
		l->commit = c;
		l->inflight++;		/* a recall waits for the flush, not for the commit */
		c->file->inflight++;
		for (i = 0; i < l->written.n; i++)
			c->ranges[c->n++] = l->written.v[i].r;
	}
	qsort(c->ranges, c->n, sizeof(*c->ranges), by_offset);
	return 0;
}

static bool recalled(const struct commit *c)
{
	const struct iopmem_lease *l;

	for (l = c->file->leases; l; l = l->next)
		if (l->commit == c && l->state != LEASE_ACTIVE)
			return true;
	return false;
}

/* Flushes what was gathered.  Drops and takes file->lock. */
static int flush_phase(struct commit *c, struct iopmem_err *err)
{
	struct file *file = c->file;
	struct iopmem_client *client = file->client;
	struct iopmem_lease *l;
	int ret;

	pthread_mutex_unlock(&file->lock);
	ret = session_validate(client, err);
	conn_lock(client);
	if (!ret)
		ret = conn_ensure(client, &client->control, err);
	if (!ret)
		ret = flush_ranges(file, c->ranges, c->n, err);
	conn_unlock(client);
	pthread_mutex_lock(&file->lock);
	for (l = file->leases; l; l = l->next) {
		if (l->commit != c)
			continue;
		l->inflight--;
		file->inflight--;
	}
	pthread_cond_broadcast(&file->cond);
	return ret;
}

/* One LAYOUTCOMMIT; -EAGAIN: again.  Drops and takes file->lock. */
static int send_commit(struct commit *c, struct iopmem_err *err)
{
	struct file *file = c->file;
	iopmem_wire_range ranges[IOPMEM_RANGES_MAX];
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
	if (!status && !recalled(c))
		file->size = res.iopmem_layoutcommit_res_u.ok.size;
	session_free(&op);
	if (!status)
		return 0;
	if (status_is_retry(status) || status == IOPMEM_OLD_STATEID)
		return -EAGAIN;
	return err_msg(err, -status_to_errno(status), "commit '%s': %s", file->path,
		       status_text(status));
}

/* c->wire: the next of c->ranges from @at on, rounded out; returns where they end. */
static size_t fill_wire(struct commit *c, size_t at)
{
	uint64_t granule = c->file->client->conn.granule, top = 0;
	struct range *last, r;

	c->wire.n = 0;
	for (; at < c->n; at++) {
		r = range_round_out(c->ranges[at], granule);
		last = c->wire.n ? &c->wire.ranges[c->wire.n - 1] : NULL;
		if (last && last->end >= r.offset)
			last->end = r.end > last->end ? r.end : last->end;
		else if (c->wire.n < IOPMEM_RANGES_MAX)
			c->wire.ranges[c->wire.n++] = r;
		else
			break;
		if (c->ranges[at].end > top)
			top = c->ranges[at].end;
	}
	c->wire.new_size = top > c->file->size ? top : 0;
	return at;
}

/* Drops and takes file->lock. */
static int commit_phase(struct commit *c, struct iopmem_err *err)
{
	struct file *file = c->file;
	uint64_t until = clock_ms() + file->client->timeout_ms;
	struct backoff backoff = { 0 };
	size_t at = 0, next;
	int ret;

	while (at < c->n) {
		/* From a recall on, the return carries the commit. */
		if (recalled(c))
			return -ESTALE;
		next = fill_wire(c, at);
		ret = send_commit(c, err);
		if (!ret) {
			at = next;
		} else if (ret != -EAGAIN) {
			return ret;
		} else if (clock_ms() >= until) {
			return err_set(err, EAGAIN, "commit '%s'", file->path);
		} else {
			pthread_mutex_unlock(&file->lock);
			backoff_sleep(&backoff);
			pthread_mutex_lock(&file->lock);
		}
	}
	return 0;
}

static void release(struct commit *c, bool ok, int level)
{
	struct iopmem_lease *l;

	for (l = c->file->leases; l; l = l->next) {
		if (l->commit != c)
			continue;
		written_end(&l->written, ok);
		l->commit = NULL;
		if (ok && l->state == LEASE_ACTIVE)
			l->level = level;
	}
	if (ok && level < c->file->level)
		c->file->level = level;
	pthread_cond_broadcast(&c->file->cond);
}

/* Assumes: file->lock; nobody else commits what this one concerns. */
static int commit_written(struct commit *c, struct iopmem_err *err)
{
	struct file *file = c->file;
	bool needed = false;
	int ret, level;
	size_t i;

	c->n = 0;
	c->level = c->only ? c->only->level : file->level;
	ret = gather(c);
	if (ret)
		return err_set(err, ENOMEM, "commit '%s'", file->path);
	if (!c->n)
		return c->level;
	ret = flush_phase(c, err);
	for (i = 0; !ret && i < c->n; i++)
		needed |= layout_needs_commit(file, c->ranges[i]);
	level = needed || file->client->conn.durable ? IOPMEM_LEVEL_POWER_LOSS :
						       IOPMEM_LEVEL_SERVER_DEATH;
	if (!ret && needed)
		ret = commit_phase(c, err);
	release(c, !ret, level);
	return ret ? ret : level;
}

/* Waits until nobody commits what @c concerns, and no segment is being replaced. */
static void wait_turn(struct commit *c)
{
	struct iopmem_lease *l;

again:
	for (l = c->file->leases; l; l = l->next) {
		if (!concerns(c, l) || (!l->commit && !c->file->gate))
			continue;
		pthread_cond_wait(&c->file->cond, &c->file->lock);
		goto again;
	}
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

int commit_lease(struct iopmem_lease *lease, struct iopmem_err *err)
{
	struct file *file = lease->file;
	struct iopmem_err cause = { 0 };
	struct commit *c;
	int ret = 0;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, ENOMEM, "commit '%s'", file->path);
	c->file = file;
	c->only = lease;
	pthread_mutex_lock(&file->lock);
	wait_turn(c);
	if (lease->state == LEASE_ACTIVE) {
		ret = commit_written(c, &cause);
		if (ret < 0 && lease->state == LEASE_ACTIVE && err && !err->code)
			*err = cause;
	}
	if (lease->state != LEASE_ACTIVE)
		ret = outcome(lease, err);
	pthread_mutex_unlock(&file->lock);
	free(c->ranges);
	free(c);
	return ret;
}

/*
 * Waits for recalls in progress.  True: something was lost and not told yet, other than under
 * the leases of another handle.
 */
static bool any_lost(struct file *file, const struct iopmem_file *handle)
{
	struct iopmem_lease *l;

	while (file->recalls)
		pthread_cond_wait(&file->cond, &file->lock);
	for (l = file->leases; l; l = l->next)
		if (l->lost.n && (!handle || !l->handle || l->handle == handle))
			return true;
	return file->lost.n;
}

int commit_file(struct file *file, const struct iopmem_file *handle, struct iopmem_err *err)
{
	struct iopmem_err cause = { 0 };
	unsigned int recalls = 0;
	struct commit *c;
	int ret;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, ENOMEM, "sync '%s'", file->path);
	c->file = file;
	pthread_mutex_lock(&file->lock);
	do {	/* what a recall takes meanwhile it commits itself; the rest again */
		free(c->ranges);
		c->ranges = NULL;
		cause.code = 0;
		wait_turn(c);
		ret = commit_written(c, &cause);
	} while (ret == -ESTALE && !file->stale && recalls++ < RECALLS_MAX);
	if (ret > file->level)
		ret = file->level;
	if (any_lost(file, handle) && (ret > 0 || ret == -ESTALE)) {
		ret = file->lost_error ? file->lost_error : -ESTALE;
		err_msg(err, -ret, "sync '%s': bytes that were written are lost", file->path);
	} else if (ret < 0 && err && !err->code) {
		*err = cause;
	}
	pthread_mutex_unlock(&file->lock);
	free(c->ranges);
	free(c);
	return ret;
}

int iopmem_commit(struct iopmem_lease *lease, struct iopmem_err *err)
{
	if (!lease)
		return err_msg(err, EINVAL, "commit: no lease");
	return commit_lease(lease, err);
}
