// SPDX-License-Identifier: BSD-3-Clause
/*
 * LAYOUTGET, RFC 8881 section 18.43.  Never waits for another client: a conflict
 * starts the recall and is answered at once.
 */
#include <stdlib.h>
#include <utlist.h>

#include "call.h"
#include "export.h"
#include "layout.h"
#include "layout_wire.h"
#include "recall.h"

#define SEGMENT_WIRE_BYTES 44
#define REPLY_FIXED_BYTES 32

/* The argument laws, before any effect. */
static enum iopmem_status check(const iopmem_layoutget_args *a, struct range *r)
{
	if (a->iomode != IOPMEM_WIRE_READ && a->iomode != IOPMEM_WIRE_RW)
		return IOPMEM_BADIOMODE;
	if (a->length < a->minlength)
		return IOPMEM_INVAL;
	if (a->minlength != UINT64_MAX && a->minlength > UINT64_MAX - a->offset)
		return IOPMEM_INVAL;
	if (!range_make(a->offset, a->length ? a->length : 1, r))
		return IOPMEM_INVAL;
	if (a->maxcount < REPLY_FIXED_BYTES + SEGMENT_WIRE_BYTES)
		return IOPMEM_TOOSMALL;
	return IOPMEM_OK;
}

/* Recalls every layout in the way; RECALLCONFLICT when there is one. */
static enum iopmem_status conflicts(struct file *f, struct client *c, struct range r,
				    enum backing_iomode mode)
{
	struct segment *seg = NULL;
	struct layout *l;
	bool found = false;

	/* A lease on its way out is no obstacle: the grant queues behind and takes it anew. */
	if (f->broken || f->gates)
		return IOPMEM_RECALLCONFLICT;
	/* Nobody gets ahead of who a recall is for (RFC 8881 section 12.5.5.2). */
	DL_FOREACH2(f->layouts, l, file_next)
		if (l->recall.active && range_overlaps(l->recall.range, r))
			found = true;
	while ((seg = layout_table_conflict(&f->table, c, r, mode, seg))) {
		found = true;
		if (seg->state == SEGMENT_GRANTED)
			recall_start(seg->layout, seg->range, "another client asks");
	}
	return found ? IOPMEM_RECALLCONFLICT : IOPMEM_OK;
}

static void answer(struct call *call, struct layout *l, struct segment **segs, size_t n)
{
	const iopmem_layoutget_args *args = call->args;
	iopmem_layoutget_ok *ok = &call->res.layoutget.iopmem_layoutget_res_u.ok;
	size_t i, room = (args->maxcount - REPLY_FIXED_BYTES) / SEGMENT_WIRE_BYTES;

	if (room > IOPMEM_SEGMENTS_MAX)
		room = IOPMEM_SEGMENTS_MAX;
	ok->segments.segments_val = calloc(n ? n : 1, sizeof(iopmem_segment));
	if (!ok->segments.segments_val)
		return call_status(call, IOPMEM_LAYOUTTRYLATER);
	for (i = 0; i < n && i < room; i++)
		segment_wire(segs[i], &ok->segments.segments_val[i]);
	ok->segments.segments_len = (u_int)i;
	ok->size = l->file->size;
	state_bump(&l->st);
	state_wire(&l->st, &ok->stateid);
	call_reply(call);
}

static void granted(struct grant *g, enum iopmem_status status, struct segment **segs,
		    size_t n)
{
	struct call *call = g->arg;
	struct layout *l = g->layout;

	if (status)
		call_status(call, status);
	else if (!n)		/* READ behind EOF: a stateid would name nothing */
		call_status(call, IOPMEM_BADLAYOUT);
	else
		answer(call, l, segs, n);
	free(g);
}

/* The open or layout stateid names file and access (RFC 8881 section 12.5.3). */
static enum iopmem_status find_file(struct call *call, struct file **f, uint32_t *access)
{
	const iopmem_layoutget_args *args = call->args;
	enum iopmem_status status;
	struct state *st;
	struct open *o;

	status = state_find(call->srv, call->client, &args->stateid, &st);
	if (status)
		return status;
	*access = 0;
	*f = st->type == STATE_OPEN ? ((struct open *)st)->file : ((struct layout *)st)->file;
	DL_FOREACH(call->client->opens, o)
		if (o->file == *f)
			*access |= o->access;
	return *access ? IOPMEM_OK : IOPMEM_BAD_STATEID;
}

/* What minlength asks for; check() has seen that it does not wrap. */
static uint64_t least_end(const iopmem_layoutget_args *args)
{
	if (!args->minlength)
		return 0;
	return args->minlength == UINT64_MAX ? UINT64_MAX : args->offset + args->minlength;
}

static void start(struct call *call, struct file *f, struct range r,
		  enum backing_iomode mode)
{
	const iopmem_layoutget_args *args = call->args;
	struct layout *l = layout_get(f, call->client);
	struct segment *held;
	struct grant *g;

	if (!l)
		return call_status(call, IOPMEM_LAYOUTTRYLATER);
	held = layout_table_held(&f->table, call->client, r.offset, mode);
	if (held) {		/* it has that already: the same keys again */
		answer(call, l, &held, 1);
		return layout_put(l);
	}
	g = calloc(1, sizeof(*g));
	if (g) {
		g->range = layout_table_clip(&f->table, call->client, r);
		g->min_end = least_end(args);
		if (g->range.end < r.end && g->min_end > g->range.end)
			g->min_end = g->range.end;	/* the rest it has */
		g->mode = mode;
		g->done = granted;
		g->arg = call;
		grant_start(l, g);
	} else {
		call_status(call, IOPMEM_LAYOUTTRYLATER);
	}
	layout_put(l);
}

void op_layoutget(struct call *call)
{
	const iopmem_layoutget_args *args = call->args;
	enum backing_iomode mode;
	enum iopmem_status status;
	struct range r;
	struct file *f;
	uint32_t access;
	uint64_t max;

	status = check(args, &r);
	if (!status)
		status = find_file(call, &f, &access);
	if (status)
		return call_status(call, status);
	mode = args->iomode == IOPMEM_WIRE_RW ? BACKING_RW : BACKING_READ;
	if (mode == BACKING_RW && !(access & IOPMEM_ACCESS_WRITE))
		return call_status(call, IOPMEM_OPENMODE);
	if (mode == BACKING_READ && !(access & IOPMEM_ACCESS_READ))
		return call_status(call, IOPMEM_OPENMODE);
	if (!call->client->peer || call->srv->stopping)
		return call_status(call, IOPMEM_LAYOUTTRYLATER);
	r = range_round_out(r, f->exp->info.granule);
	max = round_down_to(call->srv->cfg.max_grant, f->exp->info.granule);
	if (r.end == UINT64_MAX || range_len(r) > max)
		r.end = r.offset + max;
	if (r.end > (uint64_t)INT64_MAX + 1 || r.end < r.offset)
		return call_status(call, IOPMEM_FBIG);
	if (mode == BACKING_RW && least_end(args) > r.end)
		return call_status(call, IOPMEM_BADLAYOUT);	/* before anything grows */
	status = conflicts(f, call->client, r, mode);
	if (status)
		return call_status(call, status);
	start(call, f, r, mode);
}
