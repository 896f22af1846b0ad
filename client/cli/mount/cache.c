// SPDX-License-Identifier: BSD-3-Clause
#include "cache_priv.h"

#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "base/clock.h"

#define ANSWER_MS 10	/* a pass may wait for a fill that began behind it */
#define AGAIN_MAX 10
#define PAGE 4096ULL

/* ---- carrying it out ---- */

static void tell_kernel(struct mount *m, struct node *node, struct range r, bool attr_only)
{
	uint64_t len = r.end >= INT64_MAX ? 0 : range_len(r);	/* 0: to the end */

	fuse_lowlevel_notify_inval_inode(m->session, (fuse_ino_t)(uintptr_t)node,
					 attr_only ? -1 : (off_t)r.offset, (off_t)len);
}

/* The first fill that ends behind @at.  Assumes: cache.lock. */
static struct fill *next_fill(struct cache *c, const struct drop *d, uint64_t at)
{
	struct fill *f, *first = NULL;

	DL_FOREACH(c->fills, f)
		if (cache_touches(f, d->node, d->r) && f->r.end > at &&
		    (!first || f->r.offset < first->r.offset))
			first = f;
	return first;
}

/* All but what fills have.  Assumes: cache.lock, which it drops. */
static void carry_out(struct mount *m, const struct drop *d)
{
	struct cache *c = &m->cache;
	uint64_t at = d->r.offset;
	struct range gap;
	struct fill *f;

	while (at < d->r.end) {
		f = d->attr_only ? NULL : next_fill(c, d, at);
		gap = (struct range){ at, f ? f->r.offset : d->r.end };
		at = f ? f->r.end : d->r.end;
		if (gap.end <= gap.offset)
			continue;
		pthread_mutex_unlock(&c->lock);
		tell_kernel(m, d->node, gap, d->attr_only);
		pthread_mutex_lock(&c->lock);
	}
}

bool cache_answering(const struct cache *c, const struct ending *e)
{
	const struct fill *f;

	DL_FOREACH(c->fills, f)
		if (f->answered && cache_touches(f, e->node, e->r))
			return true;
	return false;
}

