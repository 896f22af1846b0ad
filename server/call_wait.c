// SPDX-License-Identifier: BSD-3-Clause
/* Calls that take their time are waits; a parked EVENT_WAIT is meant to. */
#include <stdio.h>
#include <utlist.h>

#include "call.h"
#include "client.h"
#include "export.h"

static void about(const struct wait *w, struct wait_about *a)
{
	const struct call *call = container_of(w, struct call, wait);
	const struct client *c = call->client;

	snprintf(a->what, sizeof(a->what), "%s of %s%s%s%.60s%s%.100s", call->op->name,
		 c ? "client " : "", c ? c->name : call->peer,
		 call->path ? ": " : "", call->path ? call->exp->cfg->name : "",
		 call->path ? "/" : "", call->path ? call->path : "");
	a->client = c ? c->name : NULL;
	a->export = call->exp ? call->exp->cfg->name : NULL;
}

static const struct wait_type type = { "call", about };

void call_wait_begin(struct call *call)
{
	if (!(call->op->flags & OP_PARKS))
		wait_begin(&call->srv->waits, &call->wait, &type);
}

void call_wait_end(struct call *call)
{
	wait_end(&call->srv->waits, &call->wait);
}

unsigned int call_count_changing(const struct server *srv, const struct export *exp)
{
	const struct call *call;
	const struct wait *w;
	unsigned int n = 0;

	DL_FOREACH(srv->waits.head, w) {
		if (w->type != &type)
			continue;
		call = container_of(w, struct call, wait);
		n += call->exp == exp && (call->op->flags & OP_SEQ);
	}
	return n;
}
