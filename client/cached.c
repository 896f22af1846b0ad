// SPDX-License-Identifier: BSD-3-Clause
#include "cached.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cover.h"
#include "layout.h"

#define AHEAD_MIN (1ULL << 20)
#define AHEAD_MAX (64ULL << 20)
#define CALM_AFTER 64		/* leases without a conflict until something is taken ahead again */

/* ---- ending them ---- */

/* What it has lost is the file's to tell.  Assumes: file->lock. */
static void inherit(struct iopmem_lease *l, int error)
{
	struct file *file = l->file;
	size_t i;

	for (i = 0; i < l->lost.n; i++)
		written_add(&file->lost, l->lost.v[i].r);
	for (i = 0; i < l->written.n; i++)
		written_add(&file->lost, l->written.v[i].r);
	if (file->lost.n && !file->lost_error)
		file->lost_error = error ? error : -ESTALE;
	l->lost.n = l->written.n = 0;
}

/*
 * While it is told of, I/O goes on under @l; from then on callers take another lease, over the
 * same segments, which stay held for that one.  Assumes: pinned by the caller.
 */
static int drop(struct iopmem_lease *l, struct iopmem_err *err)
{
	struct file *file = l->file;
	struct iopmem_client *client = file->client;
	struct range r = l->wire;
	int ret, ret2;
	bool tell, lost;

	client->cached -= range_len(r);
	pthread_mutex_lock(&file->lock);
	tell = l->state == LEASE_ACTIVE && !l->told;	/* else a recall does */
	l->told = true;
	l->telling = tell;
	pthread_mutex_unlock(&file->lock);
	if (tell)
		cover_tell(client, IOPMEM_COVER_ENDS, file->fileid, r);
	pthread_mutex_lock(&file->lock);
	l->telling = false;
	l->ending = true;
	pthread_cond_broadcast(&file->cond);
	/* Who found it while it was told: what they write is committed, and then it is freed. */
	while (l->users > 1)
		pthread_cond_wait(&file->cond, &file->lock);
	pthread_mutex_unlock(&file->lock);
	ret = l->rw ? commit_lease(l, err) : 0;
	pthread_mutex_lock(&file->lock);
	if (ret == -ESTALE && l->state == LEASE_RETURNED && !l->lost.n)
		ret = 0;
	inherit(l, ret < 0 ? ret : 0);
	lost = l->state == LEASE_LOST;
	ret2 = lease_end(l, ret < 0 ? NULL : err);
	pthread_mutex_lock(&file->lock);
	pthread_cond_broadcast(&file->cond);
	pthread_mutex_unlock(&file->lock);
	if (tell)
		cover_tell(client, IOPMEM_COVER_ENDED, file->fileid, r);
	else if (lost)
		cover_tell(client, IOPMEM_COVER_NONE, file->fileid, r);
	return ret < 0 ? ret : ret2;
}

/* An unused one that has ended, or any with @all; pinned.  Assumes: file->lock. */
static struct iopmem_lease *pick(struct file *file, bool all)
{
	struct iopmem_lease *l;

	for (l = file->leases; l; l = l->next) {
		if (!l->cached || l->users || l->state == LEASE_RECALLED ||
		    (!all && l->state == LEASE_ACTIVE))
			continue;
		if (l->state != LEASE_ACTIVE)
			file->contended = CALM_AFTER;
		l->users++;
		return l;
	}
	return NULL;
}

int cached_return(struct file *file, struct iopmem_err *err)
{
	struct iopmem_lease *l;
	int ret = 0, one;

	pthread_mutex_lock(&file->lock);
	while ((l = pick(file, true))) {
		pthread_mutex_unlock(&file->lock);
		one = drop(l, ret ? NULL : err);
		ret = ret ? ret : one;
		pthread_mutex_lock(&file->lock);
	}
	pthread_mutex_unlock(&file->lock);
	return ret;
}

void cached_settle(struct file *file)
{
	struct iopmem_lease *l;

	pthread_mutex_lock(&file->lock);
	while ((l = pick(file, false))) {
		pthread_mutex_unlock(&file->lock);
		drop(l, NULL);
		pthread_mutex_lock(&file->lock);
	}
	pthread_mutex_unlock(&file->lock);
}

/* The least used of all idle ones (UINT64_MAX: none); pins the one that was used at @pin. */
static uint64_t look(struct iopmem_client *client, uint64_t pin, struct iopmem_lease **pinned)
{
	uint64_t first = UINT64_MAX;
	struct iopmem_lease *l;
	struct file *f;

	for (f = client->files; f; f = f->next) {
		pthread_mutex_lock(&f->lock);
		for (l = f->leases; l; l = l->next) {
			if (!l->cached || l->users || l->state != LEASE_ACTIVE)
				continue;
			if (l->used < first)
				first = l->used;
			if (l->used != pin || *pinned)
				continue;
			l->users++;
			f->refs++;
			*pinned = l;
		}
		pthread_mutex_unlock(&f->lock);
	}
	return first;
}

