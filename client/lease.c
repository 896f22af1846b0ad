// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client.h"
#include "cover.h"
#include "layout.h"
#include "status.h"

/* ---- loss (file->lock held) ---- */

/*
 * The keys of @r are dead.  What was written there and not committed is lost; the
 * lease is over as a whole, so what it has written elsewhere is lost with it.
 */
void lease_lose(struct iopmem_lease *lease, struct range r)
{
	size_t i;

	if (lease->state == LEASE_RETURNED || lease->state == LEASE_LOST ||
	    !range_overlaps(lease->wire, r))
		return;
	for (i = 0; i < lease->written.n; i++)
		written_add(&lease->lost, lease->written.v[i].r);
	lease->written.n = 0;
	lease->state = LEASE_LOST;
	pthread_cond_broadcast(&lease->file->cond);
}

void file_lose(struct file *file, struct range r)
{
	struct iopmem_lease *l;

	for (l = file->leases; l; l = l->next)
		lease_lose(l, r);
	extent_map_remove(&file->maps[0], r);
	extent_map_remove(&file->maps[1], r);
	pthread_cond_broadcast(&file->cond);
}

void file_uncovered(struct file *file)
{
	pthread_mutex_unlock(&file->lock);
	cover_tell(file->client, IOPMEM_COVER_NONE, file->fileid,
		     (struct range){ 0, UINT64_MAX });
	pthread_mutex_lock(&file->lock);
}

int lease_check(const struct iopmem_lease *lease, struct iopmem_err *err)
{
	const char *why;

	switch (lease->state) {
	case LEASE_ACTIVE:
		return 0;
	case LEASE_LOST:
		why = "revoked";
		break;
	default:
		why = "recalled";
		break;
	}
	return err_msg(err, ESTALE, "lease [%llu, %llu) of '%s' was %s",
		       (unsigned long long)lease->range.offset,
		       (unsigned long long)lease->range.end, lease->file->path, why);
}

/* ---- taking ---- */

/* The fabric first: a server that registers for a peer wants it connected. */
static int connect_fabric(struct iopmem_client *client, struct iopmem_err *err)
{
	int ret;

	conn_lock(client);
	ret = conn_ensure(client, &client->control, err);
	conn_unlock(client);
	return ret;
}

/* A READ lease past the size we know: somebody may have grown the file. */
static int refresh_size(struct file *file, struct iopmem_err *err)
{
	struct iopmem_stat st;
	int ret;

	ret = file_getattr(file, &st, err);
	if (ret)
		return ret;
	pthread_mutex_lock(&file->lock);
	file->size = st.size;
	pthread_mutex_unlock(&file->lock);
	return 0;
}

/* Asks until all of @lease is held.  Drops and takes file->lock. */
static int acquire(struct iopmem_lease *lease, uint64_t until_ms, struct iopmem_err *err)
{
	struct file *file = lease->file;
	struct backoff backoff = { 0 };
	struct range gap;
	int ret;

	for (;;) {
		bool had;

		ret = file_ensure(file, err);
		if (ret)
			return ret;
		if (!layout_begin(file, until_ms))
			break;
		if (layout_covers(file, lease, &gap)) {
			layout_end(file);
			return 0;
		}
		had = file->layout_present;
		ret = layout_get(file, gap, lease->rw, err);
		layout_end(file);
		if (had && !file->layout_present)	/* fenced, as the answer says */
			file_uncovered(file);
		if (!ret) {
			backoff.ms = 0;
			continue;
		}
		if (ret == -ENODATA && gap.offset < file->size) {
			/* Nothing is there: somebody may have cut the file. */
			pthread_mutex_unlock(&file->lock);
			ret = refresh_size(file, err);
			pthread_mutex_lock(&file->lock);
			if (ret)
				return ret;
			ret = -ENODATA;
		}
		if (ret == -ENODATA && gap.offset >= file->size)
			continue;
		if (ret != -EAGAIN && ret != -ENODATA)
			return ret;
		if (clock_ms() >= until_ms)
			break;
		pthread_mutex_unlock(&file->lock);
		backoff_sleep(&backoff);
		pthread_mutex_lock(&file->lock);
	}
	return err_set(err, ETIMEDOUT, "lease [%llu, %llu) of '%s': %s",
		       (unsigned long long)lease->range.offset,
		       (unsigned long long)lease->range.end, file->path,
		       file->refusal ? status_text(file->refusal) : "another call of this client lasts");
}

/* ---- giving back ---- */

/* First part of @r that no other lease needs. */
static bool unused_part(const struct iopmem_lease *lease, struct range *r)
{
	const struct iopmem_lease *l;
	bool moved;

	do {
		moved = false;
		for (l = lease->file->leases; l; l = l->next) {
			if (l == lease || l->state > LEASE_RECALLED ||
			    !range_overlaps(l->wire, *r))
				continue;
			if (l->wire.offset <= r->offset) {
				r->offset = l->wire.end;
				moved = true;
			} else {
				r->end = l->wire.offset;
			}
			if (range_empty(*r))
				break;
		}
	} while (moved && !range_empty(*r));
	return !range_empty(*r);
}

