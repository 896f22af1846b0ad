/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue of operations: those that need nothing but the fabric are posted at once, what
 * has to wait for the server goes to a worker (or, when none can be started, is done in
 * iopmem_poll()).  queue.c has the public calls, queue_op.c what becomes of an operation.
 */
#ifndef CLIENT_QUEUE_H
#define CLIENT_QUEUE_H

#include "io.h"
#include "worker.h"

struct queue_op {
	struct worker_job job;
	struct conn_backlog backlog;
	struct conn_wait wait;
	struct io io;
	struct iopmem_queue *queue;
	struct queue_op *next;		/* free, done, deferred */
	struct iopmem_op op;		/* as submitted */
	struct range r;
	bool pinned;			/* io.lease is a cached one */
	ssize_t result;
};

struct iopmem_queue {
	struct iopmem_client *client;
	struct iopmem_queue *next;	/* client->lock */
	struct queue_op *ops;
	struct queue_op *free;		/* the owner's */
	int poll_fd;			/* epoll: the connection's, and event_fd */
	int event_fd;			/* readable: something is in @done or @deferred */
	/* conn.lock: */
	unsigned int pending;		/* taken, and not in @done */
	struct queue_op *done, **done_tail;
	struct queue_op *deferred, **deferred_tail;	/* no thread could be started: for iopmem_poll() */
	bool polling;			/* the owner looks itself */
};

/* -EINVAL, -EBADF, -ERANGE: what the call of the same name would say before doing anything. */
int queue_op_check(const struct iopmem_queue *q, const struct iopmem_op *op,
		   struct iopmem_err *err);
/* Starts @qo, whose op is checked.  Does not wait.  Assumes: conn locked. */
void queue_op_start(struct queue_op *qo);
/* Does it by the call of the same name.  No lock. */
void queue_op_run(struct worker_job *job);

#endif
