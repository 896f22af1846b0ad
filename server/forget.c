// SPDX-License-Identifier: BSD-3-Clause
#include "forget.h"

#include <stdlib.h>

#include "base/log.h"
#include "call.h"
#include "client.h"
#include "layout.h"

struct forgotten {
	struct teardown t;
	struct call *call;
};

static void forgotten_down(struct teardown *t)
{
	struct forgotten *fg = (struct forgotten *)t;
	struct call *call = fg->call;
	struct layout *l = t->layout;

	free(fg);
	layout_put(l);
	op_layoutget(call);
}

/*
 * A layout was granted by this open stateid, and the caller has gone on on the slot of
 * that call, so it has the reply.
 */
static bool knows(const struct call *call)
{
	const iopmem_layoutget_args *args = call->args;
	struct open *o;

	return !state_find_open(call->srv, call->client, &args->stateid, &o) &&
	       o->told_sequence &&
	       call->client->slots[o->told_slot].sequence != o->told_sequence;
}

bool forget_layout(struct call *call, struct file *f)
{
	struct layout *l = layout_find(f, call->client);
	struct forgotten *fg;

	if (!l || !l->segs || !knows(call))
		return false;
	if (l->users) {		/* something of it is in progress */
		call_status(call, IOPMEM_DELAY);
		return true;
	}
	fg = calloc(1, sizeof(*fg));
	if (fg)
		fg->t.segs = layout_collect(l, (struct range){ 0, UINT64_MAX }, true, true,
					    &fg->t.n);
	if (!fg || !fg->t.segs) {
		free(fg);
		call_status(call, IOPMEM_DELAY);
		return true;
	}
	log_info("%s: client %s forgot its layout: its keys die", f->name,
		 call->client->name);
	fg->call = call;
	fg->t.layout = l;
	fg->t.why = "forgotten";
	fg->t.done = forgotten_down;
	l->users++;
	teardown_start(&fg->t);
	return true;
}
