// SPDX-License-Identifier: BSD-3-Clause
#include "fence.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* What the stateid says once all of a layout was fenced. */
static void leave_tombstone(struct layout *l)
{
	struct client *c = l->st.client;
	struct state *grave;

	if (c->dying || l->segments)
		return;
	grave = calloc(1, sizeof(*grave));
	if (!grave)
		return;			/* BAD_STATEID instead of ADMIN_REVOKED */
	grave->type = STATE_REVOKED;
	grave->client = c;
	grave->seqid = l->st.seqid;
	memcpy(grave->other, l->st.other, sizeof(grave->other));
	/* The layout keeps living under a new id until its last user is gone. */
	state_remove(c->srv, &l->st);
	state_add(c->srv, &l->st, STATE_LAYOUT, c);
	l->st.seqid = 0;
	HASH_ADD(hh, c->srv->states, other, sizeof(grave->other), grave);
}

struct fence {
	struct teardown t;
	iopmem_event ev;
};

static void fenced(struct teardown *t)
{
	struct fence *fence = (struct fence *)t;
	struct layout *l = t->layout;

	log_warn("%s: client %s is fenced (%s): its keys are dead", l->file->name,
		 l->st.client->name, t->why);
	if (!l->st.client->dying)
		event_push(l->st.client, &fence->ev, 0);
	leave_tombstone(l);
	free(fence);
	layout_put(l);
}

void fence_layout(struct layout *l, struct range r, const char *why)
{
	struct fence *fence;
	struct segment **segs;
	size_t n;

	segs = layout_collect(l, r, true, true, &n);
	if (!segs)
		return;
	fence = calloc(1, sizeof(*fence));
	if (!fence) {
		log_error("%s: no memory to fence client %s", l->file->name, l->st.client->name);
		free(segs);
		if (l->recall.active)
			timer_arm(l->file->srv->loop, &l->recall.deadline, 100);
		return;
	}
	l->users++;
	fence->t.layout = l;
	fence->t.segs = segs;
	fence->t.n = n;
	fence->t.why = why;
	fence->t.done = fenced;
	fence->ev.type = IOPMEM_EVENT_REVOKED;
	fence->ev.iomode = IOPMEM_WIRE_ANY;
	fence->ev.offset = r.offset;
	fence->ev.length = r.end == UINT64_MAX ? UINT64_MAX : range_len(r);
	state_wire(&l->st, &fence->ev.stateid);
	teardown_start(&fence->t);
}
