// SPDX-License-Identifier: BSD-3-Clause
/* Ranges at the edges of 64 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/range.h"

#define TOP UINT64_MAX

static void make(void **state)
{
	static const struct {
		uint64_t offset, length;
		bool ok;
		uint64_t end;
	} cases[] = {
		{ 0, 0, false, 0 }, { 5, 0, false, 0 }, { TOP, 0, false, 0 },
		{ 0, 1, true, 1 }, { 7, 3, true, 10 },
		{ 0, TOP, true, TOP }, { 5, TOP, true, TOP }, { TOP - 1, TOP, true, TOP },
		{ TOP, TOP, false, 0 },
		{ TOP - 1, 1, true, TOP }, { TOP, 1, false, 0 }, { TOP - 1, 2, false, 0 },
		{ 1, TOP - 1, true, TOP }, { 2, TOP - 1, false, 0 },
		{ 1ULL << 63, 1ULL << 63, false, 0 }, { 1ULL << 63, (1ULL << 63) - 1, true, TOP },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct range r = { 11, 22 };

		assert_int_equal(range_make(cases[i].offset, cases[i].length, &r), cases[i].ok);
		/* untouched when refused */
		assert_true(r.offset == (cases[i].ok ? cases[i].offset : 11));
		assert_true(r.end == (cases[i].ok ? cases[i].end : 22));
		if (cases[i].ok)
			assert_false(range_empty(r));
	}
}

static void relations(void **state)
{
	struct range all = { 0, TOP }, last = { TOP - 1, TOP }, a = { 10, 20 };

	(void)state;
	assert_true(range_overlaps(all, last));
	assert_true(range_contains(all, last));
	assert_false(range_contains(last, all));
	assert_true(range_contains(a, a));
	assert_false(range_overlaps(a, (struct range){ 20, 30 }));
	assert_false(range_overlaps((struct range){ 0, 10 }, a));
	assert_true(range_overlaps(a, (struct range){ 19, 20 }));
	assert_true(range_overlaps((struct range){ 0, 11 }, a));
	assert_false(range_contains(a, (struct range){ 10, 21 }));
	assert_false(range_contains(a, (struct range){ 9, 20 }));
	assert_true(range_len(last) == 1);
	assert_true(range_len(all) == TOP);
}

static void intersections(void **state)
{
	struct range r = range_intersect((struct range){ 5, 15 }, (struct range){ 10, TOP });

	(void)state;
	assert_true(r.offset == 10 && r.end == 15);
	assert_true(range_empty(range_intersect((struct range){ 0, 10 },
						(struct range){ 10, 20 })));
	assert_true(range_empty(range_intersect((struct range){ 0, 5 },
						(struct range){ 100, TOP })));
}

static void rounding(void **state)
{
	static const uint64_t granules[] = { 1, 512, 4096, 2ULL << 20, 1ULL << 63 };
	struct range r;
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		uint64_t g = granules[i];

		assert_true(round_down_to(0, g) == 0);
		assert_true(round_up_sat(0, g) == 0);
		assert_true(round_down_to(g, g) == g && round_up_sat(g, g) == g);
		if (g > 1) {
			assert_true(round_down_to(g - 1, g) == 0 && round_up_sat(g - 1, g) == g);
			assert_true(round_up_sat(1, g) == g);
			assert_true(round_down_to(TOP, g) == TOP - g + 1);
			/* one step below, at and above what still has a multiple */
			assert_true(round_up_sat(TOP - g, g) == TOP - g + 1);
			assert_true(round_up_sat(TOP - g + 1, g) == TOP - g + 1);
			assert_true(round_up_sat(TOP - g + 2, g) == TOP);
		}
		assert_true(round_up_sat(TOP, g) == TOP);
		r = range_round_out((struct range){ TOP - 1, TOP }, g);
		assert_true(r.end == TOP && r.offset <= TOP - 1 && r.offset % g == 0);
	}
	r = range_round_out((struct range){ 4097, 8191 }, 4096);
	assert_true(r.offset == 4096 && r.end == 8192);
	r = range_round_out((struct range){ 4096, 8192 }, 4096);
	assert_true(r.offset == 4096 && r.end == 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(make),
		cmocka_unit_test(relations),
		cmocka_unit_test(intersections),
		cmocka_unit_test(rounding),
	};

	return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
