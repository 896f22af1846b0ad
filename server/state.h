/* SPDX-License-Identifier: BSD-3-Clause */
/* Stateids (RFC 8881 section 8.2): what a wire stateid names. */
#ifndef IOPMEM_SERVER_STATE_H
#define IOPMEM_SERVER_STATE_H

#include <uthash.h>

#include "iopmem_rpc.h"
#include "server.h"
#include "status.h"

enum state_type { STATE_OPEN, STATE_LAYOUT, STATE_REVOKED };

struct state {
	uint8_t other[12];
	uint32_t seqid;
	enum state_type type;
	struct client *client;
	UT_hash_handle hh;
};

/* An open file of one client. */
struct open {
	struct state st;
	struct file *file;
	uint32_t access;		/* IOPMEM_ACCESS_* */
	struct open *prev, *next;	/* client->opens */
};

/* Gives @st a new, unguessable id with seqid 1 and makes it known. */
void state_add(struct server *srv, struct state *st, enum state_type type,
	       struct client *client);
void state_remove(struct server *srv, struct state *st);

/* The next seqid: never 0 (RFC 8881 section 12.5.3). */
void state_bump(struct state *st);
void state_wire(const struct state *st, iopmem_stateid *out);

/*
 * Finds what @client means.  BAD_STATEID: unknown, another client's, seqid 0 or from
 * the future; OLD_STATEID: older than what may still be on its way; ADMIN_REVOKED.
 */
enum iopmem_status state_find(struct server *srv, const struct client *client,
			      const iopmem_stateid *id, struct state **st);
/* The same, of one type only. */
enum iopmem_status state_find_open(struct server *srv, const struct client *client,
				   const iopmem_stateid *id, struct open **open);

/* Ends an open; its client's layouts on the file go with the last one. */
void open_close(struct open *o);

#endif
