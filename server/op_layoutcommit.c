// SPDX-License-Identifier: BSD-3-Clause
/*
 * LAYOUTCOMMIT, RFC 8881 section 18.42: the client has flushed; make extents and
 * size durable.  The reply comes when power loss no longer takes them.
 */
#include <stdlib.h>

#include "call.h"
#include "export.h"
#include "layout.h"
#include "layout_wire.h"
#include "recall.h"

struct commit {
	struct file_job fj;
	struct call *call;
	struct layout *layout;
	struct range *ranges;
	size_t n;
	uint64_t new_size, size;
	int rc;
	struct iopmem_err err;
};

static void run(struct file_job *fj)
{
	struct commit *c = (struct commit *)fj;
	struct file *f = fj->file;

	c->rc = f->exp->ops->commit(f->bf, c->ranges, c->n, c->new_size, &c->size, &c->err);
}

static void done(struct file_job *fj)
{
	struct commit *c = (struct commit *)fj;
	struct layout *l = c->layout;
	struct call *call = c->call;

	server_write_failed(call->srv, c->rc);
	if (c->rc) {
		call_errno(call, c->rc, &c->err);
	} else {
		fj->file->size = c->size;
		recall_progress(l);
		call->res.layoutcommit.iopmem_layoutcommit_res_u.ok.size = c->size;
		call_reply(call);
	}
	free(c->ranges);
	free(c);
	layout_put(l);
}

void op_layoutcommit(struct call *call)
{
	const iopmem_layoutcommit_args *args = call->args;
	enum iopmem_status status;
	struct commit *c;
	struct state *st;
	struct layout *l;

	status = state_find(call->srv, call->client, &args->stateid, &st);
	if (!status && st->type != STATE_LAYOUT)
		status = IOPMEM_BADLAYOUT;
	if (status)
		return call_status(call, status);
	l = (struct layout *)st;
	c = calloc(1, sizeof(*c));
	if (!c)
		return call_status(call, IOPMEM_DELAY);
	status = commit_take(l->file, call->client, &args->commit, &c->ranges, &c->n);
	if (status) {
		free(c);
		return call_status(call, status);
	}
	c->call = call;
	c->layout = l;
	c->new_size = args->commit.new_size;
	c->fj.what = "commit";
	c->fj.run = run;
	c->fj.done = done;
	l->users++;
	file_submit(l->file, &c->fj);
}
