/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recalls (RFC 8881 sections 12.5.5, 20.3): asked for by the kernel or another
 * client, told to the holder as an event, over when nothing of the range is left,
 * a fence when the deadline passes first.  An acknowledged event does not stop
 * the clock; a return whose commit waits for others does, for its segments are
 * no longer GRANTED.  Of a client whose lease is over nothing is asked: it ends.  Entered from the loop, never waits.
 */
#ifndef IOPMEM_SERVER_RECALL_H
#define IOPMEM_SERVER_RECALL_H

#include "layout.h"

/*
 * Widens a recall in progress; its deadline stays.  @by is the client that wants it, NULL
 * when it is a local program or the server.  What another client wants is recalled when
 * @l's has had hold-ms since its last grant, so that it gets to use it.
 */
void recall_start(struct layout *l, const struct client *by, struct range r, const char *why);

/* Every layout of @f that overlaps @r. */
void recall_file(struct file *f, const struct client *by, struct range r, const char *why);

/* A grant to @l. */
void recall_hold(struct layout *l);

/* @l ends. */
void recall_drop(struct layout *l);

/* A segment of @l is gone: perhaps its recall is over. */
void recall_settle(struct layout *l);

/*
 * The client gives back or commits some of what is recalled: it has recall-ms from now,
 * but never more than recall-max-ms from the beginning.  (RFC 8881 section 12.5.5.1.)
 */
void recall_progress(struct layout *l);

#endif
