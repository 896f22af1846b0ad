// SPDX-License-Identifier: BSD-3-Clause
/*
 * LAYOUTRETURN, RFC 8881 section 18.44, with the commit it carries: regions dead,
 * commit, unmap.  What a partial return leaves is granted again under new keys.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "call.h"
#include "client.h"
#include "export.h"
#include "layout.h"
#include "layout_wire.h"
#include "recall.h"
#include "work.h"

#define REST_MAX 2		/* a range cuts at most its first and its last segment */

struct giveback {
	struct teardown t;
	struct call *call;
	struct layout *layout;
	struct range rest[2 * REST_MAX];
	enum backing_iomode rest_mode[2 * REST_MAX];
	bool rest_coop[2 * REST_MAX];
	unsigned int nr_rest, next_rest;
};

/* ---- FILE ---- */

static void answer(struct giveback *gb)
{
	struct call *call = gb->call;
	struct layout *l = gb->layout;
	iopmem_layoutreturn_ok *ok = &call->res.layoutreturn.iopmem_layoutreturn_res_u.ok;

	ok->commit_status = status_from_errno(gb->t.commit_rc);
	ok->size = l->file->size;
	ok->present = l->segs != NULL;
	state_bump(&l->st);
	state_wire(&l->st, &ok->stateid);
	if (gb->t.commit_err.code)
		log_warn("%s: commit of client %s's return: %s", l->file->name,
			 l->st.client->name, gb->t.commit_err.text);
	free(gb);
	call_reply(call);
	layout_put(l);
}

static void regrant_next(struct giveback *gb);

static void add_replacement(struct call *call, const struct segment *seg)
{
	iopmem_layoutreturn_ok *ok = &call->res.layoutreturn.iopmem_layoutreturn_res_u.ok;
	u_int n = ok->segments.segments_len;
	iopmem_segment *list;

	if (n == IOPMEM_SEGMENTS_MAX)
		return;		/* the client does not have it: LAYOUTGET tells it again */
	list = realloc(ok->segments.segments_val, (n + 1) * sizeof(*list));
	if (!list)
		return;
	ok->segments.segments_val = list;
	segment_wire(seg, &list[n]);
	ok->segments.segments_len = n + 1;
}

static void regranted(struct grant *g, enum iopmem_status status, struct segment **segs,
		      size_t n)
{
	struct giveback *gb = g->arg;
	size_t i;

	for (i = 0; !status && i < n; i++)
		add_replacement(gb->call, segs[i]);
	free(g);
	regrant_next(gb);
}

/* Somebody was faster: another client, or a reader through the server. */
static bool taken(const struct giveback *gb, unsigned int i)
{
	const struct file *f = gb->layout->file;
	struct claim claim = { gb->layout->st.client, gb->rest_mode[i], gb->rest_coop[i] };

	return layout_table_conflict(&f->table, &claim, gb->rest[i], NULL) ||
	       (gb->rest_mode[i] == BACKING_RW && work_reads(f, gb->rest[i]));
}

static void regrant_next(struct giveback *gb)
{
	struct layout *l = gb->layout;
	struct grant *g;
	unsigned int i = gb->next_rest++;

	if (i >= gb->nr_rest)
		return answer(gb);
	g = taken(gb, i) ? NULL : calloc(1, sizeof(*g));
	if (!g)
		return regrant_next(gb);	/* lost, like any layout under a recall */
	g->range = gb->rest[i];
	g->mode = gb->rest_mode[i];
	g->coop = gb->rest_coop[i];
	g->done = regranted;
	g->arg = gb;
	grant_start(l, g);
}

static void returned(struct teardown *t)
{
	regrant_next((struct giveback *)t);
}

/* What of @seg lies outside @r stays with the client. */
static void keep_rest(struct giveback *gb, const struct segment *seg, struct range r)
{
	struct range parts[2] = {
		{ seg->range.offset, r.offset },
		{ r.end, seg->range.end },
	};
	int i;

	for (i = 0; i < 2; i++) {
		if (range_empty(parts[i]) || gb->nr_rest == 2 * REST_MAX)
			continue;
		gb->rest[gb->nr_rest] = parts[i];
		gb->rest_coop[gb->nr_rest] = seg->coop;
		gb->rest_mode[gb->nr_rest++] = seg->mode;
	}
}

