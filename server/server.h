/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the server share: one process, one loop thread. */
#ifndef IOPMEM_SERVER_H
#define IOPMEM_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "fabric/fabric.h"
#include "loop.h"

struct client;
struct export;
struct file;
struct state;

struct server {
	struct config cfg;
	struct loop *loop;
	struct pool *fs_pool;		/* work that can wait in a file system */
	struct pool *teardown_pool;	/* dereg, revoke, close: never behind the former */
	struct fabric_server *fabric;
	struct fabric_info fabric_info;
	struct export *exports;		/* array of cfg.nr_exports */
	struct client *clients;		/* hash by id */
	struct file *files;		/* hash by export, dev, inode */
	unsigned int max_files;		/* descriptors that connections do not need */
	struct state *states;		/* hash by stateid.other */
	uint8_t instance[16];
	bool stopping;			/* no new clients, opens or grants */
	bool fencing;			/* of the shutdown: patience is over */
	struct timer stop_timer;
	unsigned int stop_polls;
};

/* Clients answer a recall in milliseconds; one that does not must not hold a shutdown. */
#define SERVER_STOP_PATIENCE_MS 5000

/*
 * Ordered shutdown: no new state, recall everything, after a bound fence what is
 * left, end every client, stop the loop.  Called again: fence at once.
 */
void server_stop(struct server *srv);

/* A client is gone: perhaps the shutdown can go on. */
void server_progress(struct server *srv);

#endif
