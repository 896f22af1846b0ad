// SPDX-License-Identifier: BSD-3-Clause
#include "base/range.h"

bool range_make(uint64_t offset, uint64_t length, struct range *r)
{
	if (!length)
		return false;
	if (length == UINT64_MAX) {
		if (offset == UINT64_MAX)
			return false;
		*r = (struct range){ offset, UINT64_MAX };
		return true;
	}
	if (length > UINT64_MAX - offset)
		return false;
	*r = (struct range){ offset, offset + length };
	return true;
}

bool range_overlaps(struct range a, struct range b)
{
	return a.offset < b.end && b.offset < a.end;
}

bool range_contains(struct range outer, struct range inner)
{
	return outer.offset <= inner.offset && inner.end <= outer.end;
}

struct range range_intersect(struct range a, struct range b)
{
	return (struct range){
		a.offset > b.offset ? a.offset : b.offset,
		a.end < b.end ? a.end : b.end,
	};
}

uint64_t round_down_to(uint64_t x, uint64_t granule)
{
	return x & ~(granule - 1);
}

uint64_t round_up_sat(uint64_t x, uint64_t granule)
{
	if (x > UINT64_MAX - (granule - 1))
		return UINT64_MAX;
	return round_down_to(x + (granule - 1), granule);
}

struct range range_round_out(struct range r, uint64_t granule)
{
	return (struct range){ round_down_to(r.offset, granule),
			       round_up_sat(r.end, granule) };
}
