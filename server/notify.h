/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the service manager is told (sd_notify(3)); nothing where there is none.  Loop thread only: its
 * watchdog messages say that the loop goes round.
 */
#ifndef IOPMEM_SERVER_NOTIFY_H
#define IOPMEM_SERVER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

struct server;

struct notify {
	bool stopping;
	uint64_t watchdog_ms;		/* 0: nobody watches */
	struct timer watchdog;
	char status[512];		/* told last */
};

/* It serves: the loop is about to run. */
void notify_ready(struct server *srv);
/* Clients, layouts, the longest wait: for "systemctl status".  Call it each second. */
void notify_status(struct server *srv);
/* Between the two "systemctl reload" is under way. */
void notify_reloading(struct server *srv);
void notify_reloaded(struct server *srv);
void notify_stopping(struct server *srv);

#endif
