/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turns: who was told RECALLCONFLICT gets the range before anybody who asks later, the
 * one it is recalled from included (draft-hellwig-nfsv4-rdma-layout 2.4.6: starvation).
 * Without that a client that gives a layout back and asks again at once would win every
 * time against one that waits politely between its attempts.
 */
#ifndef IOPMEM_SERVER_TURN_H
#define IOPMEM_SERVER_TURN_H

#include "layout_table.h"

/* Who does not ask again for so long has given up. */
#define TURN_MS 1000
#define TURNS_MAX 16		/* of one client; what it asks for besides waits without a turn */

struct client;
struct file;
struct turn;

/* Somebody has asked before @claim's owner for what is in the way, and still waits. */
bool turn_blocks(struct file *f, const struct claim *claim, struct range r);

/* @claim is refused now: it keeps its place, or takes one at the end. */
void turn_wait(struct file *f, struct client *c, const struct claim *claim, struct range r);

/* @c gets @r. */
void turn_taken(struct file *f, struct client *c, struct range r);

/* @c has closed the file. */
void turn_forget(struct file *f, struct client *c);

#endif
