/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients that a later server process must know of: each is in the store before it can get
 * its first layout, and is removed when it ends with nothing out.  What is left tells an
 * owner that comes back what became of its last run.  Loop thread; the store is written by
 * helper threads, many changes in one transaction.
 */
#ifndef IOPMEM_SERVER_KNOWN_H
#define IOPMEM_SERVER_KNOWN_H

#include "server.h"
#include "store.h"

struct client;
struct known;

struct known_wait {
	void (*done)(struct known_wait *w, int rc);	/* loop thread */
	struct known_wait *next;
};

/* Opens the store and reads who was alive when the last server process ended.  Blocks. */
int known_open(struct server *srv, struct iopmem_err *err);
/* Writes what is not written yet.  Assumes: no helper thread runs any more.  Blocks. */
void known_close(struct known *known);

/* The last run of @owner as @uid that left something; NULL: none. */
const struct store_client *known_find(const struct known *known, const void *owner, size_t len,
				      uid_t uid);

/* @w->done: @c is recorded, durably, or not (-errno). */
void known_add(struct client *c, struct known_wait *w);

/* @c is fenced while it lives. */
void known_revoked(struct client *c);

/* @c ends: @clean, it said so; @out, layouts of it were out. */
void known_ended(struct client *c, bool clean, bool out);

#endif
