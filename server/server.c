// SPDX-License-Identifier: BSD-3-Clause
#include "server.h"

#include <utlist.h>

#include "base/log.h"
#include "client.h"
#include "layout.h"
#include "recall.h"

#define STOP_POLL_MS 20

static bool layouts_left(const struct server *srv)
{
	struct client *c, *tmp;

	HASH_ITER(hh, srv->clients, c, tmp)
		if (c->layouts)
			return true;
	return false;
}

static void end_clients(struct server *srv)
{
	struct client *c, *tmp;

	srv->fencing = true;
	timer_cancel(srv->loop, &srv->stop_timer);
	HASH_ITER(hh, srv->clients, c, tmp)
		if (!c->dying)
			client_destroy(c, "server stops", NULL);
	server_progress(srv);
}

static void stop_poll(struct timer *t)
{
	struct server *srv = container_of(t, struct server, stop_timer);

	if (!layouts_left(srv) || srv->stop_polls++ >= SERVER_STOP_PATIENCE_MS / STOP_POLL_MS)
		return end_clients(srv);
	timer_arm(srv->loop, t, STOP_POLL_MS);
}

void server_stop(struct server *srv)
{
	struct file *f, *tmp;

	if (srv->stopping) {
		if (!srv->fencing)
			end_clients(srv);
		return;
	}
	log_info("stopping: recalling every layout");
	srv->stopping = true;
	HASH_ITER(hh, srv->files, f, tmp)
		recall_file(f, NULL, (struct range){ 0, UINT64_MAX }, "server stops");
	srv->stop_timer.fire = stop_poll;
	timer_arm(srv->loop, &srv->stop_timer, 0);
}

void server_progress(struct server *srv)
{
	if (srv->fencing && !srv->clients && !srv->files)
		loop_stop(srv->loop);
}
