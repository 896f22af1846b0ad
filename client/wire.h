/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generated wire types beside the public API: some wire structs and functions share a
 * name (iopmem_commit), so those types are renamed here.
 */
#ifndef CLIENT_WIRE_H
#define CLIENT_WIRE_H

#define iopmem_commit iopmem_wire_commit
#define iopmem_setattr iopmem_wire_setattr
#define iopmem_statfs iopmem_wire_statfs
#include <iopmem_rpc.h>
#undef iopmem_commit
#undef iopmem_setattr
#undef iopmem_statfs

#include <stdbool.h>

/* Is seqid @a newer than @b?  Modulo wrap (RFC 8881 section 8.2.2). */
static inline bool seqid_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

#endif
