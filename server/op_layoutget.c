// SPDX-License-Identifier: BSD-3-Clause
/*
 * LAYOUTGET, RFC 8881 section 18.43.  Never waits for another client: a conflict
 * starts the recall and is answered at once.
 */
#include <stdlib.h>
#include <utlist.h>

#include "call.h"
#include "export.h"
#include "forget.h"
#include "layout.h"
#include "layout_wire.h"
#include "recall.h"
#include "turn.h"
#include "work.h"

#define SEGMENT_WIRE_BYTES 44
#define REPLY_FIXED_BYTES 36

/* One that is allowed so far. */
struct get {
	struct call *call;
	struct file *file;
	struct client *client;
	struct claim claim;
	struct range range;		/* asked for, in granules, at most max-grant */
	uint64_t min_end;
	bool shared;			/* every open of the caller's of the file says SHARED */
	bool merge;
};

/* The argument laws, before any effect. */
static enum iopmem_status check(const iopmem_layoutget_args *a, struct range *r)
{
	if (a->iomode != IOPMEM_WIRE_READ && a->iomode != IOPMEM_WIRE_RW)
		return IOPMEM_BADIOMODE;
	if (a->length < a->minlength || (a->flags & ~(u_int)IOPMEM_GET_MERGE))
		return IOPMEM_INVAL;
	if (a->minlength != UINT64_MAX && a->minlength > UINT64_MAX - a->offset)
		return IOPMEM_INVAL;
	if (!range_make(a->offset, a->length ? a->length : 1, r))
		return IOPMEM_INVAL;
	if (a->maxcount < REPLY_FIXED_BYTES + SEGMENT_WIRE_BYTES)
		return IOPMEM_TOOSMALL;
	return IOPMEM_OK;
}

/* ---- answers ---- */

/* What the caller holds of @r without a gap from its beginning, into the reply. */
static u_int list_held(const struct get *get, iopmem_segment *out, size_t room)
{
	uint64_t covered = get->range.offset;
	struct segment *seg;
	u_int n = 0;

	while (covered < get->range.end && n < room) {
		seg = layout_table_held(&get->file->table, get->client, covered,
					get->claim.mode);
		if (!seg)
			break;
		segment_wire(seg, &out[n++]);
		covered = seg->range.end;
	}
	return n;
}

/* The open whose stateid was used is remembered as one whose layout the client knows. */
static void tell(const struct call *call)
{
	const iopmem_layoutget_args *args = call->args;
	struct open *o;

	if (state_find_open(call->srv, call->client, &args->stateid, &o))
		return;
	o->told_slot = args->seq.slot;
	o->told_sequence = args->seq.sequence;
}

static void answer(const struct get *get, struct layout *l)
{
	struct call *call = get->call;
	const iopmem_layoutget_args *args = call->args;
	iopmem_layoutget_ok *ok = &call->res.layoutget.iopmem_layoutget_res_u.ok;
	size_t room = (args->maxcount - REPLY_FIXED_BYTES) / SEGMENT_WIRE_BYTES;

	if (room > IOPMEM_SEGMENTS_MAX)
		room = IOPMEM_SEGMENTS_MAX;
	ok->segments.segments_val = calloc(room, sizeof(iopmem_segment));
	if (!ok->segments.segments_val)
		return call_status(call, IOPMEM_LAYOUTTRYLATER);
	ok->segments.segments_len = list_held(get, ok->segments.segments_val, room);
	if (!ok->segments.segments_len && !get->merge)
		return call_status(call, IOPMEM_BADLAYOUT);
	ok->return_on_close = TRUE;
	ok->size = l->file->size;
	state_bump(&l->st);
	state_wire(&l->st, &ok->stateid);
	tell(call);
	turn_taken(get->file, get->client, get->range);
	call_reply(call);
}

/* ---- who is in the way ---- */

