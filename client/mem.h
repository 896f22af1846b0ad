/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller's memory for a piece of I/O, as the fabric can take it: in a registered
 * buffer, or anywhere where a buffer is free; registered for the while when it is large;
 * else a copy in the pool.
 */
#ifndef CLIENT_MEM_H
#define CLIENT_MEM_H

#include "client.h"

struct mem {
	struct iopmem_client *client;
	struct iopmem_buf *buf;		/* what to give to the fabric, */
	const struct iovec *iov;	/* the memory in it, from @skip on, */
	size_t skip;
	size_t len;			/* and how much of it */
	/* its own */
	const struct iovec *caller;
	size_t caller_skip;
	bool write;
	struct iovec own;
	void *piece;
	struct iopmem_buf *temporary;
};

/* For up to @len bytes of @iov from @skip on, which are there; takes what goes together. */
int mem_get(struct iopmem_client *client, const struct iovec *iov, size_t skip, size_t len,
	    bool write, struct mem *m, struct iopmem_err *err);
/* @done bytes of a read are to be the caller's. */
void mem_put(struct mem *m, size_t done);

#endif