static void return_file(struct call *call)
{
	const iopmem_layoutreturn_args *args = call->args;
	enum iopmem_status status;
	struct giveback *gb;
	struct layout *l;
	struct state *st;
	struct range r;
	size_t i;

	status = state_find(call->srv, call->client, &args->stateid, &st);
	if (!status && st->type != STATE_LAYOUT)
		status = IOPMEM_BAD_STATEID;
	if (!status && !range_make(args->offset, args->length, &r))
		status = IOPMEM_INVAL;
	if (status)
		return call_status(call, status);
	l = (struct layout *)st;
	gb = calloc(1, sizeof(*gb));
	if (!gb)
		return call_status(call, IOPMEM_DELAY);
	status = commit_take(l->file, call->client, &args->commit, &gb->t.commit,
			     &gb->t.nr_commit);
	if (status) {
		free(gb);
		return call_status(call, status);
	}
	r = range_round_out(r, l->file->exp->info.granule);
	gb->call = call;
	gb->layout = l;
	gb->t.layout = l;
	gb->t.new_size = args->commit.new_size;
	gb->t.segs = layout_collect(l, r, args->iomode != IOPMEM_WIRE_RW,
				    args->iomode != IOPMEM_WIRE_READ, &gb->t.n);
	gb->t.why = "returned";
	gb->t.done = returned;
	for (i = 0; i < gb->t.n; i++)
		keep_rest(gb, gb->t.segs[i], r);
	if (gb->t.n && l->recall.active && range_overlaps(l->recall.range, r))
		recall_progress(l);
	l->users++;
	teardown_start(&gb->t);
}

/* ---- FSID and ALL ---- */

struct bulk {
	struct call *call;
	unsigned int pending;
};

static void bulk_put(struct bulk *b)
{
	if (--b->pending)
		return;
	call_reply(b->call);
	free(b);
}

static void bulk_returned(struct teardown *t)
{
	struct layout *l = t->layout;
	struct bulk *b = t->arg;

	free(t);
	layout_put(l);
	bulk_put(b);
}

static void bulk_one(struct bulk *b, struct layout *l, iopmem_iomode mode)
{
	struct teardown *t = calloc(1, sizeof(*t));

	if (!t)
		return;		/* stays out until it is recalled or the client ends */
	t->segs = layout_collect(l, (struct range){ 0, UINT64_MAX }, mode != IOPMEM_WIRE_RW,
				 mode != IOPMEM_WIRE_READ, &t->n);
	if (!t->segs)
		return free(t);
	t->layout = l;
	t->why = "returned";
	t->done = bulk_returned;
	t->arg = b;
	l->users++;
	b->pending++;
	teardown_start(t);
}

static void return_bulk(struct call *call)
{
	const iopmem_layoutreturn_args *args = call->args;
	const struct export *exp = NULL;
	struct layout *l, *next;
	struct bulk *b;

	if (args->type == IOPMEM_RETURN_FSID) {
		exp = export_find(call->srv, args->export_name);
		if (!exp)
			return call_status(call, IOPMEM_NOENT);
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return call_status(call, IOPMEM_DELAY);
	b->call = call;
	b->pending = 1;
	DL_FOREACH_SAFE(call->client->layouts, l, next)
		if (!exp || l->file->exp == exp)
			bulk_one(b, l, args->iomode);
	bulk_put(b);
}

void op_layoutreturn(struct call *call)
{
	const iopmem_layoutreturn_args *args = call->args;

	if (args->iomode < IOPMEM_WIRE_READ || args->iomode > IOPMEM_WIRE_ANY)
		return call_status(call, IOPMEM_BADIOMODE);
	switch (args->type) {
	case IOPMEM_RETURN_FILE:
		return return_file(call);
	case IOPMEM_RETURN_FSID:
	case IOPMEM_RETURN_ALL:
		if (args->commit.ranges.ranges_len || args->commit.new_size)
			return call_status(call, IOPMEM_INVAL);
		return return_bulk(call);
	default:
		return call_status(call, IOPMEM_INVAL);
	}
}
