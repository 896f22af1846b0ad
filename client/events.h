/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event thread: EVENT_WAIT on a connection of its own, which also renews the
 * lease.  It never waits for anything else: recalls go to the workers (recall.h).
 */
#ifndef CLIENT_EVENTS_H
#define CLIENT_EVENTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rpc.h"

struct iopmem_client;

struct events {
	pthread_t thread;
	bool started;
	atomic_bool stop;
	atomic_bool ignore_recalls;	/* tests: take recalls, never serve them */
	struct rpc_channel ch;
	uint64_t generation;		/* the thread's: what @acked belongs to */
	uint64_t acked;
};

void events_init(struct iopmem_client *client);
int events_start(struct iopmem_client *client);
/* Stops and joins the thread; frees. */
void events_fini(struct iopmem_client *client);

/* Tests only (tests/tools/iopmem_script.c): the client goes silent on recalls. */
void client_test_ignore_recalls(struct iopmem_client *client, bool ignore);

#endif
