// SPDX-License-Identifier: BSD-3-Clause
/*
 * The layout table against a slow twin: for every owner an array with the segment of
 * each page.  Seed: SEED in the environment or argv[1], operations: OPS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <utlist.h>

#include "layout_table.h"

#define PAGES 48
#define OWNERS 4
#define GRANULE 4096ULL
#define SEGMENTS_MAX 64

static struct layout_table table;
static struct segment *model[OWNERS][PAGES];
static struct segment *live[SEGMENTS_MAX];
static int nr_live;
static char owners[OWNERS];		/* their addresses are the owners */
static unsigned long long done;

static int rnd(int n)
{
	return (int)(random() % n);
}

static int owner_no(const struct segment *s)
{
	return (int)((const char *)s->owner - owners);
}

static struct range pages(int first, int end)
{
	return (struct range){ (uint64_t)first * GRANULE, (uint64_t)end * GRANULE };
}

static void random_range(int *first, int *end)
{
	*first = rnd(PAGES);
	*end = *first + 1 + rnd(rnd(4) ? 6 : PAGES);
	if (*end > PAGES)
		*end = PAGES;
}

static bool model_forbids(const struct segment *s, int owner, enum backing_iomode mode)
{
	if (s->state == SEGMENT_RETURNING)
		return true;
	if (owner_no(s) != owner)
		return s->mode == BACKING_RW || mode == BACKING_RW;
	return s->state == SEGMENT_GRANTING || (s->mode == BACKING_READ && mode == BACKING_RW);
}

/* Every segment in the way, each once; returns how many. */
static int model_conflicts(int owner, int first, int end, enum backing_iomode mode,
			   struct segment **list)
{
	int o, p, i, n = 0;

	for (p = first; p < end; p++) {
		for (o = 0; o < OWNERS; o++) {
			struct segment *s = model[o][p];

			if (!s || !model_forbids(s, owner, mode))
				continue;
			for (i = 0; i < n && list[i] != s; i++)
				;
			if (i == n)
				list[n++] = s;
		}
	}
	return n;
}

static void check_conflicts(int owner, int first, int end, enum backing_iomode mode, int *found)
{
	struct segment *want[SEGMENTS_MAX], *got = NULL;
	int n = model_conflicts(owner, first, end, mode, want), i;

	*found = n;
	while ((got = layout_table_conflict(&table, &owners[owner], pages(first, end), mode,
					    got))) {
		for (i = 0; i < n && want[i] != got; i++)
			;
		if (i == n)
			fail_msg("op %llu: a conflict that is none, or twice", done);
		want[i] = want[--n];
	}
	if (n)
		fail_msg("op %llu: %d conflicts missed", done, n);
}

static void check_held(int owner, int page, enum backing_iomode mode)
{
	struct segment *want = model[owner][page];
	uint64_t offset = (uint64_t)page * GRANULE + (uint64_t)rnd((int)GRANULE);

	if (want && (want->state != SEGMENT_GRANTED ||
		     (mode == BACKING_RW && want->mode == BACKING_READ)))
		want = NULL;
	assert_ptr_equal(layout_table_held(&table, &owners[owner], offset, mode), want);
}

static int model_clip(int owner, int first, int end)
{
	int p;

	for (p = first + 1; p < end; p++)
		if (model[owner][p] && model[owner][p] != model[owner][p - 1])
			return p;
	return end;
}

static void check_clip(int owner, int first, int end)
{
	struct range r = layout_table_clip(&table, &owners[owner], pages(first, end));

	assert_true(r.offset == pages(first, end).offset);
	assert_true(r.end == (uint64_t)model_clip(owner, first, end) * GRANULE);
}

/* Bytes, not pages: commits are not aligned. */
static void check_covers(int owner)
{
	uint64_t offset = (uint64_t)random() % (PAGES * GRANULE);
	uint64_t len = 1 + (uint64_t)random() % (rnd(2) ? GRANULE : 8 * GRANULE);
	struct range r = { offset, offset + len };
	bool want = r.end <= PAGES * GRANULE;
	uint64_t p;

	for (p = offset / GRANULE; want && p <= (r.end - 1) / GRANULE; p++)
		want = model[owner][p] && model[owner][p]->mode == BACKING_RW &&
		       model[owner][p]->state != SEGMENT_GRANTING;
	assert_int_equal(layout_table_covers_rw(&table, &owners[owner], r), want);
}

