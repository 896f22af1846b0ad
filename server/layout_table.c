// SPDX-License-Identifier: BSD-3-Clause
#include "layout_table.h"

#include <utlist.h>

/* ---- the tree ---- */

static uint64_t max_end(const struct segment *s)
{
	return s ? s->max_end : 0;
}

/* True: it has changed. */
static bool update(struct segment *s)
{
	uint64_t end = s->range.end;

	if (max_end(s->left) > end)
		end = max_end(s->left);
	if (max_end(s->right) > end)
		end = max_end(s->right);
	if (end == s->max_end)
		return false;
	s->max_end = end;
	return true;
}

static void update_up(struct segment *s)
{
	while (s && update(s))
		s = s->parent;
}

static void set_child(struct layout_table *t, struct segment *parent,
		      const struct segment *old, struct segment *s)
{
	if (!parent)
		t->root = s;
	else if (parent->left == old)
		parent->left = s;
	else
		parent->right = s;
	if (s)
		s->parent = parent;
}

/* @s takes its parent's place; the order stays. */
static void rotate_up(struct layout_table *t, struct segment *s)
{
	struct segment *p = s->parent;

	set_child(t, p->parent, p, s);
	if (p->left == s) {
		p->left = s->right;
		if (p->left)
			p->left->parent = p;
		s->right = p;
	} else {
		p->right = s->left;
		if (p->right)
			p->right->parent = p;
		s->left = p;
	}
	p->parent = s;
	update(p);
	update(s);
}

/* A leaf behind all that begin at or before it; returns which one it follows. */
static struct segment *attach(struct layout_table *t, struct segment *seg)
{
	struct segment *at = t->root, *parent = NULL, *before = NULL;

	while (at) {
		parent = at;
		if (at->range.offset <= seg->range.offset) {
			before = at;
			at = at->right;
		} else {
			at = at->left;
		}
	}
	seg->left = seg->right = NULL;
	seg->parent = parent;
	seg->max_end = seg->range.end;
	if (!parent)
		t->root = seg;
	else if (before == parent)
		parent->right = seg;
	else
		parent->left = seg;
	return before;
}

/* The leftmost of the tree below @s that overlaps. */
static struct segment *first_below(struct segment *s, struct range r)
{
	while (s && max_end(s) > r.offset) {
		if (max_end(s->left) > r.offset)
			s = s->left;	/* if not there, then all behind begin too late */
		else if (s->range.offset >= r.end)
			return NULL;
		else if (s->range.end > r.offset)
			return s;
		else
			s = s->right;
	}
	return NULL;
}

static struct segment *next_overlap(const struct segment *s, struct range r)
{
	struct segment *p;

	if (max_end(s->right) > r.offset)
		return first_below(s->right, r);
	for (p = s->parent; p; s = p, p = p->parent) {
		if (p->left != s)
			continue;
		if (p->range.offset >= r.end)
			return NULL;
		if (p->range.end > r.offset)
			return p;
		if (max_end(p->right) > r.offset)
			return first_below(p->right, r);
	}
	return NULL;
}

/* ---- the table ---- */

bool layout_table_empty(const struct layout_table *t)
{
	return !t->head;
}

void layout_table_insert(struct layout_table *t, struct segment *seg)
{
	struct segment *before = attach(t, seg);

	if (before)
		DL_APPEND_ELEM(t->head, before, seg);
	else
		DL_PREPEND(t->head, seg);
	update_up(seg->parent);
	t->random = t->random * 1664525 + 1013904223;
	seg->priority = t->random;
	while (seg->parent && seg->parent->priority < seg->priority)
		rotate_up(t, seg);
}

void layout_table_remove(struct layout_table *t, struct segment *seg)
{
	struct segment *up;

	while (seg->left || seg->right) {
		up = seg->left;
		if (!up || (seg->right && seg->right->priority > up->priority))
			up = seg->right;
		rotate_up(t, up);
	}
	set_child(t, seg->parent, seg, NULL);
	update_up(seg->parent);
	DL_DELETE(t->head, seg);
}

struct segment *layout_table_overlap(const struct layout_table *t, struct range r,
				     const struct segment *after)
{
	return after ? next_overlap(after, r) : first_below(t->root, r);
}

static bool forbids(const struct segment *seg, const struct claim *claim)
{
	if (seg->state == SEGMENT_RETURNING)
		return true;	/* its unmap must not meet a new map of the range */
	if (seg->owner != claim->owner)
		return (seg->mode == BACKING_RW || claim->mode == BACKING_RW) &&
		       !(seg->coop && claim->coop);
	if (seg->state != SEGMENT_GRANTED)
		return true;
	return seg->mode == BACKING_READ && claim->mode == BACKING_RW;
}

struct segment *layout_table_conflict(const struct layout_table *t, const struct claim *claim,
				      struct range r, struct segment *after)
{
	struct segment *seg = after;

	while ((seg = layout_table_overlap(t, r, seg)))
		if (forbids(seg, claim))
			return seg;
	return NULL;
}

struct segment *layout_table_held(const struct layout_table *t, const void *owner,
				  uint64_t offset, enum backing_iomode mode)
{
	struct range r = { offset, offset + 1 };
	struct segment *seg = NULL;

	while ((seg = layout_table_overlap(t, r, seg)))
		if (seg->owner == owner && seg->state == SEGMENT_GRANTED &&
		    (seg->mode == BACKING_RW || mode == BACKING_READ))
			return seg;
	return NULL;
}

struct range layout_table_clip(const struct layout_table *t, const void *owner,
			       struct range r)
{
	struct segment *seg = NULL;

	while ((seg = layout_table_overlap(t, r, seg)))
		if (seg->owner == owner && seg->range.offset > r.offset) {
			r.end = seg->range.offset;
			break;
		}
	return r;
}

bool layout_table_covers_rw(const struct layout_table *t, const void *owner,
			    struct range r)
{
	uint64_t covered = r.offset;
	struct segment *seg = NULL;

	/* ascending, and one owner's do not overlap */
	while (covered < r.end && (seg = layout_table_overlap(t, r, seg)))
		if (seg->owner == owner && seg->mode == BACKING_RW &&
		    seg->state != SEGMENT_GRANTING &&
		    seg->range.offset <= covered && seg->range.end > covered)
			covered = seg->range.end;
	return covered >= r.end;
}

bool layout_table_shared(const struct layout_table *t, const struct segment *seg)
{
	const struct segment *other = NULL;

	while ((other = layout_table_overlap(t, seg->range, other)))
		if (other != seg && !other->shared)
			return true;
	return false;
}
