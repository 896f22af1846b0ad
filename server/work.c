// SPDX-License-Identifier: BSD-3-Clause
#include "work.h"

#include <stdlib.h>
#include <utlist.h>

#include "export.h"

void *work_new(struct call *call, size_t size)
{
	struct work *w = calloc(1, size);

	if (w)
		w->call = call;
	else
		call_status(call, IOPMEM_DELAY);
	return w;
}

static struct work *of_job(struct file_job *fj)
{
	return container_of(fj, struct work, fj);
}

static void run(struct file_job *fj)
{
	struct work *w = of_job(fj);
	struct file *f = fj->file;

	w->rc = cred_enter(&w->cred);
	if (w->rc) {
		err_set(&w->err, -w->rc, "act as uid %u", w->cred.uid);
		return;
	}
	w->rc = w->run(w);
	cred_leave();
	if (!w->rc)
		w->rc = f->exp->ops->file_stat(f->bf, &w->st);
}

static void finish(struct file_job *fj)
{
	struct work *w = of_job(fj);
	struct file *f = fj->file;

	if (w->alone)
		f->gates--;
	else
		DL_DELETE(f->works, w);
	server_write_failed(f->srv, w->rc);
	w->done(w);
	free(w);
	file_put(f);
}

static void submit(struct work *w, struct file *f)
{
	w->fj.what = w->what;
	w->fj.run = run;
	w->fj.done = finish;
	file_submit(f, &w->fj);
}

static void idle(struct file_waiter *waiter)
{
	submit(container_of(waiter, struct work, waiter), waiter->file);
}

void work_start(struct work *w, struct file *f, void (*done)(struct work *w))
{
	if (w->alone && quiesce_delays(w->call, f->exp))
		return free(w);
	w->call->exp = f->exp;
	export_cred(f->exp, w->call, &w->cred);
	w->done = done;
	file_ref(f);
	if (w->alone) {
		f->gates++;
		w->waiter.ready = idle;
		file_wait_idle(f, &w->waiter);
	} else {
		DL_APPEND(f->works, w);
		submit(w, f);
	}
}

void work_answer_attr(struct work *w)
{
	struct call *call = w->call;

	if (w->rc)
		return call_errno(call, w->rc, &w->err);
	attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &w->st);
	call_reply(call);
}

bool work_reads(const struct file *f, struct range r)
{
	const struct work *w;

	DL_FOREACH(f->works, w)
		if (!range_empty(w->range) && range_overlaps(w->range, r))
			return true;
	return false;
}
