// SPDX-License-Identifier: BSD-3-Clause
/*
 * I2, I6, I22: the one teardown.  Order of its steps, and each of them failing again and
 * again: repeated with back-off, counted, and nothing behind it happens before.
 * Backing, fabric, pool, timers and file queue are fakes that write down what happens.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utlist.h>

#include "export.h"
#include "fabric/fabric.h"
#include "layout.h"

static struct server srv;
static struct export exp_;
static struct file file;
static struct client client;
static struct layout layout;

static char steps[64];		/* D dereg, M memory put, C commit, U unmap, R removed, ! done */
static struct job *pooled;
static struct file_job *queued;
static struct timer *armed;
static uint64_t armed_ms;
static int fail_dereg, fail_unmap, fail_commit;		/* so many times */

static void note(char c)
{
	size_t n = strlen(steps);

	assert_true(n + 1 < sizeof(steps));
	steps[n] = c;
}

/* ---- fakes ---- */

void pool_submit(struct pool *pool, struct job *job)
{
	(void)pool;
	assert_null(pooled);
	pooled = job;
}

void file_submit(struct file *f, struct file_job *fj)
{
	fj->file = f;
	queued = fj;
}

void timer_arm(struct loop *loop, struct timer *t, uint64_t delay_ms)
{
	(void)loop;
	armed = t;
	armed_ms = delay_ms;
}

void wait_begin(struct wait_list *list, struct wait *w, const struct wait_type *type)
{
	struct wait_about about;

	(void)list;
	w->type = type;
	type->about(w, &about);
	assert_non_null(strstr(about.what, "d/f"));
}

void wait_end(struct wait_list *list, struct wait *w)
{
	(void)list;
	assert_non_null(w->type);
	w->type = NULL;
}

void server_write_failed(struct server *s, int rc)
{
	(void)s;
	(void)rc;
}

void layout_remove(struct layout *l, struct segment *seg)
{
	layout_table_remove(&l->file->table, seg);
	note('R');
}

int fabric_mr_dereg(struct fabric_mr *mr)
{
	assert_non_null(mr);
	if (fail_dereg) {
		fail_dereg--;
		return -EIO;
	}
	note('D');
	return 0;
}

static void fake_mem_put(struct backing_file *bf, struct memsrc *src)
{
	(void)bf;
	(void)src;
	note('M');
}

static int fake_unmap(struct backing_file *bf, struct range r, struct iopmem_err *err)
{
	(void)bf;
	(void)r;
	if (fail_unmap) {
		fail_unmap--;
		return err_msg(err, EBUSY, "fake");
	}
	note('U');
	return 0;
}

static int fake_commit(struct backing_file *bf, const struct range *ranges, size_t n,
		       uint64_t new_size, uint64_t *size, struct iopmem_err *err)
{
	(void)bf;
	(void)ranges;
	assert_int_equal(n, 1);
	note('C');
	if (fail_commit)
		return err_msg(err, ENOSPC, "fake");
	*size = new_size;
	return 0;
}

static const struct backing_ops fake_ops = {
	.mem_put = fake_mem_put, .unmap = fake_unmap, .commit = fake_commit,
};

/* ---- the scene ---- */

static struct teardown teardown;

static void finished(struct teardown *t)
{
	assert_ptr_equal(t, &teardown);
	note('!');
}

static struct segment *segment(uint64_t page, bool memory)
{
	struct segment *seg = calloc(1, sizeof(*seg));

	assert_non_null(seg);
	seg->range = (struct range){ page * 4096, (page + 1) * 4096 };
	seg->mode = BACKING_RW;
	seg->state = SEGMENT_GRANTED;
	seg->owner = &client;
	seg->layout = &layout;
	seg->data = memory ? BACKING_RW_DATA : BACKING_NONE;
	seg->mr = memory ? (struct fabric_mr *)(uintptr_t)(0x1000 + page) : NULL;
	layout_table_insert(&file.table, seg);
	return seg;
}

/* Two segments with memory and a hole. */
static int up(void **state)
{
	(void)state;
	memset(&srv, 0, sizeof(srv));
	memset(&file, 0, sizeof(file));
	memset(&client, 0, sizeof(client));
	memset(&layout, 0, sizeof(layout));
	memset(&teardown, 0, sizeof(teardown));
	memset(steps, 0, sizeof(steps));
	exp_.srv = &srv;
	exp_.ops = &fake_ops;
	exp_.cfg = &srv.cfg.exports[0];
	file.srv = &srv;
	file.exp = &exp_;
	strcpy(file.name, "d/f");
	client.srv = &srv;
	strcpy(client.name, "c");
	layout.file = &file;
	layout.st.client = &client;
	pooled = NULL;
	queued = NULL;
	armed = NULL;
	fail_dereg = fail_unmap = fail_commit = 0;
	teardown.layout = &layout;
	teardown.segs = calloc(3, sizeof(struct segment *));
	assert_non_null(teardown.segs);
	teardown.segs[0] = segment(0, true);
	teardown.segs[1] = segment(1, true);
	teardown.segs[2] = segment(2, false);
	teardown.n = 3;
	teardown.why = "test";
	teardown.done = finished;
	return 0;
}

