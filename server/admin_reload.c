// SPDX-License-Identifier: BSD-3-Clause
/* reload over the admin channel: SIGHUP with an answer. */
#include <errno.h>

#include "admin.h"
#include "json_put.h"
#include "reload.h"

static void told(void *arg, const struct reload_result *result)
{
	struct admin_call *call = arg;
	struct json_object *o;

	if (result->err->code)
		return admin_error(call, result->err->code, "reload: %s", result->err->text);
	o = json_object_new_object();
	put_number(o, "changed", result->changed);
	put_text(o, "left", result->left);
	admin_reply(call, o);
}

static void lost(struct admin_call *call)
{
	reload_forget(call->srv->reload);
}

void admin_reload(struct admin_call *call)
{
	if (call->srv->stopping)
		return admin_error(call, ESHUTDOWN, "reload: the server stops");
	if (!reload_may_ask(call->srv->reload))
		return admin_error(call, EALREADY, "reload: another one is under way");
	call->lost = lost;
	reload_start(call->srv->reload, told, call);
}
