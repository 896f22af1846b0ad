/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The byte ranges of one file that are out, being granted, or being taken back: an
 * interval tree (a treap in which each node knows the highest end below it), so that a
 * file with a million segments costs a lookup the same as one with a thousand; threaded
 * by a list in ascending order.  Knows nothing of clients but the owner's identity.
 */
#ifndef IOPMEM_SERVER_LAYOUT_TABLE_H
#define IOPMEM_SERVER_LAYOUT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "backing.h"
#include "base/range.h"

struct fabric_mr;
struct layout;

/* The names of docs/architecture.md's state diagram and of docs/model/iopmem.pml. */
enum segment_state {
	SEGMENT_GRANTING,	/* reserved, a grant is working on it */
	SEGMENT_GRANTED,	/* the client has its key */
	SEGMENT_RETURNING,	/* being torn down: return or fence */
};

struct segment {
	struct range range;
	enum backing_iomode mode;
	enum segment_state state;
	const void *owner;		/* the client */
	struct layout *layout;
	enum backing_extent_state data;	/* NONE: no memory */
	bool no_commit;
	bool shared;			/* others overlap: the last one unmaps */
	bool region;			/* had a memory region when it was granted */
	bool coop;			/* of shared writers: no conflict with another such */
	struct memsrc mem;		/* of a data segment */
	struct fabric_mr *mr;		/* NULL: no key is alive */
	struct segment *prev, *next;	/* table->head; ascending */
	struct segment *own_prev, *own_next;	/* layout->segs */
	struct segment *left, *right, *parent;	/* private to layout_table.c from here */
	uint64_t max_end;		/* of this and all below */
	uint32_t priority;		/* not below that of any child */
};

struct layout_table {
	struct segment *head;
	struct segment *root;
	uint32_t random;
};

/* Who asks for a grant, and as what. */
struct claim {
	const void *owner;
	enum backing_iomode mode;
	bool coop;
};

bool layout_table_empty(const struct layout_table *t);
void layout_table_insert(struct layout_table *t, struct segment *seg);
void layout_table_remove(struct layout_table *t, struct segment *seg);

/* The first segment behind @after (NULL = of all) that overlaps @r, ascending. */
struct segment *layout_table_overlap(const struct layout_table *t, struct range r,
				     const struct segment *after);

/*
 * The first segment after @after (NULL = from the start) that forbids @claim a
 * grant of @r: anybody's in state RETURNING; another owner's where one of both is RW,
 * unless both are of shared writers; the owner's own in state GRANTING, or READ where RW
 * is wanted.
 */
struct segment *layout_table_conflict(const struct layout_table *t, const struct claim *claim,
				      struct range r, struct segment *after);

/* The granted segment of @owner that holds @offset with at least @mode; NULL. */
struct segment *layout_table_held(const struct layout_table *t, const void *owner,
				  uint64_t offset, enum backing_iomode mode);

/* Cuts the end of @r before the first segment of @owner behind @r.offset. */
struct range layout_table_clip(const struct layout_table *t, const void *owner,
			       struct range r);

/* Another segment overlaps @seg (two readers) that has not left the unmapping to us. */
bool layout_table_shared(const struct layout_table *t, const struct segment *seg);

/* Every byte of @r lies in RW segments of @owner that are out or being returned. */
bool layout_table_covers_rw(const struct layout_table *t, const void *owner,
			    struct range r);

#endif