static void with_commit(void)
{
	teardown.commit = calloc(1, sizeof(struct range));
	assert_non_null(teardown.commit);
	teardown.nr_commit = 1;
	teardown.new_size = 5000;
}

static void run_pool(void)
{
	struct job *job = pooled;

	assert_non_null(job);
	pooled = NULL;
	job->run(job);
	job->done(job);
}

static void run_queue(void)
{
	struct file_job *fj = queued;

	assert_non_null(fj);
	queued = NULL;
	fj->run(fj);
	fj->done(fj);
}

/* The retry is armed with @ms; let it come. */
static void retry_after(uint64_t ms)
{
	struct timer *t = armed;

	assert_null(pooled);
	assert_null(queued);
	assert_non_null(t);
	assert_true(armed_ms == ms);
	armed = NULL;
	t->fire(t);
}

/* ---- tests ---- */

static void I2_order(void **state)
{
	size_t i;

	(void)state;
	with_commit();
	teardown_start(&teardown);
	for (i = 0; i < 3; i++)		/* from now on nobody is granted the range */
		assert_int_equal(teardown.segs[i]->state, SEGMENT_RETURNING);
	run_pool();
	run_queue();
	assert_true(file.size == 5000);
	run_pool();
	assert_string_equal(steps, "DMDMCUUURRR!");
	assert_true(layout_table_empty(&file.table));
	assert_int_equal(srv.metrics.counter[METRIC_TEARDOWN_RETRIES], 0);
}

static void no_commit_no_queue(void **state)
{
	(void)state;
	teardown_start(&teardown);
	run_pool();
	assert_null(queued);
	run_pool();
	assert_string_equal(steps, "DMDMUUURRR!");
}

/* A fence that fails is repeated, each time later, and releases nothing. */
static void I6_failed_dereg_never_releases(void **state)
{
	static const uint64_t delays[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
	size_t i;

	(void)state;
	with_commit();
	fail_dereg = 2 * 9;	/* both keys, each time */
	teardown_start(&teardown);
	for (i = 0; i < 9; i++) {
		run_pool();
		assert_string_equal(steps, "");
		assert_false(layout_table_empty(&file.table));
		assert_int_equal(teardown.segs[0]->state, SEGMENT_RETURNING);
		assert_true(srv.metrics.counter[METRIC_TEARDOWN_RETRIES] == i + 1);
		retry_after(delays[i]);
	}
	run_pool();
	run_queue();
	run_pool();
	assert_string_equal(steps, "DMDMCUUURRR!");
}

/* One key is dead, the other is not: only that one is tried again, once it is. */
static void I6_half_a_fence(void **state)
{
	(void)state;
	fail_dereg = 1;
	teardown_start(&teardown);
	run_pool();
	assert_string_equal(steps, "DM");
	retry_after(100);
	run_pool();
	assert_string_equal(steps, "DMDM");
	run_pool();
	assert_string_equal(steps, "DMDMUUURRR!");
}

/* The wait begins anew with the next step. */
static void failed_unmap_is_repeated(void **state)
{
	(void)state;
	fail_dereg = 1;
	fail_unmap = 2;
	teardown_start(&teardown);
	run_pool();
	retry_after(100);
	run_pool();
	run_pool();
	retry_after(100);
	run_pool();
	retry_after(200);
	run_pool();
	assert_string_equal(steps, "DMDMUUURRR!");
}

/* A commit that fails is the client's to hear; the return is done all the same. */
static void failed_commit_does_not_stop_it(void **state)
{
	(void)state;
	with_commit();
	fail_commit = 1;
	teardown_start(&teardown);
	run_pool();
	run_queue();
	run_pool();
	assert_string_equal(steps, "DMDMCUUURRR!");
	assert_int_equal(teardown.commit_rc, -ENOSPC);
	assert_true(file.size == 0);
}

/* What another reader still maps is left to that one. */
static void shared_ranges_stay_mapped(void **state)
{
	struct segment *other;

	(void)state;
	other = segment(1, true);
	teardown_start(&teardown);
	run_pool();
	run_pool();
	assert_string_equal(steps, "DMDMUURRR!");
	layout_table_remove(&file.table, other);
	free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(I2_order, up),
		cmocka_unit_test_setup(no_commit_no_queue, up),
		cmocka_unit_test_setup(I6_failed_dereg_never_releases, up),
		cmocka_unit_test_setup(I6_half_a_fence, up),
		cmocka_unit_test_setup(failed_unmap_is_repeated, up),
		cmocka_unit_test_setup(failed_commit_does_not_stop_it, up),
		cmocka_unit_test_setup(shared_ranges_stay_mapped, up),
	};

	return cmocka_run_group_tests_name("teardown", tests, NULL, NULL);
}
