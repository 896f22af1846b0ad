/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel keeps of files: dropped before the layout that covers it goes back.
 *
 * Dropping waits for pages that the kernel has locked: those whose read or write is on its way
 * to us, and which may itself wait for the layout.  So a pass leaves out what is on its way
 * (a fill).  A fill that is answered during a pass makes another pass necessary.  After a pass
 * during which none was, no fill is answered any more until the layout has gone back; then a read
 * is done again, under the next layout.
 */
#ifndef CLIENT_CLI_MOUNT_CACHE_H
#define CLIENT_CLI_MOUNT_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/range.h"
#include "iopmem.h"

#define CACHE_THREADS 4

struct mount;
struct node;

/* A read or write of the kernel's that is on its way: it has those pages, locked until the answer. */
struct fill {
	struct node *node;
	struct range r;			/* whole pages */
	pthread_t thread;
	bool stale;			/* a layout has gone back since it began */
	bool uncovered;			/* no layout covers what it brings */
	bool answered;
	unsigned int again;		/* times that it was done again */
	struct fill *prev, *next;
};

struct cache {
	pthread_mutex_t lock;		/* all below */
	pthread_cond_t cond;		/* any change */
	struct fill *fills;
	struct ending *endings;		/* layouts that are about to go back */
	struct drop *drops;		/* to be carried out, oldest first */
	unsigned int threads, busy;
	bool stop;
	pthread_t thread[CACHE_THREADS];
};

int cache_init(struct mount *m);
/*
 * Nothing more is dropped from now on.  Call until it is false, and answer calls in between: what is
 * on its way may need that.  Waits a moment itself.
 */
bool cache_stopping(struct mount *m);
/* Then: ends the threads. */
void cache_stop(struct mount *m);
void cache_fini(struct mount *m);

/* Before a read or write that the kernel keeps. */
void fill_begin(struct mount *m, struct fill *f, struct node *node, uint64_t offset,
		uint64_t length);
/* Before the answer.  False: it is to be done again first; never if it is not @repeatable. */
bool fill_ready(struct mount *m, struct fill *f, bool repeatable);
/* After the answer. */
void fill_end(struct mount *m, struct fill *f);

/* While the kernel changes the size of @node: it holds what dropping would wait for. */
void cache_resize(struct mount *m, struct node *node, bool begin);
/* Waits for it a while. */
void cache_drop(struct mount *m, struct node *node, struct range r);

/* An iopmem_cover_fn; @arg is the mount. */
void cache_cover(enum iopmem_cover what, uint64_t fileid, uint64_t offset, uint64_t length,
		 void *arg);

#endif
