/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients: identity (EXCHANGE_ID), lease, slots with their reply cache, fabric
 * peer, and everything they own.  RFC 8881 sections 2.4, 2.10.6.1, 8.3.
 */
#ifndef IOPMEM_SERVER_CLIENT_H
#define IOPMEM_SERVER_CLIENT_H

#include <sys/types.h>
#include <uthash.h>

#include "cred.h"
#include "events.h"
#include "server.h"
#include "usage.h"

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
	enum flavor flavor;
	char principal[PRINCIPAL_MAX];
	char address[64];		/* it said so from */
	bool known;			/* recorded in the store */
	iopmem_previous previous;	/* what became of the owner's last run */
	uint8_t previous_verifier[8], previous_instance[16];
	char name[48];			/* for messages: id and address */
	uint64_t renewed_ms;
	uint32_t lease_ms;		/* that of its EXCHANGE_ID */
	uint32_t calls;			/* in progress: they hold the lease */
	struct timer lease_timer;
	struct slot slots[CLIENT_SLOTS];
	struct fabric_peer *peer;	/* made with the first GETDEVICEINFO */
	struct open *opens;		/* list */
	struct layout *layouts;		/* list */
	struct layout *layout_of_file;	/* the same, hash by file */
	struct turn *turns;		/* list */
	unsigned int nr_turns;
	struct usage usage;
	struct state *revoked;		/* list, oldest first: tombstones */
	unsigned int nr_revoked;
	struct event_queue events;
	bool courtesy;			/* its lease is over, nobody has minded yet */
	uint64_t courtesy_ms;		/* since when */
	bool any_asked;			/* RECALL_ANY is out: at most any_keep segments are to stay */
	uint32_t any_keep;
	bool dying;			/* no call is taken any more */
	bool peer_closing;		/* peer_job is under way */
	struct job peer_job;
	struct wait end_wait;
	struct call *successor;		/* EXCHANGE_ID that waits for our end */
	UT_hash_handle hh;
};

struct client *client_find(struct server *srv, uint64_t id);
struct client *client_find_owner(struct server *srv, const void *owner, uint32_t len);
struct client *client_new(struct server *srv, const void *owner, uint32_t len,
			  const uint8_t verifier[8], const struct caller *who, const char *address);
/* The same uid and principal: the only one who may speak for it. */
bool client_is(const struct client *c, const struct caller *who);
void client_renew(struct client *c);

/* True: @id was a client of @uid whose lease ran out; it is told so. */
bool client_expired(const struct server *srv, uint64_t id, uid_t uid);

/*
 * Somebody minds what @c holds.  False: it is alive and must be asked.  True: its lease is
 * over, it is fenced and ends.
 */
bool client_courtesy_over(struct client *c);

/*
 * Ends a client: fabric connections, then every layout (fenced, uncommitted data
 * is lost), opens, the protection domain, the client.  Asynchronous; @successor
 * (or NULL) is answered when it is over.  Every cause goes through here.
 */
void client_destroy(struct client *c, const char *why, struct call *successor);

/* Something the client owned is gone: goes on with a client_destroy() in progress. */
void client_progress(struct client *c);

#endif
