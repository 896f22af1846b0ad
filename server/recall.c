// SPDX-License-Identifier: BSD-3-Clause
#include "recall.h"

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "fence.h"

static bool something_left(const struct layout *l, struct range r)
{
	const struct segment *seg;

	DL_FOREACH(l->file->table.head, seg)
		if (seg->layout == l && range_overlaps(seg->range, r))
			return true;
	return false;
}

static void deadline_passed(struct timer *t)
{
	struct recall *r = container_of(t, struct recall, deadline);
	struct layout *l = container_of(r, struct layout, recall);

	fence_layout(l, r->range, "recall deadline passed");
}

static void push(struct layout *l, uint64_t deadline_ms)
{
	iopmem_event ev = {
		.type = IOPMEM_EVENT_RECALL,
		.iomode = IOPMEM_WIRE_ANY,
		.offset = l->recall.range.offset,
		.length = l->recall.range.end == UINT64_MAX ? UINT64_MAX :
			  range_len(l->recall.range),
	};

	state_bump(&l->st);
	state_wire(&l->st, &ev.stateid);
	event_push(l->st.client, &ev, deadline_ms);
}

static uint32_t patience_ms(const struct server *srv)
{
	if (srv->stopping && srv->cfg.recall_ms > SERVER_STOP_PATIENCE_MS)
		return SERVER_STOP_PATIENCE_MS;
	return srv->cfg.recall_ms;
}

void recall_start(struct layout *l, struct range r, const char *why)
{
	struct server *srv = l->file->srv;

	if (l->recall.active) {
		if (range_contains(l->recall.range, r))
			return;
		if (r.offset < l->recall.range.offset)
			l->recall.range.offset = r.offset;
		if (r.end > l->recall.range.end)
			l->recall.range.end = r.end;
		if (!l->recall.deadline.due_ms) {
			/* It has passed, what it was for is on its way back: a new one
			 * for the rest, which else would never be fenced. */
			l->recall.started_ms = clock_ms();
			timer_arm(srv->loop, &l->recall.deadline, patience_ms(srv));
		}
	} else {
		l->recall.active = true;
		l->recall.range = r;
		l->recall.started_ms = clock_ms();
		l->recall.deadline.fire = deadline_passed;
		timer_arm(srv->loop, &l->recall.deadline, patience_ms(srv));
		log_info("%s: recalling [%llu, %llu) from client %s (%s)", l->file->name,
			 (unsigned long long)r.offset, (unsigned long long)r.end,
			 l->st.client->name, why);
	}
	push(l, l->recall.started_ms + patience_ms(srv));
}

void recall_file(struct file *f, const struct client *except, struct range r,
		 const char *why)
{
	struct layout *l, *next;

	DL_FOREACH_SAFE2(f->layouts, l, next, file_next)
		if (l->st.client != except && something_left(l, r))
			recall_start(l, r, why);
}

void recall_settle(struct layout *l)
{
	if (!l->recall.active || something_left(l, l->recall.range))
		return;
	l->recall.active = false;
	timer_cancel(l->file->srv->loop, &l->recall.deadline);
	log_info("%s: client %s gave back what was recalled after %llu ms", l->file->name,
		 l->st.client->name, (unsigned long long)(clock_ms() - l->recall.started_ms));
}
