/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients: identity (EXCHANGE_ID), lease, slots with their reply cache, fabric
 * peer, and everything they own.  RFC 8881 sections 2.4, 2.10.6.1, 8.3.
 */
#ifndef IOPMEM_SERVER_CLIENT_H
#define IOPMEM_SERVER_CLIENT_H

#include <sys/types.h>
#include <uthash.h>

#include "events.h"
#include "server.h"

#define CLIENT_SLOTS 16

struct call;
struct layout;
struct open;

struct slot {
	uint32_t sequence;		/* of the last call started, 0 = none yet */
	bool busy;			/* it is still in progress */
	void *reply;			/* encoded reply of the last call */
	uint32_t reply_len;
};

struct client {
	uint64_t id;
	struct server *srv;
	uint8_t owner[256];
	uint32_t owner_len;
	uint8_t verifier[8];
	uid_t uid;			/* who said EXCHANGE_ID */
	char name[48];			/* for messages: id and address */
	uint64_t renewed_ms;
	uint32_t calls;			/* in progress: they hold the lease */
	struct timer lease_timer;
	struct slot slots[CLIENT_SLOTS];
	struct fabric_peer *peer;	/* made with the first GETDEVICEINFO */
	struct open *opens;		/* list */
	struct layout *layouts;		/* list */
	struct event_queue events;
	bool dying;			/* no call is taken any more */
	bool peer_closing;
	struct call *successor;		/* EXCHANGE_ID that waits for our end */
	UT_hash_handle hh;
};

struct client *client_find(struct server *srv, uint64_t id);
struct client *client_find_owner(struct server *srv, const void *owner, uint32_t len);
struct client *client_new(struct server *srv, const void *owner, uint32_t len,
			  const uint8_t verifier[8], uid_t uid, const char *address);
void client_renew(struct client *c);

/*
 * Ends a client: fabric connections, then every layout (fenced, uncommitted data
 * is lost), opens, the protection domain, the client.  Asynchronous; @successor
 * (or NULL) is answered when it is over.  Every cause goes through here.
 */
void client_destroy(struct client *c, const char *why, struct call *successor);

/* Something the client owned is gone: goes on with a client_destroy() in progress. */
void client_progress(struct client *c);

#endif
