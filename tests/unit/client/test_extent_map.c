// SPDX-License-Identifier: BSD-3-Clause
/* Random inserts and removals against an array of what each byte's key and address are. */
#include <string.h>

#include "extent_map.h"
#include "model.h"

#define N 1024

struct byte {
	uint32_t rkey;		/* 0 = not held */
	uint64_t addr;
};

static void check(const struct extent_map *map, const struct byte *model)
{
	struct range whole = { 0, N }, got;
	size_t i, gap = N, held = N;

	for (i = 0; i < map->n; i++) {
		assert_true(map->v[i].r.offset < map->v[i].r.end);
		assert_true(!i || map->v[i - 1].r.end <= map->v[i].r.offset);
	}
	for (i = 0; i < N; i++) {
		const struct extent *e = extent_map_find(map, i);

		if (!model[i].rkey && gap == N)
			gap = i;
		if (model[i].rkey && held == N)
			held = i;
		assert_int_equal(e != NULL, model[i].rkey != 0);
		if (!e)
			continue;
		assert_int_equal(e->rkey, model[i].rkey);
		assert_true(e->addr + (i - e->r.offset) == model[i].addr);
	}
	assert_int_equal(extent_map_gap(map, whole, &got), gap < N);
	if (gap < N) {
		assert_int_equal(got.offset, gap);
		for (i = got.offset; i < got.end; i++)
			assert_int_equal(model[i].rkey, 0);
		assert_true(got.end == N || model[got.end].rkey);
	}
	assert_int_equal(extent_map_next(map, whole, &got), held < N);
	if (held < N)
		assert_int_equal(got.offset, held);
}

static bool model_splits(const struct byte *m, struct range r)
{
	bool left = r.offset > 0 && m[r.offset].rkey && m[r.offset].rkey == m[r.offset - 1].rkey;
	bool right = r.end < N && m[r.end].rkey && m[r.end].rkey == m[r.end - 1].rkey;

	return left || right;
}

static void model_test(void **state)
{
	struct extent_map map = { 0 };
	static struct byte model[N];
	uint32_t key = 0;
	uint64_t i;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		uint64_t a = model_rand(N), b = a + 1 + model_rand(N - a);
		struct extent e = {
			.r = { a, b }, .rkey = ++key, .addr = model_rand(1U << 30) << 8,
		};
		bool add = model_rand(3) != 0;

		assert_int_equal(extent_map_splits(&map, e.r), model_splits(model, e.r));
		if (add)
			assert_int_equal(extent_map_insert(&map, &e), 0);
		else
			extent_map_remove(&map, e.r);
		for (i = a; i < b; i++)
			model[i] = add ? (struct byte){ key, e.addr + (i - a) } :
					 (struct byte){ 0, 0 };
		check(&map, model);
	}
	extent_map_fini(&map);
}

static void edges(void **state)
{
	struct extent e = { .r = { 0, UINT64_MAX }, .rkey = 7 }, empty = { .r = { 3, 3 } };
	struct extent_map map = { 0 };
	struct range got;

	(void)state;
	assert_null(extent_map_find(&map, 0));
	assert_true(extent_map_gap(&map, (struct range){ 1, 2 }, &got));
	extent_map_remove(&map, (struct range){ 0, UINT64_MAX });
	assert_true(extent_map_insert(&map, &empty) < 0);
	assert_int_equal(extent_map_insert(&map, &e), 0);
	extent_map_remove(&map, (struct range){ 10, 20 });
	assert_int_equal(map.n, 2);
	assert_true(map.v[1].r.offset == 20 && map.v[1].addr == 20);
	assert_true(map.v[1].r.end == UINT64_MAX);
	extent_map_remove(&map, (struct range){ 0, UINT64_MAX });
	assert_int_equal(map.n, 0);
	extent_map_fini(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_test), cmocka_unit_test(edges),
	};

	model_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
