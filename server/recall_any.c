// SPDX-License-Identifier: BSD-3-Clause
#include "recall_any.h"

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "client.h"
#include "layout.h"
#include "recall.h"

static void ask(struct client *c, uint32_t keep)
{
	uint32_t patience = c->srv->cfg.recall_ms;
	iopmem_event ev = {
		.type = IOPMEM_EVENT_RECALL_ANY, .iomode = IOPMEM_WIRE_ANY,
		.length = UINT64_MAX, .keep = keep,
	};

	c->any_asked = true;
	c->any_keep = keep;
	log_info("client %s: asked to keep %u of its %u segments: regions are scarce", c->name,
		 keep, c->usage.segments);
	event_push(c, &ev, clock_ms() + patience);
}

/* It had its time: now whole layouts, the oldest first, until what is left is little enough. */
static void insist(struct client *c)
{
	uint32_t left = c->usage.segments;
	struct layout *l, *next;
	struct segment *seg;

	c->any_asked = false;
	DL_FOREACH_SAFE(c->layouts, l, next) {
		if (left <= c->any_keep)
			return;
		DL_FOREACH2(l->segs, seg, own_next)
			left--;
		if (l->segs)
			recall_start(l, NULL, (struct range){ 0, UINT64_MAX }, "regions are scarce");
	}
}

static void time_is_over(struct timer *t)
{
	struct server *srv = container_of(t, struct server, recall_any_timer);
	struct client *c, *tmp;

	HASH_ITER(hh, srv->clients, c, tmp)
		if (c->any_asked && !c->dying)
			insist(c);
}

/* Everybody's share of three quarters of what there is. */
static void start(struct server *srv, uint32_t there)
{
	struct client *c, *tmp;
	uint32_t holders = 0, share;

	if (srv->recall_any_timer.due_ms || srv->stopping)
		return;
	HASH_ITER(hh, srv->clients, c, tmp) {
		if (c->layouts)
			client_courtesy_over(c);
		holders += c->usage.regions && !c->dying;
	}
	if (!holders)
		return;
	share = (uint32_t)((uint64_t)there * 3 / 4 / holders);
	HASH_ITER(hh, srv->clients, c, tmp)
		if (!c->dying && c->usage.regions > share)
			ask(c, share);
	srv->recall_any_timer.fire = time_is_over;
	timer_arm(srv->loop, &srv->recall_any_timer, srv->cfg.recall_ms);
}

void recall_any_check(struct server *srv)
{
	uint32_t max = srv->cfg.max_regions;

	if (srv->usage.regions >= max - max / 10)
		start(srv, max);
}

void recall_any_scarce(struct server *srv)
{
	start(srv, srv->usage.regions);
}
