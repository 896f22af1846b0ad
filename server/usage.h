/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What clients use up, and how much of it one may have (I20): a peer that asks for more
 * is told to try later, and the server's memory does not grow with what peers want.
 */
#ifndef IOPMEM_SERVER_USAGE_H
#define IOPMEM_SERVER_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct segment;

struct usage {
	uint32_t opens;
	uint32_t segments;		/* those being granted included */
	uint32_t regions;		/* memory regions */
	uint64_t bytes;			/* of segments */
};

/* A segment of @c goes into a table, or out of it; for the client and for the server. */
void usage_add(struct client *c, const struct segment *seg);
void usage_remove(struct client *c, const struct segment *seg);

/* No grant of @bytes more; the log says which limit it is. */
bool usage_full(const struct client *c, uint64_t bytes);

#endif
