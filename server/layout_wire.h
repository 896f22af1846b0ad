/* SPDX-License-Identifier: BSD-3-Clause */
/* Layout arguments and results on the wire. */
#ifndef IOPMEM_SERVER_LAYOUT_WIRE_H
#define IOPMEM_SERVER_LAYOUT_WIRE_H

#include "call.h"
#include "layout.h"

void segment_wire(const struct segment *seg, iopmem_segment *out);

/*
 * Checks a commit against what @c holds of @f: ranges ascending, disjoint, inside
 * its RW segments, the new size not beyond them; rounds ranges out to the granule
 * and merges.  *@ranges is the caller's to free.
 */
enum iopmem_status commit_take(struct file *f, const struct client *c,
			       const iopmem_commit *commit, struct range **ranges, size_t *n);

#endif