static void check_shared(const struct segment *s)
{
	bool want = false;
	uint64_t p;
	int o;

	for (p = s->range.offset / GRANULE; p < s->range.end / GRANULE; p++)
		for (o = 0; o < OWNERS; o++)
			want |= model[o][p] && model[o][p] != s;
	assert_int_equal(layout_table_shared(&table, s), want);
}

static void check_order(void)
{
	const struct segment *s;
	uint64_t last = 0;
	int n = 0;

	DL_FOREACH(table.head, s) {
		assert_true(s->range.offset >= last);
		last = s->range.offset;
		n++;
	}
	assert_int_equal(n, nr_live);
	assert_int_equal(layout_table_empty(&table), !nr_live);
}

static void set_model(const struct segment *s, struct segment *to)
{
	uint64_t p;

	for (p = s->range.offset / GRANULE; p < s->range.end / GRANULE; p++)
		model[owner_no(s)][p] = to;
}

/* What LAYOUTGET does: conflict, held, clip, insert. */
static void try_insert(void)
{
	enum backing_iomode mode = rnd(2) ? BACKING_RW : BACKING_READ;
	int owner = rnd(OWNERS), first, end, conflicts;
	struct segment *s;

	random_range(&first, &end);
	check_conflicts(owner, first, end, mode, &conflicts);
	check_held(owner, first, mode);
	check_clip(owner, first, end);
	if (conflicts || model[owner][first] || nr_live == SEGMENTS_MAX)
		return;
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->range = layout_table_clip(&table, &owners[owner], pages(first, end));
	s->mode = mode;
	s->owner = &owners[owner];
	s->state = rnd(2) ? SEGMENT_GRANTED : SEGMENT_GRANTING;
	layout_table_insert(&table, s);
	set_model(s, s);
	live[nr_live++] = s;
}

static void step_state(struct segment *s)
{
	if (s->state == SEGMENT_GRANTING)
		s->state = SEGMENT_GRANTED;
	else
		s->state = SEGMENT_RETURNING;
}

static void remove_one(int i)
{
	struct segment *s = live[i];

	layout_table_remove(&table, s);
	set_model(s, NULL);
	live[i] = live[--nr_live];
	free(s);
}

static void one_operation(void)
{
	int what = rnd(10), i = nr_live ? rnd(nr_live) : 0;

	if (what < 5)
		try_insert();
	else if (what < 7 && nr_live)
		step_state(live[i]);
	else if (what < 9 && nr_live)
		remove_one(i);
	else
		check_held(rnd(OWNERS), rnd(PAGES), rnd(2) ? BACKING_RW : BACKING_READ);
	check_covers(rnd(OWNERS));
	if (nr_live)
		check_shared(live[rnd(nr_live)]);
	check_order();
}

static void model_test(void **state)
{
	unsigned long long ops = getenv("OPS") ? strtoull(getenv("OPS"), NULL, 10) : 300000;

	(void)state;
	for (done = 0; done < ops; done++)
		one_operation();
	while (nr_live)
		remove_one(0);
	assert_true(layout_table_empty(&table));
}

/* The end of the number space, which the model has no pages for. */
static void to_the_end(void **state)
{
	struct segment s = { .range = { 4096, UINT64_MAX }, .mode = BACKING_RW,
			     .state = SEGMENT_GRANTED, .owner = &owners[0] };

	(void)state;
	layout_table_insert(&table, &s);
	assert_ptr_equal(layout_table_conflict(&table, &owners[1],
					       (struct range){ UINT64_MAX - 1, UINT64_MAX },
					       BACKING_READ, NULL), &s);
	assert_null(layout_table_conflict(&table, &owners[1], (struct range){ 0, 4096 },
					  BACKING_RW, NULL));
	assert_true(layout_table_covers_rw(&table, &owners[0],
					   (struct range){ 4096, UINT64_MAX }));
	assert_false(layout_table_covers_rw(&table, &owners[0],
					    (struct range){ 4095, UINT64_MAX }));
	assert_false(layout_table_covers_rw(&table, &owners[1], (struct range){ 5000, 5001 }));
	layout_table_remove(&table, &s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_test),
		cmocka_unit_test(to_the_end),
	};
	const char *text = argc > 1 ? argv[1] : getenv("SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 10) :
			    getenv("IOPMEM_LONG") ? (unsigned int)time(NULL) : 20490;

	printf("SEED=%u\n", seed);
	srandom(seed);
	return cmocka_run_group_tests_name("layout_table", tests, NULL, NULL);
}
