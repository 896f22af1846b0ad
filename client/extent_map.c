// SPDX-License-Identifier: BSD-3-Clause
#include "extent_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void extent_map_fini(struct extent_map *map)
{
	free(map->v);
	*map = (struct extent_map){ 0 };
}

static int reserve(struct extent_map *map, size_t want)
{
	size_t cap = map->cap ? map->cap : 8;
	struct extent *v;

	if (want <= map->cap)
		return 0;
	while (cap < want)
		cap *= 2;
	v = reallocarray(map->v, cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	map->v = v;
	map->cap = cap;
	return 0;
}

/* Index of the first extent that ends after @offset. */
static size_t lower(const struct extent_map *map, uint64_t offset)
{
	size_t lo = 0, hi = map->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (map->v[mid].r.end <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void open_slot(struct extent_map *map, size_t at)
{
	memmove(&map->v[at + 1], &map->v[at], (map->n - at) * sizeof(map->v[0]));
	map->n++;
}

static void close_slots(struct extent_map *map, size_t at, size_t n)
{
	if (!n)
		return;
	memmove(&map->v[at], &map->v[at + n], (map->n - at - n) * sizeof(map->v[0]));
	map->n -= n;
}

static void trim_front(struct extent *e, uint64_t offset)
{
	e->addr += offset - e->r.offset;
	e->r.offset = offset;
}

void extent_map_remove(struct extent_map *map, struct range r)
{
	size_t i, first;

	if (range_empty(r))
		return;
	i = lower(map, r.offset);
	if (i < map->n && map->v[i].r.offset < r.offset) {
		struct extent *e = &map->v[i];

		if (e->r.end > r.end) {
			bool room = !reserve(map, map->n + 1);

			e = &map->v[i];
			if (room) {
				open_slot(map, i);
				e = &map->v[i];
				trim_front(&map->v[i + 1], r.end);
			}
		}
		e->r.end = r.offset;
		i++;
	}
	first = i;
	while (i < map->n && map->v[i].r.end <= r.end)
		i++;
	close_slots(map, first, i - first);
	if (first < map->n && map->v[first].r.offset < r.end)
		trim_front(&map->v[first], r.end);
}

int extent_map_insert(struct extent_map *map, const struct extent *e)
{
	size_t at;

	if (range_empty(e->r))
		return -EINVAL;
	/* One for the new extent, one for an old one that it splits. */
	if (reserve(map, map->n + 2))
		return -ENOMEM;
	extent_map_remove(map, e->r);
	at = lower(map, e->r.offset);
	open_slot(map, at);
	map->v[at] = *e;
	return 0;
}

const struct extent *extent_map_find(const struct extent_map *map, uint64_t offset)
{
	size_t i = lower(map, offset);

	if (i < map->n && map->v[i].r.offset <= offset)
		return &map->v[i];
	return NULL;
}

bool extent_map_gap(const struct extent_map *map, struct range r, struct range *gap)
{
	size_t i = lower(map, r.offset);

	while (i < map->n && map->v[i].r.offset <= r.offset) {
		r.offset = map->v[i].r.end;
		i++;
	}
	if (range_empty(r))
		return false;
	if (i < map->n && map->v[i].r.offset < r.end)
		r.end = map->v[i].r.offset;
	*gap = r;
	return true;
}

bool extent_map_next(const struct extent_map *map, struct range r, struct range *held)
{
	size_t i = lower(map, r.offset);

	if (i == map->n)
		return false;
	*held = range_intersect(map->v[i].r, r);
	return !range_empty(*held);
}

static bool cut_at(const struct extent_map *map, uint64_t offset)
{
	const struct extent *e = extent_map_find(map, offset);

	return e && e->r.offset < offset;
}

bool extent_map_splits(const struct extent_map *map, struct range r)
{
	return cut_at(map, r.offset) || cut_at(map, r.end);
}
