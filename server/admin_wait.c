// SPDX-License-Identifier: BSD-3-Clause
#include "admin_wait.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "json_put.h"

#define POLL_MS		20
#define PROGRESS_MS	1000

static void over(struct admin_wait *w)
{
	struct json_object *result = json_object_new_object();
	struct admin_call *call = w->call;

	put_number(result, "ms", clock_ms() - w->started_ms);
	w->end(w, 0, result);
	free(w);
	admin_reply(call, result);
}

static void poll_left(struct timer *t)
{
	struct admin_wait *w = container_of(t, struct admin_wait, poll);
	struct admin_call *call = w->call;
	uint64_t now = clock_ms();
	char text[400] = "";
	unsigned int left = w->left(w, text, sizeof(text));

	if (!left)
		return over(w);
	if (w->deadline_ms && now >= w->deadline_ms) {
		w->end(w, -ETIMEDOUT, NULL);
		free(w);
		return admin_error(call, ETIMEDOUT, "timed out: %u left: %s", left, text);
	}
	if (now - w->said_ms >= PROGRESS_MS) {
		w->said_ms = now;
		admin_progress(call, text);
	}
	timer_arm(call->srv->loop, t, POLL_MS);
}

static void lost(struct admin_call *call)
{
	struct admin_wait *w = call->priv;

	timer_cancel(call->srv->loop, &w->poll);
	w->end(w, -EPIPE, NULL);
	free(w);
}

void admin_wait_start(struct admin_wait *w, struct admin_call *call)
{
	int64_t timeout_ms = admin_number(call, "timeout_ms", 0);

	w->call = call;
	w->started_ms = w->said_ms = clock_ms();
	w->deadline_ms = timeout_ms > 0 ? w->started_ms + (uint64_t)timeout_ms : 0;
	w->poll.fire = poll_left;
	call->priv = w;
	call->lost = lost;
	poll_left(&w->poll);
}
