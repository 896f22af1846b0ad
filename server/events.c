// SPDX-License-Identifier: BSD-3-Clause
#include "events.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "call.h"
#include "client.h"

static void fill(iopmem_event *out, const struct event *ev)
{
	uint64_t now = clock_ms();

	*out = ev->wire;
	out->deadline_ms = ev->deadline_ms > now ? (u_int)(ev->deadline_ms - now) : 0;
}

/* Answers the parked call with everything not acknowledged, oldest first. */
static void answer(struct client *c)
{
	struct event_queue *q = &c->events;
	struct call *call = q->waiting;
	iopmem_event_wait_ok *ok = &call->res.event_wait.iopmem_event_wait_res_u.ok;
	struct event *ev;
	u_int n = 0;

	q->waiting = NULL;
	timer_cancel(c->srv->loop, &q->timeout);
	for (ev = q->head; ev && n < IOPMEM_EVENTS_MAX; ev = ev->next)
		n++;
	if (n) {
		ok->events.events_val = calloc(n, sizeof(iopmem_event));
		if (!ok->events.events_val)
			return call_status(call, IOPMEM_DELAY);
		for (ev = q->head; ok->events.events_len < n; ev = ev->next)
			fill(&ok->events.events_val[ok->events.events_len++], ev);
	}
	call_reply(call);
}

static void timed_out(struct timer *t)
{
	struct event_queue *q = container_of(t, struct event_queue, timeout);
	struct client *c = container_of(q, struct client, events);

	answer(c);
}

void event_push(struct client *c, const iopmem_event *wire, uint64_t deadline_ms)
{
	struct event_queue *q = &c->events;
	struct event *ev;

	if (c->dying)		/* nobody hears it any more */
		return;
	if (q->n >= c->srv->cfg.client_events) {
		/* It does not listen: it will be fenced, without having been told. */
		if (!q->full)
			log_warn("client %s: takes no events, client-events is %u: it is not told any more",
				 c->name, c->srv->cfg.client_events);
		q->full = true;
		return;
	}
	ev = calloc(1, sizeof(*ev));
	if (!ev) {
		log_error("client %s: no memory for an event, it will be fenced", c->name);
		return;
	}
	q->n++;
	q->full = false;
	ev->wire = *wire;
	ev->wire.number = ++q->last;
	ev->deadline_ms = deadline_ms;
	if (q->head)
		q->tail->next = ev;
	else
		q->head = ev;
	q->tail = ev;
	if (q->waiting)
		answer(c);
}

void event_wait(struct client *c, struct call *call, uint64_t acked, uint32_t timeout_ms)
{
	struct event_queue *q = &c->events;
	struct event *ev;

	if (q->waiting)		/* the client gave up that connection: answer the old one */
		answer(c);
	while (q->head && q->head->wire.number <= acked) {
		ev = q->head;
		q->head = ev->next;
		q->n--;
		free(ev);
	}
	if (timeout_ms > c->lease_ms / 3)
		timeout_ms = c->lease_ms / 3;
	q->waiting = call;
	q->timeout.fire = timed_out;
	if (q->head || !timeout_ms)
		return answer(c);
	timer_arm(c->srv->loop, &q->timeout, timeout_ms);
}

void event_call_lost(struct client *c, struct call *call)
{
	if (c->events.waiting != call)
		return;
	c->events.waiting = NULL;
	timer_cancel(c->srv->loop, &c->events.timeout);
	call_status(call, IOPMEM_DELAY);	/* nobody hears it; ends the call */
}

void event_queue_fini(struct client *c, unsigned int status)
{
	struct event_queue *q = &c->events;
	struct call *call = q->waiting;
	struct event *ev;

	timer_cancel(c->srv->loop, &q->timeout);
	while ((ev = q->head)) {
		q->head = ev->next;
		free(ev);
	}
	q->n = 0;
	q->waiting = NULL;
	if (call)
		call_status(call, (enum iopmem_status)status);
}
