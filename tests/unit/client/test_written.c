// SPDX-License-Identifier: BSD-3-Clause
/* Random operations against a byte array. */
#include <string.h>

#include "model.h"
#include "written.h"

#define N 2048

enum { CLEAN, DIRTY, COMMITTING };

static void check_shape(const struct written *w)
{
	size_t i;

	assert_true(w->n <= WRITTEN_MAX);
	for (i = 0; i < w->n; i++) {
		assert_true(w->v[i].r.offset < w->v[i].r.end);
		if (!i)
			continue;
		assert_true(w->v[i - 1].r.end <= w->v[i].r.offset);
		assert_false(w->v[i - 1].r.end == w->v[i].r.offset &&
			     w->v[i - 1].state == w->v[i].state);
	}
}

static void spread(const struct written *w, uint8_t *out)
{
	size_t i;

	memset(out, CLEAN, N);
	for (i = 0; i < w->n; i++)
		memset(out + w->v[i].r.offset,
		       w->v[i].state == WRITTEN_DIRTY ? DIRTY : COMMITTING,
		       w->v[i].r.end - w->v[i].r.offset);
}

static void replace(uint8_t *m, uint8_t from, uint8_t to)
{
	int i;

	for (i = 0; i < N; i++)
		if (m[i] == from)
			m[i] = to;
}

static void step(struct written *w, uint8_t *m, uint64_t longest)
{
	uint64_t a = model_rand(N), len = 1 + model_rand(longest);
	struct range r = { a, a + len < N ? a + len : N };
	bool any = memchr(m, DIRTY, N) != NULL;

	switch (model_rand(8)) {
	case 0:
		assert_int_equal(written_begin(w), any);
		replace(m, DIRTY, COMMITTING);
		break;
	case 1:
		written_end(w, true);
		replace(m, COMMITTING, CLEAN);
		break;
	case 2:
		written_end(w, false);
		replace(m, COMMITTING, DIRTY);
		break;
	case 3:
		written_clear(w, r);
		memset(m + r.offset, CLEAN, r.end - r.offset);
		break;
	default:
		written_add(w, r);
		memset(m + r.offset, DIRTY, r.end - r.offset);
	}
}

/* Long ranges: the set never overflows and is exact. */
static void exact(void **state)
{
	struct written w = { 0 };
	uint8_t model[N] = { 0 }, got[N];
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		step(&w, model, 200);
		check_shape(&w);
		if (w.n > WRITTEN_MAX - 2) {	/* exactness ends there */
			w.n = 0;
			memset(model, CLEAN, N);
		}
		spread(&w, got);
		assert_memory_equal(got, model, N);
	}
}

/* Single bytes: it overflows, and never forgets a byte that is not committed. */
static void superset(void **state)
{
	struct written w = { 0 };
	uint8_t model[N] = { 0 }, got[N];
	uint64_t a;
	int i, k;

	(void)state;
	for (i = 0; i < 20000; i++) {
		if (i % 1000 == 999) {
			written_begin(&w);
			written_end(&w, true);
			memset(model, CLEAN, N);
		}
		a = model_rand(N);
		written_add(&w, (struct range){ a, a + 1 });
		model[a] = DIRTY;
		check_shape(&w);
		spread(&w, got);
		for (k = 0; k < N; k++)
			assert_true(!model[k] || got[k] == DIRTY);
	}
}

static void edges(void **state)
{
	struct written w = { 0 };

	(void)state;
	written_add(&w, (struct range){ 5, 5 });
	assert_int_equal(w.n, 0);
	assert_int_equal(written_top(&w), 0);
	assert_false(written_begin(&w));
	written_add(&w, (struct range){ UINT64_MAX - 1, UINT64_MAX });
	written_add(&w, (struct range){ 0, 1 });
	assert_int_equal(w.n, 2);
	assert_true(written_top(&w) == UINT64_MAX);
	/* A write during a commit is not committed by it. */
	assert_true(written_begin(&w));
	written_add(&w, (struct range){ 0, 1 });
	written_end(&w, true);
	assert_int_equal(w.n, 1);
	assert_int_equal(w.v[0].r.end, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact), cmocka_unit_test(superset), cmocka_unit_test(edges),
	};

	model_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