/* Gives back what of @lease's range is held for nobody else. */
static int give_back(struct iopmem_lease *lease, struct iopmem_err *err)
{
	struct file *file = lease->file;
	struct range rest = lease->wire, held, part;
	struct layout_return *lr;
	int ret = 0, one;

	lr = calloc(1, sizeof(*lr));
	if (!lr)
		return err_set(err, ENOMEM, "return lease of '%s'", file->path);
	while (!range_empty(rest) && !file->stale && file->layout_present) {
		part = rest;
		if (!unused_part(lease, &part)) {
			if (part.offset >= rest.end)
				break;
			rest.offset = part.offset > rest.offset ? part.offset : rest.end;
			continue;
		}
		rest.offset = part.end;
		if (!extent_map_next(&file->maps[0], part, &held) &&
		    !extent_map_next(&file->maps[1], part, &held))
			continue;
		lr->r = part;
		one = layout_return(file, &file->client->main, lr, ret ? NULL : err);
		ret = ret ? ret : one;
	}
	free(lr);
	return ret;
}

static void unlink_lease(struct iopmem_lease *lease)
{
	struct iopmem_lease **p = &lease->file->leases;

	while (*p && *p != lease)
		p = &(*p)->next;
	if (*p)
		*p = lease->next;
}

int lease_end(struct iopmem_lease *lease, struct iopmem_err *err)
{
	struct file *file = lease->file;
	int ret = 0;

	while (lease->state == LEASE_RECALLED || lease->inflight)
		pthread_cond_wait(&file->cond, &file->lock);
	if (lease->state != LEASE_LOST)
		lease->state = LEASE_RETURNED;
	layout_begin(file, UINT64_MAX);
	ret = give_back(lease, err);
	unlink_lease(lease);
	layout_end(file);
	pthread_mutex_unlock(&file->lock);
	free(lease);
	return ret;
}

int lease_take(struct file *file, struct range r, bool rw, uint64_t until_ms,
	       struct iopmem_lease **lease, struct iopmem_err *err)
{
	struct iopmem_lease *l;
	int ret;

	ret = connect_fabric(file->client, err);
	if (ret)
		return ret;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(err, ENOMEM, "lease '%s'", file->path);
	l->file = file;
	l->range = r;
	l->wire = range_round_out(r, file->client->conn.granule);
	l->rw = rw;
	l->level = file->client->conn.durable ? IOPMEM_LEVEL_POWER_LOSS :
						IOPMEM_LEVEL_SERVER_DEATH;
	if (!rw) {
		ret = refresh_size(file, err);
		if (ret) {
			free(l);
			return ret;
		}
	}
	pthread_mutex_lock(&file->lock);
	ret = acquire(l, until_ms, err);
	if (ret) {
		lease_end(l, NULL);
		return ret;
	}
	l->next = file->leases;
	file->leases = l;
	pthread_mutex_unlock(&file->lock);
	*lease = l;
	return 0;
}

/* ---- public ---- */

int iopmem_lease(struct iopmem_file *file, uint64_t offset, uint64_t length,
		 int mode, uint32_t timeout_ms, struct iopmem_lease **lease,
		 struct iopmem_err *err)
{
	struct range r;
	int ret;

	if (!file || !lease || (mode != IOPMEM_LEASE_READ && mode != IOPMEM_LEASE_RW) ||
	    !range_make(offset, length, &r) ||
	    (mode == IOPMEM_LEASE_RW && r.end > INT64_MAX))
		return err_msg(err, EINVAL, "lease: invalid argument");
	if (mode == IOPMEM_LEASE_RW && !file->writable)
		return err_msg(err, EBADF, "lease '%s' for writing: it is open read-only",
			       file->file->path);
	if (!timeout_ms)
		timeout_ms = 2 * file->file->client->session.lease_ms;
	ret = lease_take(file->file, r, mode == IOPMEM_LEASE_RW, clock_ms() + timeout_ms, lease,
			 err);
	if (!ret)
		(*lease)->handle = file;
	return ret;
}

size_t iopmem_lease_lost(struct iopmem_lease *lease, struct iopmem_range *ranges, size_t n)
{
	size_t i, count;

	if (!lease)
		return 0;
	pthread_mutex_lock(&lease->file->lock);
	while (lease->state == LEASE_RECALLED)	/* not known yet */
		pthread_cond_wait(&lease->file->cond, &lease->file->lock);
	count = lease->lost.n;
	for (i = 0; ranges && i < count && i < n; i++) {
		ranges[i].offset = lease->lost.v[i].r.offset;
		ranges[i].length = range_len(lease->lost.v[i].r);
	}
	pthread_mutex_unlock(&lease->file->lock);
	return count;
}

int iopmem_return(struct iopmem_lease *lease, struct iopmem_err *err)
{
	struct file *file;
	int ret, ret2;

	if (!lease)
		return err_msg(err, EINVAL, "return: no lease");
	file = lease->file;
	ret = commit_lease(lease, err);
	if (ret > 0)
		ret = 0;
	pthread_mutex_lock(&file->lock);
	/* A lease that was recalled with everything committed is a success. */
	if (ret == -ESTALE && lease->state == LEASE_RETURNED && !lease->lost.n)
		ret = 0;
	ret2 = lease_end(lease, ret ? NULL : err);
	return ret ? ret : ret2;
}
