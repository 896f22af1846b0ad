/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Channels: one TCP connection to the server each, one call at a time.
 *
 * The server answers one call per connection at a time, and some calls may wait
 * there: LAYOUTCOMMIT behind the very truncate that waits for this client's
 * layouts, SETSIZE for everybody's.  What ends such a wait must never queue behind
 * it, so a client has several channels:
 *   main     everything the application asks for
 *   event    EVENT_WAIT only
 *   control  GETDEVICEINFO when the fabric is connected again (a recall may need it)
 *   return   one per recall worker: the LAYOUTRETURNs that recalls cause
 *
 * SIGPIPE: libtirpc writes without MSG_NOSIGNAL.  A call blocks the signal for its
 * thread, and takes it back out of the pending set if the call raised it.
 *
 * With sec=krb5* each connection has a GSS context of its own (gss.h), made when it
 * connects from the credentials of the process (KRB5CCNAME).
 */
#ifndef CLIENT_RPC_H
#define CLIENT_RPC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <rpc/rpc.h>

#include "base/err.h"
#include "url.h"

struct rpc_target {
	char host[URL_HOST_MAX + 1];
	uint16_t port;
	enum url_sec sec;
};

struct rpc_channel {
	pthread_mutex_t lock;		/* held over a call, by session.c */
	const struct rpc_target *target;
	uint32_t slot;
	uint32_t sequence;		/* last one that the server has taken */
	uint64_t generation;		/* of the client id that @sequence belongs to */
	bool uncertain;			/* a call was never answered: the slot is unusable */
	CLIENT *clnt;
	char peer[64];			/* numeric address of the server */

	pthread_mutex_t fd_lock;	/* the two below */
	int fd;
	bool aborted;
};

void channel_init(struct rpc_channel *ch, const struct rpc_target *target);
void channel_fini(struct rpc_channel *ch);

/* From any thread: the call in progress and all later ones fail with -ECANCELED. */
void channel_abort(struct rpc_channel *ch);

/* Connects when not connected.  "connect to HOST:PORT: cause". */
int channel_connect(struct rpc_channel *ch, uint32_t timeout_ms, struct iopmem_err *err);

/*
 * One attempt of one call; @res was zeroed by the caller, who frees it with
 * xdr_free() on success.  On failure the connection is closed and nothing is known
 * about the call.  Errors: -ECONNREFUSED, -ETIMEDOUT, -ECONNRESET,
 * -EPROTONOSUPPORT, -EACCES (credentials), -EBADMSG, -ECANCELED.
 */
int channel_call(struct rpc_channel *ch, uint32_t proc, xdrproc_t xargs, void *args,
	     xdrproc_t xres, void *res, uint32_t timeout_ms, struct iopmem_err *err);

#endif
