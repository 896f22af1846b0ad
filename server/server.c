// SPDX-License-Identifier: BSD-3-Clause
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "client.h"
#include "export.h"
#include "layout.h"
#include "recall.h"

#define STOP_POLL_MS 20
#define TICK_MS 1000
#define RESOLVE_TICKS 60		/* host names are looked up again */

static void tick(struct timer *t)
{
	struct server *srv = container_of(t, struct server, tick);

	wait_log(&srv->waits);
	notify_status(srv);
	if (++srv->ticks % RESOLVE_TICKS == 0)
		exports_resolve(srv);
	timer_arm(srv->loop, t, TICK_MS);
}

void server_run(struct server *srv)
{
	srv->started_ms = clock_ms();
	srv->tick.fire = tick;
	timer_arm(srv->loop, &srv->tick, TICK_MS);
	notify_ready(srv);
}

static void about_stop(const struct wait *w, struct wait_about *a)
{
	const struct server *srv = container_of(w, struct server, stop_wait);

	snprintf(a->what, sizeof(a->what), "%u client(s) and %u file(s) so that the server can stop",
		 HASH_COUNT(srv->clients), HASH_COUNT(srv->files));
}

static const struct wait_type stop_type = { "stop", about_stop };

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
	wait_begin(&srv->waits, &srv->stop_wait, &stop_type);
	notify_stopping(srv);
	HASH_ITER(hh, srv->files, f, tmp)
		recall_file(f, NULL, (struct range){ 0, UINT64_MAX }, "server stops");
	srv->stop_timer.fire = stop_poll;
	timer_arm(srv->loop, &srv->stop_timer, 0);
}

void server_new_write_verifier(struct server *srv)
{
	const size_t len = sizeof(srv->write_verifier);

	while (getrandom(srv->write_verifier, len, 0) != (ssize_t)len)
		;
}

void server_write_failed(struct server *srv, int rc)
{
	if (rc == -EIO || rc == -ENOSPC || rc == -EDQUOT)
		server_new_write_verifier(srv);
}

void server_progress(struct server *srv)
{
	if (srv->fencing && !srv->clients && !srv->files)
		loop_stop(srv->loop);
}
