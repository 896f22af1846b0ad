/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ends that are not aligned as the fabric wants (io_align): through a block of our
 * own; a write reads the block first.  The block lies in a segment that this client
 * holds alone, and the scratch buffer, one at a time, keeps its own threads apart.
 */
#ifndef CLIENT_BOUNCE_H
#define CLIENT_BOUNCE_H

#include "client.h"

/*
 * Moves @len bytes at file offset @offset, all in one block of io_align bytes in @e.
 * Assumes: conn locked; what the caller has posted to that block is done.
 */
int bounce(struct iopmem_client *client, bool write, const struct extent *e,
	   uint64_t offset, void *addr, size_t len);

#endif
