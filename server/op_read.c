// SPDX-License-Identifier: BSD-3-Clause
/*
 * READ through the server, RFC 8881 section 18.22.  RFC 8434 section 3.1: layouts that may
 * write the range are recalled first, the caller's own too; the call never waits for that.
 */
#include <stdlib.h>
#include <utlist.h>

#include "client.h"
#include "export.h"
#include "recall.h"
#include "state.h"
#include "work.h"

struct reading {
	struct work w;
	uint64_t offset;
	size_t n;
	bool eof;
	char *data;
};

static int run(struct work *w)
{
	struct reading *rd = (struct reading *)w;
	struct file *f = w->fj.file;

	return f->exp->ops->read(f->bf, rd->data, &rd->n, rd->offset, &rd->eof, &w->err);
}

static void done(struct work *w)
{
	struct reading *rd = (struct reading *)w;
	struct call *call = w->call;
	iopmem_read_ok *ok = &call->res.read.iopmem_read_res_u.ok;

	if (w->rc) {
		free(rd->data);
		return call_errno(call, w->rc, &w->err);
	}
	ok->eof = rd->eof;
	ok->data.data_val = rd->data;	/* freed with the result */
	ok->data.data_len = (u_int)rd->n;
	call_reply(call);
}

/* Recalls what may write @r. */
static bool in_the_way(struct file *f, const struct client *by, struct range r)
{
	struct segment *seg;
	bool found = false;

	DL_FOREACH(f->table.head, seg) {
		if (seg->mode != BACKING_RW || !range_overlaps(seg->range, r))
			continue;
		found = true;
		if (seg->state == SEGMENT_GRANTED)
			recall_start(seg->layout, by, seg->range,
				     "a client reads through the server");
	}
	return found;
}

void op_read(struct call *call)
{
	const iopmem_read_args *args = call->args;
	uint64_t count = args->count < IOPMEM_IO_MAX ? args->count : IOPMEM_IO_MAX;
	enum iopmem_status status;
	struct reading *rd;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->stateid, &o);
	if (!status)
		status = open_may(o, IOPMEM_ACCESS_READ);
	if (status)
		return call_status(call, status);
	if (count > UINT64_MAX - args->offset)
		return call_status(call, IOPMEM_INVAL);
	if (in_the_way(o->file, call->client, (struct range){ args->offset, args->offset + count }))
		return call_status(call, IOPMEM_RECALLCONFLICT);
	rd = work_new(call, sizeof(*rd));
	if (!rd)
		return;
	rd->w.range = (struct range){ args->offset, args->offset + count };
	rd->w.what = "read";
	rd->w.run = run;
	rd->offset = args->offset;
	rd->n = (size_t)count;
	rd->data = malloc(count ? (size_t)count : 1);
	if (!rd->data) {
		free(rd);
		return call_status(call, IOPMEM_DELAY);
	}
	work_start(&rd->w, o->file, done);
}
