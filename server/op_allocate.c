// SPDX-License-Identifier: BSD-3-Clause
/*
 * ALLOCATE and DEALLOCATE, RFC 7862 sections 15.1 and 15.4: blocks change, so layouts go
 * first, as with SETSIZE.
 */
#include "client.h"
#include "export.h"
#include "recall.h"
#include "state.h"
#include "work.h"

struct allocate {
	struct work w;
	struct range range;
	bool punch;
};

static int run(struct work *w)
{
	struct allocate *a = (struct allocate *)w;
	struct file *f = w->fj.file;

	return f->exp->ops->allocate(f->bf, a->range, a->punch, &w->err);
}

static void start(struct call *call, bool punch, const char *why)
{
	const iopmem_allocate_args *args = call->args;
	enum iopmem_status status;
	struct allocate *a;
	struct range r;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->stateid, &o);
	if (!status)
		status = open_may(o, IOPMEM_ACCESS_WRITE);
	if (status)
		return call_status(call, status);
	if (!args->length || args->length > UINT64_MAX - args->offset)
		return call_status(call, IOPMEM_INVAL);
	r = (struct range){ args->offset, args->offset + args->length };
	if (r.end > INT64_MAX)
		return call_status(call, IOPMEM_FBIG);
	a = work_new(call, sizeof(*a));
	if (!a)
		return;
	a->w.what = punch ? "hole punch" : "allocation";
	a->w.alone = true;
	a->w.run = run;
	a->range = r;
	a->punch = punch;
	recall_file(o->file, call->client, (struct range){ 0, UINT64_MAX }, why);
	work_start(&a->w, o->file, work_answer_attr);
}

void op_allocate(struct call *call)
{
	start(call, false, "allocation by a client");
}

void op_deallocate(struct call *call)
{
	start(call, true, "hole punched by a client");
}
