/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said to those who keep copies of what leases cover (iopmem_set_cover_fn()). */
#ifndef CLIENT_COVER_H
#define CLIENT_COVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/range.h"
#include "iopmem.h"

struct iopmem_client;
struct file;

/* No lock. */
void cover_tell(struct iopmem_client *client, enum iopmem_cover what, uint64_t fileid,
		struct range r);

struct cover_ends {
	struct range *v;
	size_t n;
};

/*
 * Tells of each lease that is going to end, while I/O goes on under it: copies that were changed
 * can still be written.  Drops and takes file->lock.
 */
void cover_tell_ends(struct file *file, struct range r, struct cover_ends *told);
/* Frees @told.  No lock. */
void cover_tell_ended(struct file *file, struct range r, struct cover_ends *told);

#endif
