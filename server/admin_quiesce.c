// SPDX-License-Identifier: BSD-3-Clause
/* quiesce and resume over the admin channel. */
#include <errno.h>
#include <stdlib.h>

#include "admin.h"
#include "admin_find.h"
#include "admin_wait.h"
#include "export.h"
#include "json_put.h"

struct quiescing {
	struct admin_wait wait;
	struct export *exp;
};

static unsigned int left(struct admin_wait *w, char *text, size_t size)
{
	return quiesce_left(((struct quiescing *)w)->exp, text, size);
}

/* One that was given up is taken back: nobody is left who would resume it. */
static void end(struct admin_wait *w, int rc, struct json_object *result)
{
	struct export *exp = ((struct quiescing *)w)->exp;

	if (rc)
		quiesce_end(exp);
	else
		put_text(result, "quiesced", exp->cfg->name);
}

void admin_quiesce(struct admin_call *call)
{
	struct export *exp = admin_need_export(call);
	struct quiescing *q;

	if (!exp)
		return;
	if (exp->quiesce.active)
		return admin_error(call, EALREADY, "export '%s' is %s already", exp->cfg->name,
				   exp->quiesce.reached ? "quiesced" : "being quiesced");
	if (call->srv->stopping)
		return admin_error(call, ESHUTDOWN, "quiesce '%s': the server stops", exp->cfg->name);
	q = calloc(1, sizeof(*q));
	if (!q)
		return admin_error(call, ENOMEM, "quiesce '%s': out of memory", exp->cfg->name);
	q->exp = exp;
	q->wait.left = left;
	q->wait.end = end;
	quiesce_start(exp);
	admin_wait_start(&q->wait, call);
}

void admin_resume(struct admin_call *call)
{
	struct export *exp = admin_need_export(call);
	struct json_object *o;

	if (!exp)
		return;
	if (!exp->quiesce.active || !exp->quiesce.reached)
		return admin_error(call, EALREADY, "export '%s' is not quiesced%s", exp->cfg->name,
				   exp->quiesce.active ? " yet: end the quiesce that waits" : "");
	quiesce_end(exp);
	o = json_object_new_object();
	put_text(o, "resumed", exp->cfg->name);
	admin_reply(call, o);
}
