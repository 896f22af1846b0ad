/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout of one file: stateid, segments held, LAYOUTGET and LAYOUTRETURN.
 *
 * LAYOUTGETs and LAYOUTRETURNs of a file go one at a time (layout_busy), so replies
 * are processed in the order in which the server made them.  Everything here assumes
 * file->lock; calls that make an RPC drop it meanwhile.
 */
#ifndef CLIENT_LAYOUT_H
#define CLIENT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "client.h"

/*
 * Takes the right to make the next layout call, waiting until @until_ms.  False: not
 * got.  layout_begin() also waits for recalls to be served; workers use layout_wait().
 */
bool layout_begin(struct file *file, uint64_t until_ms);
bool layout_wait(struct file *file, uint64_t until_ms);
void layout_end(struct file *file);

/* A stateid from the server: the newest seqid counts. */
void layout_seen(struct file *file, const iopmem_stateid *stateid);

/*
 * One LAYOUTGET for @want; the segments of the reply are inserted.  Returns 0,
 * -EAGAIN "not now", -ENODATA nothing there (a READ past EOF), or another -errno.
 * Assumes: layout_begin() gave the right.
 */
int layout_get(struct file *file, struct range want, bool rw, struct iopmem_err *err);

struct layout_return {
	struct range r;				/* multiple of the granule */
	struct range ranges[IOPMEM_RANGES_MAX];	/* to commit; ascending, disjoint */
	size_t n;
	uint64_t new_size;
	unsigned int commit_status;		/* out */
};

/*
 * Gives back @lr->r.  Segments that it cuts are drained first and replaced by what
 * the server says is left of them; a lease that is then not covered any more is lost.
 * Whatever the result, nothing in the range is held afterwards.
 */
int layout_return(struct file *file, struct rpc_channel *ch, struct layout_return *lr,
		  struct iopmem_err *err);

/* For a recall of a layout that this client knows nothing about.  No lock. */
void layout_return_unknown(struct iopmem_client *client, struct rpc_channel *ch,
			   const iopmem_stateid *stateid, uint64_t generation);

/* Is LAYOUTCOMMIT needed for bytes written there? */
bool layout_needs_commit(const struct file *file, struct range r);

/* Fills lr->ranges: @w rounded out to the granule, or every RW segment in lr->r. */
void layout_commit_ranges(const struct file *file, const struct written *w,
			  struct layout_return *lr);
void layout_commit_extents(const struct file *file, struct layout_return *lr);

/* Is every byte of @lease's range held?  (A READ lease needs none past EOF.) */
bool layout_covers(const struct file *file, const struct iopmem_lease *lease,
		   struct range *gap);

/* The layout is dead at the server. */
void layout_forget(struct file *file);

#endif
