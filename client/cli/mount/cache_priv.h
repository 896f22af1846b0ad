/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of the cache: what dropping (cache.c) and the ends of layouts (cache_cover.c) share. */
#ifndef CLIENT_CLI_MOUNT_CACHE_PRIV_H
#define CLIENT_CLI_MOUNT_CACHE_PRIV_H

#include "cache.h"
#include "mount.h"

#define ENDS_MS 1000	/* somebody waits for the layout */

/* A range of a file that the kernel is to forget. */
struct drop {
	struct node *node;		/* with a reference */
	struct range r;
	bool attr_only;
	struct ending *ending;		/* that waits for it, or NULL */
	struct drop *prev, *next;
};

/* A layout that is about to go back. */
struct ending {
	struct node *node;		/* with a reference */
	struct range r;
	struct drop *pass;		/* is running, or NULL */
	bool told;			/* ends() is through with it: ended() may free it */
	bool entered;			/* a fill was answered during the pass */
	bool shut;			/* none is any more */
	struct ending *prev, *next;
};

static inline bool cache_touches(const struct fill *f, const struct node *node, struct range r)
{
	return f->node == node && range_overlaps(f->r, r);
}

/* All of these assume cache.lock, and the waits drop it meanwhile. */

/* Has a fill of what @e covers been answered, and not ended? */
bool cache_answering(const struct cache *c, const struct ending *e);
/* False: no memory. */
bool cache_queue(struct mount *m, struct node *node, struct range r, bool attr_only,
		 struct ending *ending);
/* Drops soon, and what is on its way is old when it comes. */
void cache_drop_soon(struct mount *m, struct node *node, struct range r, bool attr_only);
/* False: the time is over. */
bool cache_wait_until(struct cache *c, uint64_t until_ms);
/* False: the time is over; the pass goes on without us. */
bool cache_wait_pass(struct cache *c, struct ending *e, uint64_t until_ms);

#endif
