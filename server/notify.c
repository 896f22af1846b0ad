// SPDX-License-Identifier: BSD-3-Clause
#include "notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <uthash.h>

#include "client.h"
#include "server.h"

static void feed(struct timer *t)
{
	struct notify *n = container_of(t, struct notify, watchdog);
	struct server *srv = container_of(n, struct server, notify);

	sd_notify(0, "WATCHDOG=1");
	timer_arm(srv->loop, t, n->watchdog_ms / 2);
}

static void describe(const struct server *srv, char *text, size_t size)
{
	const struct wait *w = wait_first(&srv->waits);
	struct wait_about about = { .what = "" };
	int len;

	len = snprintf(text, size, "%s: %u client(s), %" PRIu64 " layout(s), fabric %s",
		       srv->notify.stopping ? "Stopping" : "Serving", HASH_COUNT(srv->clients),
		       srv->metrics.layouts, srv->fabric_info.provider);
	if (!w || len < 0 || (size_t)len >= size)
		return;
	w->type->about(w, &about);
	snprintf(text + len, size - (size_t)len, "; waiting for %s", about.what);
}

/* A line is a line: names of files may have anything in them. */
static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			*text = '?';
}

void notify_status(struct server *srv)
{
	char text[sizeof(srv->notify.status)];

	describe(srv, text, sizeof(text));
	one_line(text);
	if (!strcmp(text, srv->notify.status))
		return;
	strcpy(srv->notify.status, text);
	sd_notifyf(0, "STATUS=%s", text);
}

void notify_ready(struct server *srv)
{
	struct notify *n = &srv->notify;
	uint64_t usec;

	notify_status(srv);
	sd_notify(0, "READY=1");
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return;
	n->watchdog_ms = usec / 1000;
	n->watchdog.fire = feed;
	feed(&n->watchdog);
}

void notify_reloading(struct server *srv)
{
	struct timespec now;

	if (srv->notify.stopping)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);	/* the manager's clock */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void notify_reloaded(struct server *srv)
{
	if (!srv->notify.stopping)
		sd_notify(0, "READY=1");
}

void notify_stopping(struct server *srv)
{
	srv->notify.stopping = true;
	sd_notify(0, "STOPPING=1");
	notify_status(srv);
}
