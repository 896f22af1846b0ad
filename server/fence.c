// SPDX-License-Identifier: BSD-3-Clause
#include "fence.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "known.h"

struct fence {
	struct teardown t;
	iopmem_event ev;
};

static void fenced(struct teardown *t)
{
	struct fence *fence = (struct fence *)t;
	struct layout *l = t->layout;

	metrics_add(&l->file->srv->metrics, METRIC_FENCES);
	layout_log(l, LOG_LEVEL_WARN, "%s: client %s is fenced (%s): its keys are dead",
		   l->file->name, l->st.client->name, t->why);
	if (!l->st.client->dying) {
		event_push(l->st.client, &fence->ev, 0);
		known_revoked(l->st.client);
		if (!l->segs)
			state_revoke(l->file->srv, &l->st);
	}
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
