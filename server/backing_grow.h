/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that grow when a range past their end is granted, before anything in it is
 * committed ("dir", and "xfs" with on-demand memory).  The committed size is in the store
 * before the file grows, and the file is cut back to it at the last return, or by the
 * next server after a crash.
 */
#ifndef IOPMEM_BACKING_GROW_H
#define IOPMEM_BACKING_GROW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store.h"

/* The sizes of one file.  @on, @committed, @grown: under @lock for who is not a file job. */
struct backing_grow {
	struct store *store;
	const char *export, *path;	/* the file's, for the store and for messages */
	int fd;
	pthread_mutex_t lock;
	bool on;			/* a layout is open: @committed is the size */
	bool stored;			/* the store has a row */
	uint64_t committed;
	uint64_t grown;			/* size on disk as we left it */
};

void grow_init(struct backing_grow *g, struct store *store, const char *export, const char *path,
	       int fd);
void grow_fini(struct backing_grow *g);
/* A layout was opened: the size is @size, all of it committed. */
void grow_begin(struct backing_grow *g, uint64_t size);
void grow_end(struct backing_grow *g);
/* The size that clients see; @size is what the file system says. */
uint64_t grow_size(struct backing_grow *g, uint64_t size);
/* Up to where memory may be handed out; 0 without a layout. */
uint64_t grow_limit(struct backing_grow *g);
/* Durable: the file may be up to @grown long, of which @committed counts. */
int grow_note(struct backing_grow *g, uint64_t grown, uint64_t committed, struct iopmem_err *err);
/* What the file's size has become. */
void grow_set(struct backing_grow *g, uint64_t grown);
/* Durable: from now on @committed counts.  Assumes: the data is on disk. */
int grow_commit(struct backing_grow *g, uint64_t committed, struct iopmem_err *err);
/* Cuts the file back to what is committed, by @cut (0 or -errno) or ftruncate (NULL). */
void grow_trim(struct backing_grow *g, int (*cut)(void *arg, uint64_t size), void *arg);
/* The same for what a server before this one left; refuses to start where it cannot. */
int grow_recover(struct store *store, const char *export, int root_fd, struct iopmem_err *err);

#endif
