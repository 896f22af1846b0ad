/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recalls (RFC 8881 sections 12.5.5, 20.3): asked for by the kernel or another
 * client, told to the holder as an event, over when nothing of the range is left,
 * a fence when the deadline passes first.  An acknowledged event does not stop
 * the clock; a return whose commit waits for others does, for its segments are
 * no longer GRANTED.  Entered from the loop, never waits.
 */
#ifndef IOPMEM_SERVER_RECALL_H
#define IOPMEM_SERVER_RECALL_H

#include "layout.h"

/* Widens a recall in progress; its deadline stays. */
void recall_start(struct layout *l, struct range r, const char *why);

/* Every layout of @f that overlaps @r, but @except's (may be NULL). */
void recall_file(struct file *f, const struct client *except, struct range r,
		 const char *why);

/* A segment of @l is gone: perhaps its recall is over. */
void recall_settle(struct layout *l);

#endif
