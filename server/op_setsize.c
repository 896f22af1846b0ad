// SPDX-License-Identifier: BSD-3-Clause
/*
 * SETATTR(size), RFC 8881 section 18.30: recall everybody, grant nothing, wait until
 * no layout and no kernel lease is left, then change the size.
 */
#include "client.h"
#include "export.h"
#include "recall.h"
#include "state.h"
#include "work.h"

static int run(struct work *w)
{
	const iopmem_setsize_args *args = w->call->args;
	struct file *f = w->fj.file;

	return f->exp->ops->set_size(f->bf, args->size, &w->err);
}

void op_setsize(struct call *call)
{
	const iopmem_setsize_args *args = call->args;
	enum iopmem_status status;
	struct work *w;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->stateid, &o);
	if (status)
		return call_status(call, status);
	status = open_may(o, IOPMEM_ACCESS_WRITE);
	if (status)
		return call_status(call, status);
	if (args->size > INT64_MAX)
		return call_status(call, IOPMEM_FBIG);
	w = work_new(call, sizeof(*w));
	if (!w)
		return;
	w->what = "size change";
	w->alone = true;
	w->run = run;
	recall_file(o->file, call->client, (struct range){ 0, UINT64_MAX }, "size change by a client");
	work_start(w, o->file, work_answer_attr);
}
