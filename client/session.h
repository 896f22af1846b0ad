/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who this client is to the server: client id, server instance, lease, and calls
 * that are executed exactly once.
 *
 * Every identity has a generation.  When the server says that it does not know the
 * client id any more (it restarted, or the lease expired), all files and leases of
 * that generation are dead; the next call identifies the client anew.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rpc.h"
#include "status.h"
#include "wire.h"

struct iopmem_client;

struct session {
	pthread_mutex_t lock;		/* all below but the atomics; taken under a channel's lock */
	atomic_bool identified;
	bool known;			/* @instance is that of an earlier identity */
	uint64_t clientid;
	uint8_t instance[16];
	uint32_t next_slot;
	_Atomic uint64_t generation;	/* 0 before the first */
	_Atomic uint32_t lease_ms;
	_Atomic uint32_t slots;
	_Atomic uint64_t renewed_ms;	/* when the last call that renewed was sent */
};

void session_init(struct session *s);
void session_fini(struct session *s);

enum session_flags {
	SESSION_ONCE = 1,	/* changes state: (slot, sequence), the reply cache */
	SESSION_FRESH = 2,	/* depends on no earlier state: identify and try again */
};

/* One operation.  Every result of the protocol begins with its status. */
struct session_op {
	uint32_t proc;
	unsigned int flags;
	xdrproc_t xargs, xres;
	void *args;		/* begins with iopmem_seq or with the client id */
	void *res;
	size_t res_size;
	uint64_t generation;	/* the state it depends on; with SESSION_FRESH a result */
	uint32_t timeout_ms;	/* of everything, 0 = the client's */
};

#define SESSION_XDR(fn) ((xdrproc_t)(void (*)(void))(fn))
#define SESSION_OP(PROC, name_args, name_res, a, r, gen, fl)			\
	{									\
		.proc = IOPMEM_PROC_##PROC, .flags = (fl),			\
		.xargs = SESSION_XDR(xdr_iopmem_##name_args),			\
		.xres = SESSION_XDR(xdr_iopmem_##name_res),			\
		.args = (a), .res = (r), .res_size = sizeof(*(r)),		\
		.generation = (gen),						\
	}

/*
 * Makes the call on @ch, again after lost connections with the same sequence, until
 * there is a reply or the time is up.  Returns 0 with @status set (the caller then
 * frees the result with session_free()), or -errno with @err filled.  -ESTALE: the
 * state it depends on belongs to a dead identity.
 */
int session_call(struct iopmem_client *client, struct rpc_channel *ch,
		 struct session_op *op, unsigned int *status, struct iopmem_err *err);
void session_free(struct session_op *op);

/*
 * The same for callers that treat every status but OK as an error, which fills @err
 * with "<what>: <status text>".  The result needs freeing after 0 only.
 */
int session_do(struct iopmem_client *client, struct rpc_channel *ch,
	       struct session_op *op, struct iopmem_err *err, const char *what_fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Is the lease, as far as this side can tell, still held?  Renews when in doubt. */
int session_validate(struct iopmem_client *client, struct iopmem_err *err);

/* The same without asking anybody; in doubt not. */
bool session_is_fresh(const struct iopmem_client *client);

/*
 * Current identity, making one when there is none.  @once: a server that cannot be reached
 * is not waited for.
 */
int session_identify(struct iopmem_client *client, struct rpc_channel *ch,
		     uint32_t timeout_ms, bool once, uint64_t *generation,
		     uint64_t *clientid, struct iopmem_err *err);

/* The server does not know generation @generation any more. */
void session_lost(struct iopmem_client *client, uint64_t generation);

/* Statuses that mean "not now": try again. */
bool status_is_retry(unsigned int status);
/* Statuses that end a client's state. */
bool status_is_lost(unsigned int status);

/* 5, 10, 20 ... 250 ms. */
struct backoff { uint32_t ms; };
void backoff_sleep(struct backoff *b);

#endif
