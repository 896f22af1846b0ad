// SPDX-License-Identifier: BSD-3-Clause
/* GETATTR of an open file. */
#include <stdlib.h>

#include "call.h"
#include "client.h"
#include "export.h"
#include "file.h"
#include "state.h"

struct getattr {
	struct job job;
	struct call *call;
	struct file *file;
	struct stat st;
	int rc;
};

static void run(struct job *job)
{
	struct getattr *g = (struct getattr *)job;

	g->rc = g->file->exp->ops->file_stat(g->file->bf, &g->st);
}

static void done(struct job *job)
{
	struct getattr *g = (struct getattr *)job;
	struct call *call = g->call;

	if (g->rc) {
		call_errno(call, g->rc, NULL);
	} else {
		attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &g->st);
		call_reply(call);
	}
	file_put(g->file);
	free(g);
}

void op_getattr(struct call *call)
{
	const iopmem_stateid_args *args = call->args;
	enum iopmem_status status;
	struct getattr *g;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->stateid, &o);
	if (!status && !export_leaves(o->file->exp, &o->from, call->client->flavor))
		status = IOPMEM_ACCESS;
	if (status)
		return call_status(call, status);
	g = calloc(1, sizeof(*g));
	if (!g)
		return call_status(call, IOPMEM_DELAY);
	g->call = call;
	g->file = o->file;
	file_ref(o->file);
	g->job.run = run;
	g->job.done = done;
	pool_submit(call->srv->fs_pool, &g->job);
}
