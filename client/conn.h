/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fabric connection: made with a one-time token, made again after it died (a
 * violation, a fence of this client's other layouts, a new identity), with every
 * registered buffer registered again.
 *
 * One thread at a time; waiters are served in order, so that a recall's flush is
 * never starved by a thread that writes in a loop.
 */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fabric/fabric.h"
#include "rpc.h"

#define CONN_SCRATCH 65536

struct iopmem_client;

struct iopmem_buf {
	struct iopmem_client *client;
	struct iopmem_buf *next;
	void *addr;
	size_t len;
	struct fabric_buf *fb;		/* NULL while there is no connection */
};

struct conn {
	pthread_mutex_t lock;		/* the two tickets */
	pthread_cond_t cond;
	uint64_t next, serving;
	/* Whoever is served: */
	struct fabric_conn *fc;
	bool dead;
	uint64_t generation;		/* of the identity it was made for */
	unsigned int inflight;
	int error;			/* first of the current batch */
	struct iopmem_buf *bufs;
	struct iopmem_buf scratch;	/* flushes, unaligned ends */
	_Atomic uint32_t io_align;
	_Atomic uint32_t granule;
	_Atomic bool durable;
};

int conn_init(struct iopmem_client *client);
void conn_fini(struct iopmem_client *client);

void conn_lock(struct iopmem_client *client);
void conn_unlock(struct iopmem_client *client);

/* The ones below assume the lock. */

/* Connects when there is no live connection of the current identity; RPC on @ch. */
int conn_ensure(struct iopmem_client *client, struct rpc_channel *ch, struct iopmem_err *err);

/*
 * Queues one operation, waiting for room.  Errors are kept until conn_drain(); after
 * one, nothing more is posted.
 */
void conn_post(struct iopmem_client *client, enum fabric_op op, struct iopmem_buf *buf,
	       void *addr, uint32_t len, uint32_t rkey, uint64_t raddr);

/* Waits for everything posted; the first error of the batch (0, -EACCES, -ECONNRESET...). */
int conn_drain(struct iopmem_client *client);

#endif
