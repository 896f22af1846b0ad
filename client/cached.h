/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leases that iopmem_pread() and the like take and keep: ahead of a sequential
 * reader or writer, exactly the range where another client wants the neighbourhood,
 * returned in the order of their last use when there are too many bytes.
 */
#ifndef CLIENT_CACHED_H
#define CLIENT_CACHED_H

#include "client.h"

#define CACHED_BYTES_DEFAULT (1ULL << 30)

/*
 * A lease that covers the first byte of @want at least; it stays until cached_put().
 * Waits for others until @until_ms.  Errors as iopmem_lease().
 */
int cached_get(struct file *file, struct range want, bool rw, uint64_t until_ms,
	       struct iopmem_lease **lease, struct iopmem_err *err);
/* One that covers all of @r (a read: inside EOF), or NULL; never waits. */
struct iopmem_lease *cached_find(struct file *file, struct range r, bool rw);
void cached_put(struct iopmem_lease *lease);

/* Forgets those that have ended; what they lost is in file->lost. */
void cached_settle(struct file *file);
/* Commits and returns all that nobody uses; what cannot be committed is in file->lost. */
int cached_return(struct file *file, struct iopmem_err *err);

#endif