/* The one of all files that was used longest ago, pinned with its file. */
static struct iopmem_lease *oldest(struct iopmem_client *client)
{
	struct iopmem_lease *l = NULL;

	pthread_mutex_lock(&client->lock);
	look(client, look(client, UINT64_MAX, &l), &l);
	pthread_mutex_unlock(&client->lock);
	return l;
}

static void trim(struct iopmem_client *client)
{
	struct iopmem_lease *l;
	struct file *file;

	while (client->cached > client->cache_bytes && (l = oldest(client))) {
		file = l->file;
		drop(l, NULL);
		file_put(file);
	}
}

/* ---- taking ---- */

static struct iopmem_lease *find(struct file *file, uint64_t offset, bool rw)
{
	struct iopmem_lease *l;

	for (l = file->leases; l; l = l->next)
		if (l->cached && !l->ending && l->state == LEASE_ACTIVE && l->rw >= rw &&
		    l->range.offset <= offset && offset < l->range.end)
			return l;
	return NULL;
}

/* What to ask for.  Assumes: file->lock. */
static struct range plan(struct file *file, struct range want, bool rw)
{
	uint64_t granule = file->client->conn.granule;
	uint64_t eof = round_up_sat(file->size, granule);
	struct range r = range_round_out(want, granule);
	uint64_t *ahead = &file->run[rw].ahead, end;

	if (file->contended) {
		file->contended--;
		*ahead = 0;
		return r;
	}
	if (want.offset && want.offset == file->run[rw].next) {
		*ahead = *ahead ? *ahead * 2 : AHEAD_MIN;
		*ahead = *ahead < AHEAD_MAX ? *ahead : AHEAD_MAX;
		end = r.offset + *ahead;
	} else {
		*ahead = 0;
		if (r.end > eof)	/* what is not there yet is made only where it is wanted */
			return r;
		r.offset = round_down_to(r.offset, AHEAD_MIN);
		end = r.offset + AHEAD_MIN;
	}
	/* A reader needs nothing past EOF, and who overwrites does not grow the file. */
	if (end > eof && (!rw || r.end <= eof))
		end = eof;
	if (end > r.end && end <= INT64_MAX)
		r.end = end;
	return r;
}

static int take(struct file *file, struct range want, struct range r, bool rw,
		uint64_t until_ms, struct iopmem_lease **lease, struct iopmem_err *err)
{
	struct range exact = range_round_out(want, file->client->conn.granule);
	int ret;

	if (range_len(r) > range_len(exact)) {
		/* One try, without waiting: nobody is to wait for what is only ahead. */
		ret = lease_take(file, r, rw, clock_ms(), lease, NULL);
		if (!ret)
			return 0;
		pthread_mutex_lock(&file->lock);
		file->contended = CALM_AFTER;
		pthread_mutex_unlock(&file->lock);
	}
	if (exact.end > INT64_MAX)
		exact.end = want.end;
	return lease_take(file, exact, rw, until_ms, lease, err);
}

int cached_get(struct file *file, struct range want, bool rw, uint64_t until_ms,
	       struct iopmem_lease **lease, struct iopmem_err *err)
{
	struct iopmem_client *client = file->client;
	struct iopmem_lease *l;
	struct range r;
	int ret;

	cached_settle(file);
	pthread_mutex_lock(&file->lock);
	l = find(file, want.offset, rw);
	if (l) {
		l->users++;
	} else {
		r = plan(file, want, rw);
		pthread_mutex_unlock(&file->lock);
		ret = take(file, want, r, rw, until_ms, &l, err);
		if (ret)
			return ret;
		client->cached += range_len(l->wire);
		pthread_mutex_lock(&file->lock);
		l->cached = true;
		l->users++;
	}
	l->used = ++client->uses;
	file->run[rw].next = want.end < l->range.end ? want.end : l->range.end;
	pthread_mutex_unlock(&file->lock);
	trim(client);
	*lease = l;
	return 0;
}

struct iopmem_lease *cached_find(struct file *file, struct range r, bool rw)
{
	struct iopmem_lease *l;

	pthread_mutex_lock(&file->lock);
	l = find(file, r.offset, rw);
	/* Nor one that is about to end: that would wait until somebody polls. */
	if (l && (l->telling || r.end > l->range.end || (!rw && r.end > file->size)))
		l = NULL;
	if (l) {
		l->users++;
		l->used = ++file->client->uses;
	}
	pthread_mutex_unlock(&file->lock);
	return l;
}

void cached_put(struct iopmem_lease *lease)
{
	struct file *file = lease->file;

	pthread_mutex_lock(&file->lock);
	if (--lease->users < 2)		/* none, or who ends it */
		pthread_cond_broadcast(&file->cond);
	pthread_mutex_unlock(&file->lock);
}
