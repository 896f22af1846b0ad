/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a lease has written and not yet committed: DIRTY -> COMMITTING -> gone; a
 * failed commit falls back to DIRTY; a write during a commit makes its bytes DIRTY
 * again.
 *
 * Bounded: when a range more would not fit, the two neighbours with the smallest
 * gap are joined.  The set is then a superset of what was written; that is safe
 * because everything between two writes of one lease is held by it, and bytes of
 * a grant that were not written are zeros.
 */
#ifndef CLIENT_WRITTEN_H
#define CLIENT_WRITTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/range.h"

#define WRITTEN_MAX 128

enum written_state { WRITTEN_DIRTY, WRITTEN_COMMITTING };

struct written_range {
	struct range r;
	enum written_state state;
};

/* Ascending, disjoint; neighbours of one state are joined.  Zeroed = empty. */
struct written {
	size_t n;
	struct written_range v[WRITTEN_MAX];
};

void written_add(struct written *w, struct range r);
/* DIRTY becomes COMMITTING; false when there was none. */
bool written_begin(struct written *w);
/* COMMITTING goes when @ok, else is DIRTY again. */
void written_end(struct written *w, bool ok);
/* Forgets [r) in either state. */
void written_clear(struct written *w, struct range r);
/* First byte after the last one written, 0 when empty. */
uint64_t written_top(const struct written *w);

#endif
