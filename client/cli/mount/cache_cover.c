// SPDX-License-Identifier: BSD-3-Clause
/* Layouts that end, and what no layout covers: the library tells. */
#include <stdlib.h>

#include <utlist.h>

#include "base/clock.h"
#include "cache_priv.h"

/* Passes until one has done.  Assumes: cache.lock, which it drops. */
static void drop_all(struct mount *m, struct ending *e)
{
	uint64_t until = clock_ms() + ENDS_MS;
	struct cache *c = &m->cache;

	while (!e->shut && !c->stop && !e->node->resizing) {
		while (cache_answering(c, e) && cache_wait_until(c, until))
			;
		e->entered = false;
		if (!cache_queue(m, e->node, e->r, false, e))
			return;
		if (!cache_wait_pass(c, e, until))
			return;
	}
}

static void ends(struct mount *m, struct node *node, struct range r)
{
	struct ending *e = calloc(1, sizeof(*e));

	if (!e)			/* then ENDED has it dropped */
		return;
	node_get(&m->nodes, node);
	e->node = node;
	e->r = r;
	pthread_mutex_lock(&m->cache.lock);
	DL_APPEND(m->cache.endings, e);
	drop_all(m, e);
	e->told = true;
	pthread_mutex_unlock(&m->cache.lock);
}

static void ended(struct mount *m, struct node *node, struct range r)
{
	struct cache *c = &m->cache;
	struct ending *e;

	pthread_mutex_lock(&c->lock);
	DL_FOREACH(c->endings, e)
		if (e->told && e->node == node && e->r.offset == r.offset && e->r.end == r.end)
			break;
	if (e)
		DL_DELETE(c->endings, e);
	/* Attributes may have been asked for in between. */
	cache_drop_soon(m, node, r, e && e->shut);
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->lock);
	if (e)
		node_put(&m->nodes, node, 1);
	free(e);
}

/*
 * Called by the read or write itself, of nothing but what it brings: that is to be dropped when it is
 * answered.
 */
static bool by_fill(struct mount *m, const struct node *node, struct range r)
{
	const pthread_t self = pthread_self();
	bool found = false;
	struct fill *f;

	pthread_mutex_lock(&m->cache.lock);
	DL_FOREACH(m->cache.fills, f)
		if (cache_touches(f, node, r) && pthread_equal(f->thread, self)) {
			f->uncovered = true;
			found |= f->r.offset <= r.offset && r.end <= f->r.end;
		}
	pthread_mutex_unlock(&m->cache.lock);
	return found;
}

/* All files that the kernel knows of. */
static void drop_everything(struct mount *m)
{
	const struct range all = { 0, UINT64_MAX };
	struct node **list, *node;
	size_t n = 0, max;

	pthread_mutex_lock(&m->nodes.lock);
	DL_COUNT(m->nodes.all, node, max);
	list = calloc(max + 1, sizeof(*list));
	DL_FOREACH(m->nodes.all, node)
		if (list && node->type == IOPMEM_STAT_REG) {
			node->refs++;
			list[n++] = node;
		}
	pthread_mutex_unlock(&m->nodes.lock);
	pthread_mutex_lock(&m->cache.lock);
	for (max = 0; max < n; max++)
		cache_drop_soon(m, list[max], all, false);
	pthread_mutex_unlock(&m->cache.lock);
	while (n)
		node_put(&m->nodes, list[--n], 1);
	free(list);
}

static void uncovered(struct mount *m, struct node *node, struct range r)
{
	pthread_mutex_lock(&m->cache.lock);
	cache_drop_soon(m, node, r, false);
	pthread_mutex_unlock(&m->cache.lock);
}

void cache_cover(enum iopmem_cover what, uint64_t fileid, uint64_t offset, uint64_t length,
		 void *arg)
{
	struct mount *m = arg;
	struct node *node;
	struct range r;

	if (!fileid) {
		drop_everything(m);
		return;
	}
	node = node_find(&m->nodes, fileid);
	if (!node)
		return;
	if (!range_make(offset, length, &r))
		r = (struct range){ offset, UINT64_MAX };
	if (what == IOPMEM_COVER_ENDS)
		ends(m, node, r);
	else if (what == IOPMEM_COVER_ENDED)
		ended(m, node, r);
	else if (length && !by_fill(m, node, r))
		uncovered(m, node, r);
	node_put(&m->nodes, node, 1);
}
