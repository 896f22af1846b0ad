// SPDX-License-Identifier: BSD-3-Clause
#include "layout_table.h"

#include <utlist.h>

bool layout_table_empty(const struct layout_table *t)
{
	return !t->head;
}

void layout_table_insert(struct layout_table *t, struct segment *seg)
{
	struct segment *at;

	DL_FOREACH(t->head, at)
		if (at->range.offset > seg->range.offset)
			break;
	if (at)
		DL_PREPEND_ELEM(t->head, at, seg);
	else
		DL_APPEND(t->head, seg);
}

void layout_table_remove(struct layout_table *t, struct segment *seg)
{
	DL_DELETE(t->head, seg);
}

static bool forbids(const struct segment *seg, const void *owner, enum backing_iomode mode)
{
	if (seg->state == SEGMENT_RETURNING)
		return true;	/* its unmap must not meet a new map of the range */
	if (seg->owner != owner)
		return seg->mode == BACKING_RW || mode == BACKING_RW;
	if (seg->state != SEGMENT_GRANTED)
		return true;
	return seg->mode == BACKING_READ && mode == BACKING_RW;
}

struct segment *layout_table_conflict(const struct layout_table *t, const void *owner,
				      struct range r, enum backing_iomode mode,
				      struct segment *after)
{
	struct segment *seg = after ? after->next : t->head;

	for (; seg; seg = seg->next)
		if (range_overlaps(seg->range, r) && forbids(seg, owner, mode))
			return seg;
	return NULL;
}

struct segment *layout_table_held(const struct layout_table *t, const void *owner,
				  uint64_t offset, enum backing_iomode mode)
{
	struct segment *seg;

	DL_FOREACH(t->head, seg)
		if (seg->owner == owner && seg->state == SEGMENT_GRANTED &&
		    seg->range.offset <= offset && offset < seg->range.end &&
		    (seg->mode == BACKING_RW || mode == BACKING_READ))
			return seg;
	return NULL;
}

struct range layout_table_clip(const struct layout_table *t, const void *owner,
			       struct range r)
{
	struct segment *seg;

	DL_FOREACH(t->head, seg)
		if (seg->owner == owner && seg->range.offset > r.offset &&
		    seg->range.offset < r.end)
			r.end = seg->range.offset;
	return r;
}

bool layout_table_covers_rw(const struct layout_table *t, const void *owner,
			    struct range r)
{
	uint64_t covered = r.offset;
	struct segment *seg;

	DL_FOREACH(t->head, seg)	/* ascending, and one owner's do not overlap */
		if (seg->owner == owner && seg->mode == BACKING_RW &&
		    seg->state != SEGMENT_GRANTING &&
		    seg->range.offset <= covered && seg->range.end > covered)
			covered = seg->range.end;
	return covered >= r.end;
}

bool layout_table_shared(const struct layout_table *t, const struct segment *seg)
{
	const struct segment *other;

	DL_FOREACH(t->head, other)
		if (other != seg && !other->shared &&
		    range_overlaps(other->range, seg->range))
			return true;
	return false;
}
