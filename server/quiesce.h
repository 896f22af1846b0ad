/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Quiesced exports: every layout is recalled, none is granted, and what would change
 * the file system is put off, so that it can be frozen.  (A frozen file system breaks
 * no layout: remote writes would go on into it, and commits would hang.)  As long as
 * an export is quiesced no client's lease ends.
 */
#ifndef IOPMEM_SERVER_QUIESCE_H
#define IOPMEM_SERVER_QUIESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wait.h"

struct call;
struct export;
struct server;

struct quiesce {
	bool active;
	bool reached;			/* nothing was out */
	uint64_t since_ms;
	struct wait wait;		/* for nothing to be out */
};

void quiesce_start(struct export *exp);
/*
 * How many files have a layout, a kernel lease or work under way, and how many calls
 * change something; says in @text what it waits for.  0: reached.
 */
unsigned int quiesce_left(struct export *exp, char *text, size_t size);
/* Grants again; every lease begins anew. */
void quiesce_end(struct export *exp);

/* Is any export quiesced? */
bool quiesce_any(const struct server *srv);

/* True: the export is quiesced, and the call was answered with DELAY. */
bool quiesce_delays(struct call *call, const struct export *exp);

#endif
