/* SPDX-License-Identifier: BSD-3-Clause */
/* The segments of one file and iomode that a client holds: sorted, disjoint. */
#ifndef CLIENT_EXTENT_MAP_H
#define CLIENT_EXTENT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"

enum extent_state { EXTENT_DATA, EXTENT_HOLE };

struct extent {
	struct range r;
	uint64_t addr;		/* remote address of the byte at r.offset */
	uint32_t rkey;
	enum extent_state state;
	bool needs_commit;	/* without NO_LAYOUTCOMMIT: past EOF at the grant */
};

/* Zeroed = empty. */
struct extent_map {
	struct extent *v;
	size_t n;
	size_t cap;
};

void extent_map_fini(struct extent_map *map);

/* The new extent wins where it overlaps old ones.  -ENOMEM: nothing changed. */
int extent_map_insert(struct extent_map *map, const struct extent *e);

/*
 * Cuts @r out.  Never fails: where a cut in the middle of an extent finds no
 * memory for the second half, that half is forgotten too (a client may forget what it
 * holds; the server does not).
 */
void extent_map_remove(struct extent_map *map, struct range r);

/* The extent that holds @offset, or NULL. */
const struct extent *extent_map_find(const struct extent_map *map, uint64_t offset);

/* First part of @r that no extent covers; false: all covered. */
bool extent_map_gap(const struct extent_map *map, struct range r, struct range *gap);

/* First part of @r that an extent covers; false: none. */
bool extent_map_next(const struct extent_map *map, struct range r, struct range *held);

/* Does @r cut an extent in two or shorten one? */
bool extent_map_splits(const struct extent_map *map, struct range r);

#endif
