// SPDX-License-Identifier: BSD-3-Clause
#include "written.h"

#include <string.h>

/* Room for a paint: every old range, one of them split, and the new one. */
struct scratch {
	size_t n;
	struct written_range v[WRITTEN_MAX + 2];
};

static void push(struct scratch *s, struct range r, enum written_state state)
{
	struct written_range *last = s->n ? &s->v[s->n - 1] : NULL;

	if (range_empty(r))
		return;
	if (last && last->r.end == r.offset && last->state == state)
		last->r.end = r.end;
	else
		s->v[s->n++] = (struct written_range){ r, state };
}

static void join_smallest_gap(struct scratch *s)
{
	uint64_t best = UINT64_MAX;
	size_t i, at = 0;

	for (i = 0; i + 1 < s->n; i++) {
		uint64_t gap = s->v[i + 1].r.offset - s->v[i].r.end;

		if (gap < best) {
			best = gap;
			at = i;
		}
	}
	s->v[at].r.end = s->v[at + 1].r.end;
	if (s->v[at + 1].state == WRITTEN_DIRTY)
		s->v[at].state = WRITTEN_DIRTY;
	memmove(&s->v[at + 1], &s->v[at + 2], (s->n - at - 2) * sizeof(s->v[0]));
	s->n--;
}

static void store(struct written *w, struct scratch *s)
{
	while (s->n > WRITTEN_MAX)
		join_smallest_gap(s);
	w->n = s->n;
	memcpy(w->v, s->v, s->n * sizeof(s->v[0]));
}

/* Cuts @r out of @w and, with @dirty, puts it back as DIRTY. */
static void paint(struct written *w, struct range r, bool dirty)
{
	struct scratch s;
	bool placed = !dirty;
	size_t i;

	s.n = 0;
	for (i = 0; i < w->n; i++) {
		struct range old = w->v[i].r;
		struct range left = { old.offset, old.end < r.offset ? old.end : r.offset };
		struct range right = { old.offset > r.end ? old.offset : r.end, old.end };

		push(&s, left, w->v[i].state);
		if (!placed && old.end > r.offset) {
			push(&s, r, WRITTEN_DIRTY);
			placed = true;
		}
		push(&s, right, w->v[i].state);
	}
	if (!placed)
		push(&s, r, WRITTEN_DIRTY);
	store(w, &s);
}

void written_add(struct written *w, struct range r)
{
	if (!range_empty(r))
		paint(w, r, true);
}

void written_clear(struct written *w, struct range r)
{
	if (!range_empty(r))
		paint(w, r, false);
}

bool written_begin(struct written *w)
{
	struct scratch s;
	bool any = false;
	size_t i;

	s.n = 0;
	for (i = 0; i < w->n; i++) {
		any |= w->v[i].state == WRITTEN_DIRTY;
		push(&s, w->v[i].r, WRITTEN_COMMITTING);
	}
	store(w, &s);
	return any;
}

void written_end(struct written *w, bool ok)
{
	struct scratch s;
	size_t i;

	s.n = 0;
	for (i = 0; i < w->n; i++)
		if (!ok || w->v[i].state == WRITTEN_DIRTY)
			push(&s, w->v[i].r, WRITTEN_DIRTY);
	store(w, &s);
}

uint64_t written_top(const struct written *w)
{
	return w->n ? w->v[w->n - 1].r.end : 0;
}
