/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generated wire types beside the public API: the wire struct iopmem_commit
 * and the function iopmem_commit() share a name, so the type is renamed here.
 */
#ifndef CLIENT_WIRE_H
#define CLIENT_WIRE_H

#define iopmem_commit iopmem_wire_commit
#include <iopmem_rpc.h>
#undef iopmem_commit

#include <stdbool.h>

/* Is seqid @a newer than @b?  Modulo wrap (RFC 8881 section 8.2.2). */
static inline bool seqid_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

#endif
