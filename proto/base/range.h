/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte ranges [offset, end).  A range ends at 2^64-1 at most ("to the end of
 * the file"), so end never overflows.
 */
#ifndef IOPMEM_BASE_RANGE_H
#define IOPMEM_BASE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct range {
	uint64_t offset;
	uint64_t end;		/* first byte after it */
};

/*
 * range_make() - from offset and length as they come from a peer.
 * length UINT64_MAX means "to the end".  Returns false, @r untouched, when
 * offset + length overflows or length is 0.
 */
bool range_make(uint64_t offset, uint64_t length, struct range *r);

static inline uint64_t range_len(struct range r)
{
	return r.end - r.offset;
}

static inline bool range_empty(struct range r)
{
	return r.end <= r.offset;
}

bool range_overlaps(struct range a, struct range b);
bool range_contains(struct range outer, struct range inner);
struct range range_intersect(struct range a, struct range b);	/* may be empty */

/* Rounds outwards to multiples of @granule (a power of two); end saturates. */
struct range range_round_out(struct range r, uint64_t granule);
uint64_t round_up_sat(uint64_t x, uint64_t granule);
uint64_t round_down_to(uint64_t x, uint64_t granule);

#endif
