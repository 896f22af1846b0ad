// SPDX-License-Identifier: BSD-3-Clause
/*
 * SETATTR(size), RFC 8881 section 18.30: recall everybody, grant nothing, wait until
 * no layout and no kernel lease is left, then change the size.  (The server's own
 * ftruncate would wait for its own lease for ever.)
 */
#include <stdlib.h>

#include "call.h"
#include "client.h"
#include "export.h"
#include "file.h"
#include "recall.h"
#include "state.h"

struct setsize {
	struct file_waiter waiter;
	struct file_job fj;
	struct call *call;
	uint64_t size;
	struct stat st;
	int rc;
	struct iopmem_err err;
};

static struct setsize *of_job(struct file_job *fj)
{
	return container_of(fj, struct setsize, fj);
}

static void run(struct file_job *fj)
{
	struct setsize *s = of_job(fj);
	const struct backing_ops *ops = fj->file->exp->ops;

	s->rc = ops->set_size(fj->file->bf, s->size, &s->err);
	if (!s->rc)
		s->rc = ops->file_stat(fj->file->bf, &s->st);
}

static void done(struct file_job *fj)
{
	struct setsize *s = of_job(fj);
	struct file *f = fj->file;
	struct call *call = s->call;

	f->gates--;
	if (s->rc) {
		call_errno(call, s->rc, &s->err);
	} else {
		attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &s->st);
		call_reply(call);
	}
	free(s);
	file_put(f);
}

static void idle(struct file_waiter *w)
{
	struct setsize *s = (struct setsize *)w;

	s->fj.run = run;
	s->fj.done = done;
	file_submit(w->file, &s->fj);
}

void op_setsize(struct call *call)
{
	const iopmem_setsize_args *args = call->args;
	enum iopmem_status status;
	struct setsize *s;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->stateid, &o);
	if (status)
		return call_status(call, status);
	if (!(o->access & IOPMEM_ACCESS_WRITE))
		return call_status(call, IOPMEM_OPENMODE);
	if (args->size > INT64_MAX)
		return call_status(call, IOPMEM_FBIG);
	s = calloc(1, sizeof(*s));
	if (!s)
		return call_status(call, IOPMEM_DELAY);
	s->call = call;
	s->size = args->size;
	s->waiter.ready = idle;
	file_ref(o->file);
	o->file->gates++;
	recall_file(o->file, NULL, (struct range){ 0, UINT64_MAX }, "size change by a client");
	file_wait_idle(o->file, &s->waiter);
}
