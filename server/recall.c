// SPDX-License-Identifier: BSD-3-Clause
#include "recall.h"

#include <stdio.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "export.h"
#include "fence.h"

static void about(const struct wait *w, struct wait_about *a)
{
	const struct recall *r = container_of(w, struct recall, wait);
	const struct layout *l = container_of(r, struct layout, recall);

	snprintf(a->what, sizeof(a->what), "client %s to return its layout of '%.120s' (%s)",
		 l->st.client->name, l->file->name, r->why);
	a->client = l->st.client->name;
	a->file = l->file->name;
	a->export = l->file->exp->cfg->name;
}

static const struct wait_type type = { "recall", about };

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

static void arm(struct layout *l)
{
	struct server *srv = l->file->srv;
	uint32_t max = config_recall_max(&srv->cfg);

	l->recall.started_ms = clock_ms();
	l->recall.limit_ms = l->recall.started_ms + (srv->stopping ? patience_ms(srv) : max);
	timer_arm(srv->loop, &l->recall.deadline, patience_ms(srv));
}

static void widen(struct range *r, struct range by)
{
	if (by.offset < r->offset)
		r->offset = by.offset;
	if (by.end > r->end)
		r->end = by.end;
}

static void begin(struct layout *l, struct range r, const char *why)
{
	if (l->recall.active) {
		if (range_contains(l->recall.range, r))
			return;
		widen(&l->recall.range, r);
		if (!l->recall.deadline.due_ms)
			/* It has passed, what it was for is on its way back: a new one
			 * for the rest, which else would never be fenced. */
			arm(l);
	} else {
		l->recall.active = true;
		l->recall.range = r;
		l->recall.why = why;
		l->recall.deadline.fire = deadline_passed;
		DL_APPEND2(l->file->recalled, l, recall_prev, recall_next);
		wait_begin(&l->file->srv->waits, &l->recall.wait, &type);
		metrics_add(&l->file->srv->metrics, METRIC_RECALLS);
		arm(l);
		layout_log(l, LOG_LEVEL_INFO, "%s: recalling [%llu, %llu) from client %s (%s)",
			   l->file->name, (unsigned long long)r.offset,
			   (unsigned long long)r.end, l->st.client->name, why);
	}
	push(l, l->recall.deadline.due_ms - 1);
}

static void hold_over(struct timer *t)
{
	struct hold *h = container_of(t, struct hold, over);
	struct layout *l = container_of(h, struct layout, hold);

	if (!client_courtesy_over(l->st.client))
		begin(l, h->wanted, h->why);
}

void recall_hold(struct layout *l)
{
	l->hold.until_ms = clock_ms() + l->file->srv->cfg.hold_ms;
}

void recall_start(struct layout *l, const struct client *by, struct range r, const char *why)
{
	struct hold *h = &l->hold;
	uint64_t now = clock_ms();

	if (client_courtesy_over(l->st.client))
		return;
	if (!by || by == l->st.client || l->recall.active || h->until_ms <= now)
		return begin(l, r, why);
	h->why = why;
	if (h->over.due_ms)	/* a grant that came meanwhile does not put it off */
		return widen(&h->wanted, r);
	h->wanted = r;
	h->over.fire = hold_over;
	timer_arm(l->file->srv->loop, &h->over, h->until_ms - now);
}

void recall_file(struct file *f, const struct client *by, struct range r, const char *why)
{
	struct layout *l, *next;

	DL_FOREACH_SAFE2(f->layouts, l, next, file_next)
		if (layout_holds(l, r))
			recall_start(l, by, r, why);
}

void recall_drop(struct layout *l)
{
	struct server *srv = l->file->srv;

	timer_cancel(srv->loop, &l->hold.over);
	timer_cancel(srv->loop, &l->recall.deadline);
	wait_end(&srv->waits, &l->recall.wait);
}

void recall_progress(struct layout *l)
{
	struct recall *r = &l->recall;
	uint64_t now = clock_ms(), due = now + l->file->srv->cfg.recall_ms;

	if (!r->active || !r->deadline.due_ms)
		return;
	if (due > r->limit_ms)
		due = r->limit_ms;
	if (due > r->deadline.due_ms)
		timer_arm(l->file->srv->loop, &r->deadline, due - now);
}

void recall_settle(struct layout *l)
{
	if (l->hold.over.due_ms && !layout_holds(l, l->hold.wanted))
		timer_cancel(l->file->srv->loop, &l->hold.over);
	if (!l->recall.active || layout_holds(l, l->recall.range))
		return;
	l->recall.active = false;
	histogram_add(&l->file->srv->metrics.recall, 1000 * wait_age_ms(&l->recall.wait));
	wait_end(&l->file->srv->waits, &l->recall.wait);
	timer_cancel(l->file->srv->loop, &l->recall.deadline);
	DL_DELETE2(l->file->recalled, l, recall_prev, recall_next);
	layout_log(l, LOG_LEVEL_INFO, "%s: client %s gave back what was recalled after %llu ms",
		   l->file->name, l->st.client->name,
		   (unsigned long long)(clock_ms() - l->recall.started_ms));
}