/* Assumes: a claim of shared writers is made only for what lies inside EOF. */
static bool obstructed(struct get *get)
{
	struct file *f = get->file;
	struct segment *seg = NULL;
	struct layout *l;
	bool found = false;

	/* Nobody gets ahead of who a recall is for (RFC 8881 section 12.5.5.2). */
	DL_FOREACH2(f->recalled, l, recall_next)
		found |= range_overlaps(l->recall.range, get->range);
	found |= turn_blocks(f, &get->claim, get->range);
	while ((seg = layout_table_conflict(&f->table, &get->claim, get->range, seg))) {
		if (get->merge && seg->owner == get->client && seg->state == SEGMENT_GRANTED)
			continue;
		found = true;
		if (seg->state == SEGMENT_GRANTED)
			recall_start(seg->layout, get->client, seg->range,
				     "another client asks");
	}
	return found;
}

/*
 * Shared writers: what is inside EOF may be had together.  EOF is known while somebody
 * has a layout, and when nobody has there is no conflict either.
 */
static void cooperate(struct get *get)
{
	struct file *f = get->file;
	uint64_t eof = round_up_sat(f->size, f->exp->info.granule);
	struct claim alone = { get->client, get->claim.mode, false };

	if (!get->shared || f->lease != FILE_LEASE_HELD || get->range.offset >= eof)
		return;
	if (get->range.end > eof && get->min_end <= eof &&
	    layout_table_conflict(&f->table, &alone, get->range, NULL))
		get->range.end = eof;
	get->claim.coop = file_inside_eof(f, get->range);
}

/* ---- the grant ---- */

struct getting {
	struct grant g;
	struct get get;
};

static void granted(struct grant *g, enum iopmem_status status, struct segment **segs,
		    size_t n)
{
	struct getting *gg = (struct getting *)g;
	struct get get = gg->get;

	(void)segs;
	(void)n;
	/* One that merges has lost its old segments: it is told what it has now. */
	if (status && !get.merge)
		call_status(get.call, status);
	else
		answer(&get, g->layout);
	free(gg);
}

/* ---- merging ---- */

struct replace {
	struct teardown t;
	struct getting *gg;
};

static void replaced(struct teardown *t)
{
	struct replace *rep = (struct replace *)t;
	struct layout *l = t->layout;

	grant_start(l, &rep->gg->g);
	free(rep);
	layout_put(l);
}

/* The range grown to whole segments of the caller's own. */
static struct range hull(const struct get *get)
{
	struct range r = get->range;
	struct segment *seg = NULL;

	while ((seg = layout_table_overlap(&get->file->table, get->range, seg))) {
		if (seg->owner != get->client)
			continue;
		if (seg->range.offset < r.offset)
			r.offset = seg->range.offset;
		if (seg->range.end > r.end)
			r.end = seg->range.end;
	}
	return r;
}

/* The reservation is there before the old segments go: nobody gets in between. */
static enum iopmem_status merge_start(struct getting *gg, struct layout *l)
{
	struct replace *rep = calloc(1, sizeof(*rep));

	if (!rep)
		return IOPMEM_LAYOUTTRYLATER;
	rep->t.segs = layout_collect(l, gg->get.range, true, true, &rep->t.n);
	if (!rep->t.segs || grant_reserve(l, &gg->g)) {
		free(rep->t.segs);
		free(rep);
		return IOPMEM_LAYOUTTRYLATER;
	}
	rep->gg = gg;
	rep->t.layout = l;
	rep->t.why = "merged";
	rep->t.done = replaced;
	l->users++;
	teardown_start(&rep->t);
	return IOPMEM_OK;
}

/* ---- the call ---- */

/* The first gap in what the caller holds is what is granted; empty: it has all. */
static struct range wanted(const struct get *get)
{
	struct range r = get->range;
	struct segment *seg;

	while (!get->merge && !range_empty(r) &&
	       (seg = layout_table_held(&get->file->table, get->client, r.offset,
					get->claim.mode)))
		r.offset = seg->range.end;
	return get->merge || range_empty(r) ? r :
	       layout_table_clip(&get->file->table, get->client, r);
}