static void *cache_main(void *arg)
{
	struct mount *m = arg;
	struct cache *c = &m->cache;
	struct drop *d;

	pthread_mutex_lock(&c->lock);
	while (!c->stop || c->drops) {
		d = c->drops;
		if (!d) {
			pthread_cond_wait(&c->cond, &c->lock);
			continue;
		}
		DL_DELETE(c->drops, d);
		c->busy++;
		carry_out(m, d);
		c->busy--;
		if (d->ending) {
			d->ending->shut = !d->ending->entered && !cache_answering(c, d->ending);
			d->ending->pass = NULL;
		}
		pthread_cond_broadcast(&c->cond);
		pthread_mutex_unlock(&c->lock);
		node_put(&m->nodes, d->node, 1);
		free(d);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

bool cache_queue(struct mount *m, struct node *node, struct range r, bool attr_only,
		  struct ending *ending)
{
	struct cache *c = &m->cache;
	struct drop *d = calloc(1, sizeof(*d));

	if (!d)
		return false;
	node_get(&m->nodes, node);
	d->node = node;
	d->r = r;
	d->attr_only = attr_only;
	d->ending = ending;
	if (ending)
		ending->pass = d;
	DL_APPEND(c->drops, d);
	pthread_cond_broadcast(&c->cond);
	return true;
}

/* What is on its way is old when it comes.  Assumes: cache.lock. */
static void mark_stale(struct cache *c, const struct node *node, struct range r)
{
	struct fill *f;

	DL_FOREACH(c->fills, f)
		if (cache_touches(f, node, r))
			f->stale = true;
}

void cache_drop_soon(struct mount *m, struct node *node, struct range r, bool attr_only)
{
	mark_stale(&m->cache, node, r);
	if (!m->cache.stop)
		cache_queue(m, node, r, attr_only, NULL);
}

/* ---- fills ---- */

bool cache_wait_until(struct cache *c, uint64_t until_ms)
{
	uint64_t now = clock_ms(), ms = until_ms - now;
	struct timespec ts;

	if (now >= until_ms)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += (long)(ms % 1000) * 1000000L;
	ts.tv_sec += (time_t)(ms / 1000) + ts.tv_nsec / 1000000000L;
	ts.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&c->cond, &c->lock, &ts);
	return true;
}

void fill_begin(struct mount *m, struct fill *f, struct node *node, uint64_t offset,
		uint64_t length)
{
	struct range r;

	if (!range_make(offset, length, &r))
		r = (struct range){ offset, UINT64_MAX };
	*f = (struct fill){ .node = node, .r = range_round_out(r, PAGE), .thread = pthread_self() };
	pthread_mutex_lock(&m->cache.lock);
	DL_APPEND(m->cache.fills, f);
	pthread_mutex_unlock(&m->cache.lock);
}

/* One that nothing may be answered during, or else one that wants nothing answered just now. */
static struct ending *in_the_way(struct cache *c, const struct fill *f)
{
	struct ending *e, *found = NULL;

	DL_FOREACH(c->endings, e)
		if (cache_touches(f, e->node, e->r) && (e->shut || (e->pass && !found)))
			found = e;
	return found;
}

bool fill_ready(struct mount *m, struct fill *f, bool repeatable)
{
	uint64_t until = clock_ms() + ANSWER_MS;
	struct cache *c = &m->cache;
	struct ending *e;
	bool in_time = true, ready;

	pthread_mutex_lock(&c->lock);
	while ((e = in_the_way(c, f)) && (e->shut || in_time)) {
		if (e->shut)
			pthread_cond_wait(&c->cond, &c->lock);
		else
			in_time = cache_wait_until(c, until);
	}
	ready = !f->stale || !repeatable || f->again++ == AGAIN_MAX;
	if (ready) {
		f->answered = true;
		DL_FOREACH(c->endings, e)
			if (cache_touches(f, e->node, e->r))
				e->entered = true;
	} else {
		f->stale = false;
	}
	pthread_mutex_unlock(&c->lock);
	return ready;
}

void fill_end(struct mount *m, struct fill *f)
{
	struct cache *c = &m->cache;

	pthread_mutex_lock(&c->lock);
	DL_DELETE(c->fills, f);
	if (f->stale || f->uncovered)
		cache_drop_soon(m, f->node, f->r, false);
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

void cache_resize(struct mount *m, struct node *node, bool begin)
{
	pthread_mutex_lock(&m->cache.lock);
	node->resizing += begin ? 1U : -1U;
	pthread_mutex_unlock(&m->cache.lock);
}

bool cache_wait_pass(struct cache *c, struct ending *e, uint64_t until_ms)
{
	while (e->pass) {
		if (cache_wait_until(c, until_ms))
			continue;
		e->pass->ending = NULL;
		e->pass = NULL;
		pthread_cond_broadcast(&c->cond);
		return false;
	}
	return true;
}

void cache_drop(struct mount *m, struct node *node, struct range r)
{
	struct ending e = { .node = node, .r = r };
	struct cache *c = &m->cache;

	pthread_mutex_lock(&c->lock);
	mark_stale(c, node, r);
	if (!c->stop && cache_queue(m, node, r, false, &e))
		cache_wait_pass(c, &e, clock_ms() + ENDS_MS);
	pthread_mutex_unlock(&c->lock);
}

/* ---- life ---- */

int cache_init(struct mount *m)
{
	struct cache *c = &m->cache;
	pthread_condattr_t attr;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->cond, &attr);
	pthread_condattr_destroy(&attr);
	while (c->threads < CACHE_THREADS &&
	       !pthread_create(&c->thread[c->threads], NULL, cache_main, m))
		c->threads++;
	if (c->threads)
		return 0;
	cache_fini(m);
	return -EAGAIN;
}

bool cache_stopping(struct mount *m)
{
	struct cache *c = &m->cache;
	bool busy;

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->cond);
	busy = c->busy || c->drops;
	if (busy)
		cache_wait_until(c, clock_ms() + ANSWER_MS);
	pthread_mutex_unlock(&c->lock);
	return busy;
}

void cache_stop(struct mount *m)
{
	struct cache *c = &m->cache;

	while (c->threads)
		pthread_join(c->thread[--c->threads], NULL);
}

void cache_fini(struct mount *m)
{
	pthread_mutex_destroy(&m->cache.lock);
	pthread_cond_destroy(&m->cache.cond);
}
