/* SPDX-License-Identifier: BSD-3-Clause */
/* Stateids (RFC 8881 section 8.2): what a wire stateid names. */
#ifndef IOPMEM_SERVER_STATE_H
#define IOPMEM_SERVER_STATE_H

#include <stdbool.h>
#include <uthash.h>

#include "cred.h"
#include "iopmem_rpc.h"
#include "server.h"
#include "status.h"

struct file;

enum state_type { STATE_OPEN, STATE_LAYOUT, STATE_REVOKED };

struct state {
	uint8_t other[12];
	uint32_t seqid;
	enum state_type type;
	struct client *client;
	struct state *prev, *next;	/* client->revoked */
	UT_hash_handle hh;
};

/* As text, without the seqid; for reports. */
#define STATE_TEXT (2 * 12 + 1)

static inline const char *state_text(const struct state *st, char text[STATE_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < sizeof(st->other); i++) {
		text[2 * i] = hex[st->other[i] >> 4];
		text[2 * i + 1] = hex[st->other[i] & 15];
	}
	text[2 * i] = '\0';
	return text;
}

/* An open file of one client. */
struct open {
	struct state st;
	struct file *file;
	uint32_t asked;			/* IOPMEM_ACCESS_*, as opened, but for SHARED */
	uint32_t access;		/* what is left of it: rights.h */
	bool shared;			/* IOPMEM_ACCESS_SHARED */
	struct cred cred;		/* who opened it */
	struct sockaddr_storage from;	/* and from where */
	uint32_t told_slot, told_sequence;	/* of the last LAYOUTGET granted by this stateid */
	struct open *prev, *next;	/* client->opens */
	struct open *file_prev, *file_next;	/* file->opens */
};

/* Gives @st a new, unguessable id with seqid 1 and makes it known.  False: no memory, it is not. */
bool state_add(struct server *srv, struct state *st, enum state_type type,
	       struct client *client);
/* Also of one that is not known. */
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

/* OPENMODE: not opened for @access; ACCESS: the right was withdrawn since. */
enum iopmem_status open_may(const struct open *o, uint32_t access);
/*
 * May @c do @access by any of its opens of @f?  BAD_STATEID: it has none.
 * *@shared: each of them says SHARED.
 */
enum iopmem_status open_any_may(const struct file *f, const struct client *c, uint32_t access,
				bool *shared);
bool open_any(const struct file *f, const struct client *c);

/* Takes over the caller's reference to @f.  NULL: no memory. */
struct open *open_new(struct client *c, struct file *f, uint32_t access,
		      const struct cred *cred, const struct sockaddr_storage *from);
/* Ends an open; its client's layouts on the file go with the last one. */
void open_close(struct open *o);

/*
 * A layout was fenced as a whole: its id answers ADMIN_REVOKED from now on, as long as
 * client-tombstones allows.  @st has a new id then.
 */
void state_revoke(struct server *srv, struct state *st);

#endif
