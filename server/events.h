/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events to a client (recalls, revocations): numbered, repeated until
 * acknowledged, delivered as the answer to a parked EVENT_WAIT.
 */
#ifndef IOPMEM_SERVER_EVENTS_H
#define IOPMEM_SERVER_EVENTS_H

#include "iopmem_rpc.h"
#include "loop.h"

struct call;
struct client;

struct event {
	iopmem_event wire;
	uint64_t deadline_ms;		/* clock_ms(); 0 = none */
	struct event *next;
};

struct event_queue {
	uint64_t last;			/* number given last */
	struct event *head, *tail;	/* not acknowledged yet, ascending */
	uint32_t n;			/* of them */
	bool full;			/* client-events reached, some were not queued */
	struct call *waiting;		/* the parked EVENT_WAIT */
	struct timer timeout;
};

/* Queues a copy of @ev (its number is set here) and answers a parked call. */
void event_push(struct client *c, const iopmem_event *ev, uint64_t deadline_ms);

/* Takes acknowledgements, answers at once when something is queued, else parks. */
void event_wait(struct client *c, struct call *call, uint64_t acked, uint32_t timeout_ms);

/* The parked call's connection is gone. */
void event_call_lost(struct client *c, struct call *call);

/* Answers a parked call with @status and drops everything queued. */
void event_queue_fini(struct client *c, unsigned int status);

#endif
