/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Serving recalls: drain, flush, LAYOUTRETURN with the commit in it.
 *
 * A return may wait in the server behind other clients' layouts, which may wait for
 * a return of ours on another file: so there are several workers, each with a
 * connection of its own.  Recalls of one file are served one after the other.
 */
#ifndef CLIENT_RECALL_H
#define CLIENT_RECALL_H

#include <pthread.h>
#include <stdbool.h>

#include "base/range.h"
#include "rpc.h"
#include "wire.h"

#define RECALL_WORKERS 4

struct iopmem_client;
struct recall_job;

struct recall_worker {
	struct iopmem_client *client;
	pthread_t thread;
	struct rpc_channel ch;
};

struct recall {
	pthread_mutex_t lock;		/* all below */
	pthread_cond_t cond;
	struct recall_job *jobs;	/* oldest first, running ones included */
	unsigned int workers, idle;
	bool stop;
	struct recall_worker worker[RECALL_WORKERS];
};

/* Starts the first worker. */
int recall_init(struct iopmem_client *client);
/* Assumes: the event thread is gone.  What is queued is dropped. */
void recall_fini(struct iopmem_client *client);

/* Takes over a RECALL event.  -ENOMEM: not taken, the event must come again. */
int recall_queue(struct iopmem_client *client, const iopmem_event *ev, struct range r);

#endif
