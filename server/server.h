/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the server share: one process, one loop thread. */
#ifndef IOPMEM_SERVER_H
#define IOPMEM_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "fabric/fabric.h"
#include "loop.h"
#include "metrics.h"
#include "notify.h"
#include "usage.h"
#include "wait.h"

struct admin;
struct attr_watch;
struct client;
struct export;
struct file;
struct known;
struct metrics_http;
struct reload;
struct state;

struct server {
	struct config cfg;
	struct loop *loop;
	struct pool *fs_pool;		/* work that can wait in a file system */
	struct pool *teardown_pool;	/* dereg, revoke, close: never behind the former */
	struct fabric_server *fabric;
	struct fabric_info fabric_info;
	struct fabric_demand demand;	/* of the fabric that is asked for */
	struct export *exports;		/* array of cfg.nr_exports */
	struct client *clients;		/* hash by id */
	struct file *files;		/* hash by export, dev, inode */
	struct known *known;		/* clients that a later process must know of */
	struct attr_watch *attr_watch;	/* local changes of mode, owner, ACL */
	unsigned int max_files;		/* descriptors that connections do not need */
	struct state *states;		/* hash by stateid.other */
	struct usage usage;		/* of all clients */
	struct expired *expired;	/* list, oldest first; clients that are to be told */
	unsigned int nr_expired;
	struct timer recall_any_timer;
	uint8_t instance[16];
	uint8_t handle_key[32];	/* authenticates file handles */
	uint8_t write_verifier[8];	/* changes when written bytes may be lost */
	char instance_text[33];
	uint16_t port;			/* of RPC */
	char fabric_why[256];		/* why this one */
	struct metrics metrics;
	struct admin *admin;
	struct metrics_http *metrics_http;	/* NULL: off */
	struct reload *reload;
	struct notify notify;
	bool stopping;			/* no new clients, opens or grants */
	bool fencing;			/* of the shutdown: patience is over */
	struct timer stop_timer;
	struct wait stop_wait;
	struct wait_list waits;		/* everything the server waits for */
	struct timer tick;
	unsigned int ticks;
	uint64_t started_ms;
	unsigned int stop_polls;
};

/* Clients answer a recall in milliseconds; one that does not must not hold a shutdown. */
#define SERVER_STOP_PATIENCE_MS 5000

/* Begins what happens each second: the loop is about to run. */
void server_run(struct server *srv);

/*
 * Ordered shutdown: no new state, recall everything, after a bound fence what is
 * left, end every client, stop the loop.  Called again: fence at once.
 */
void server_stop(struct server *srv);

void server_new_write_verifier(struct server *srv);
/* @rc of what may have synced a file: an UNSTABLE write may be lost (RFC 8881 section 18.32.3). */
void server_write_failed(struct server *srv, int rc);

/* A client is gone: perhaps the shutdown can go on. */
void server_progress(struct server *srv);

#endif
