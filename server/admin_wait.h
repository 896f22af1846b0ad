/* SPDX-License-Identifier: BSD-3-Clause */
/* An admin command that is answered when something is over, with progress lines until then. */
#ifndef IOPMEM_SERVER_ADMIN_WAIT_H
#define IOPMEM_SERVER_ADMIN_WAIT_H

#include "admin.h"

struct admin_wait {
	struct admin_call *call;	/* private from here ... */
	struct timer poll;
	uint64_t started_ms, deadline_ms, said_ms;	/* ... to here */
	/* How much is left, and as @text what of; 0: over. */
	unsigned int (*left)(struct admin_wait *w, char *text, size_t size);
	/*
	 * Exactly once: 0 over, -ETIMEDOUT, or -EPIPE when the peer went.  What it fills
	 * into @result is answered when it was over (NULL else).  The wait is freed behind it.
	 */
	void (*end)(struct admin_wait *w, int rc, struct json_object *result);
};

/* Takes @w (malloc()ed, zeroed, with both functions set) and answers @call; "timeout_ms" of the request counts. */
void admin_wait_start(struct admin_wait *w, struct admin_call *call);

#endif