static void start(struct get *get)
{
	struct call *call = get->call;
	struct range want = wanted(get);
	struct layout *l = layout_get(get->file, get->client);
	enum iopmem_status status = IOPMEM_LAYOUTTRYLATER;
	struct getting *gg;

	if (!l)
		return call_status(call, status);
	if (range_empty(want)) {	/* it has all that already: the same keys again */
		answer(get, l);
		return layout_put(l);
	}
	gg = get->merge || !usage_full(get->client, range_len(want)) ?
	     calloc(1, sizeof(*gg)) : NULL;
	if (gg) {
		gg->get = *get;
		gg->g.range = want;
		gg->g.mode = get->claim.mode;
		gg->g.coop = get->shared;
		gg->g.done = granted;
		if (!get->merge)	/* the rest it has */
			gg->g.min_end = want.end < get->range.end && get->min_end > want.end ?
					want.end : get->min_end;
		status = IOPMEM_OK;
		if (get->merge)
			status = merge_start(gg, l);
		else
			grant_start(l, &gg->g);
		if (status)
			free(gg);
	}
	if (status)
		call_status(call, status);
	layout_put(l);
}

/* ---- checks ---- */

/* What minlength asks for; check() has seen that it does not wrap. */
static uint64_t least_end(const iopmem_layoutget_args *args)
{
	if (!args->minlength)
		return 0;
	return args->minlength == UINT64_MAX ? UINT64_MAX : args->offset + args->minlength;
}

/*
 * The open or layout stateid names the file (RFC 8881 section 12.5.3); any open of the
 * client may give the right.
 */
static enum iopmem_status find_file(struct get *get)
{
	const iopmem_layoutget_args *args = get->call->args;
	enum iopmem_status status;
	struct state *st;

	status = state_find(get->call->srv, get->client, &args->stateid, &st);
	if (status)
		return status;
	get->file = st->type == STATE_OPEN ? ((struct open *)st)->file :
					     ((struct layout *)st)->file;
	return open_any_may(get->file, get->client, get->claim.mode == BACKING_RW ?
			    IOPMEM_ACCESS_WRITE : IOPMEM_ACCESS_READ, &get->shared);
}

/* Rounds and bounds the range. */
static enum iopmem_status bound(struct get *get)
{
	uint64_t granule = get->file->exp->info.granule;
	uint64_t max = round_down_to(get->call->srv->cfg.max_grant, granule);
	struct range r = range_round_out(get->range, granule), all;

	if (r.end == UINT64_MAX || range_len(r) > max)
		r.end = r.offset + max;
	if (r.end > (uint64_t)INT64_MAX + 1 || r.end < r.offset)
		return IOPMEM_FBIG;
	if (get->claim.mode == BACKING_RW && get->min_end > r.end)
		return IOPMEM_BADLAYOUT;	/* before anything grows */
	get->range = r;
	all = hull(get);
	if (get->merge && range_len(all) <= max && layout_find(get->file, get->client) &&
	    layout_holds(layout_find(get->file, get->client), r))
		get->range = all;
	else
		get->merge = false;
	return IOPMEM_OK;
}

void op_layoutget(struct call *call)
{
	const iopmem_layoutget_args *args = call->args;
	struct get get = { .call = call, .client = call->client,
			   .merge = args->flags & IOPMEM_GET_MERGE };
	enum iopmem_status status;

	get.claim.owner = get.client;
	get.claim.mode = args->iomode == IOPMEM_WIRE_RW ? BACKING_RW : BACKING_READ;
	get.min_end = least_end(args);
	status = check(args, &get.range);
	if (!status)
		status = find_file(&get);
	if (status)
		return call_status(call, status);
	if (!get.client->peer || call->srv->stopping || get.file->exp->quiesce.active)
		return call_status(call, IOPMEM_LAYOUTTRYLATER);
	status = bound(&get);
	if (status)
		return call_status(call, status);
	if (forget_layout(call, get.file))
		return;
	/* A lease on its way out is no obstacle: the grant queues behind and takes it anew. */
	if (get.file->broken || get.file->gates ||
	    (get.claim.mode == BACKING_RW && work_reads(get.file, get.range)))
		return call_status(call, IOPMEM_RECALLCONFLICT);
	cooperate(&get);
	if (obstructed(&get)) {
		turn_wait(get.file, get.client, &get.claim, get.range);
		return call_status(call, IOPMEM_RECALLCONFLICT);
	}
	start(&get);
}
