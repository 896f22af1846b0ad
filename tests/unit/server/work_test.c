// SPDX-License-Identifier: BSD-3-Clause
/* Work on an open file: alone behind a gate, or beside layouts with its range kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export.h"
#include "work.h"

static struct file file;
static struct export export_;
static struct call call;
static struct file_job *queued;
static struct file_waiter *waiting;
static int refs, cred_rc, answers, failures, inside, runs, run_rc;

/* ---- fakes ---- */

void file_submit(struct file *f, struct file_job *fj)
{
	fj->file = f;
	assert_null(queued);
	queued = fj;
}

void file_wait_idle(struct file *f, struct file_waiter *w)
{
	w->file = f;
	waiting = w;
}

void file_ref(struct file *f)
{
	(void)f;
	refs++;
}

void file_put(struct file *f)
{
	(void)f;
	refs--;
}

int cred_enter(const struct cred *cred)
{
	(void)cred;
	if (!cred_rc)
		inside++;
	return cred_rc;
}

void cred_leave(void)
{
	inside--;
}

void export_cred(const struct export *exp, const struct call *c, struct cred *cred)
{
	(void)exp;
	*cred = c->who.cred;
}

bool quiesce_delays(struct call *c, const struct export *exp)
{
	(void)c;
	(void)exp;
	return false;
}

void server_write_failed(struct server *server, int rc)
{
	(void)server;
	failures += rc != 0;
}

void call_status(struct call *c, enum iopmem_status status)
{
	(void)c;
	(void)status;
	answers++;
}

void call_errno(struct call *c, int rc, const struct iopmem_err *err)
{
	(void)c;
	(void)err;
	assert_int_not_equal(rc, 0);
	answers++;
}

void call_reply(struct call *c)
{
	(void)c;
	answers++;
}

void attr_from_stat(iopmem_attr *attr, const struct stat *st)
{
	attr->size = (uint64_t)st->st_size;
}

static int fake_stat(struct backing_file *bf, struct stat *st)
{
	(void)bf;
	assert_int_equal(inside, 0);	/* the server looks, not the caller */
	st->st_size = 77;
	return 0;
}

static const struct backing_ops fake_ops = { .file_stat = fake_stat };

/* ---- */

static int run(struct work *w)
{
	(void)w;
	assert_int_equal(inside, 1);
	runs++;
	return run_rc;
}

static void done(struct work *w)
{
	assert_int_equal(file.gates, 0);
	assert_false(work_reads(&file, (struct range){ 0, UINT64_MAX }));
	work_answer_attr(w);
}

static void run_queue(void)
{
	struct file_job *fj = queued;

	assert_non_null(fj);
	queued = NULL;
	fj->run(fj);
	assert_int_equal(inside, 0);
	fj->done(fj);
}

static int setup(void **state)
{
	(void)state;
	export_ = (struct export){ .ops = &fake_ops };
	file = (struct file){ .exp = &export_ };
	call = (struct call){ 0 };
	queued = NULL;
	waiting = NULL;
	refs = cred_rc = answers = failures = inside = runs = run_rc = 0;
	return 0;
}

static struct work *new_work(bool alone, uint64_t from, uint64_t to)
{
	struct work *w = work_new(&call, sizeof(*w));

	assert_non_null(w);
	w->what = "test";
	w->alone = alone;
	w->range = (struct range){ from, to };
	w->run = run;
	return w;
}

static bool reads(uint64_t from, uint64_t to)
{
	return work_reads(&file, (struct range){ from, to });
}

static void alone_behind_a_gate(void **state)
{
	(void)state;
	work_start(new_work(true, 0, 0), &file, done);
	assert_int_equal(file.gates, 1);
	assert_int_equal(refs, 1);
	assert_null(queued);		/* not before no layout and no lease is left */
	assert_false(reads(0, UINT64_MAX));
	waiting->ready(waiting);
	assert_int_equal(file.gates, 1);
	run_queue();
	assert_int_equal(runs, 1);
	assert_int_equal(answers, 1);
	assert_int_equal(refs, 0);
	assert_int_equal(call.res.attr.iopmem_attr_res_u.attr.size, 77);
}

static void beside_layouts(void **state)
{
	(void)state;
	work_start(new_work(false, 4096, 8192), &file, done);
	assert_int_equal(file.gates, 0);
	assert_null(waiting);
	assert_true(reads(0, 4097));
	assert_true(reads(8191, 9000));
	assert_false(reads(0, 4096));
	assert_false(reads(8192, UINT64_MAX));
	run_queue();
	assert_int_equal(answers, 1);
	assert_int_equal(refs, 0);
}

/* A sync reads nothing: it is in nobody's way. */
static void empty_range(void **state)
{
	(void)state;
	work_start(new_work(false, 0, 0), &file, done);
	assert_false(reads(0, UINT64_MAX));
	run_queue();
	assert_int_equal(answers, 1);
}

static void failures_are_answered(void **state)
{
	(void)state;
	cred_rc = -EPERM;
	work_start(new_work(false, 0, 4096), &file, done);
	run_queue();
	assert_int_equal(runs, 0);
	assert_int_equal(answers, 1);
	cred_rc = 0;
	run_rc = -EIO;
	work_start(new_work(true, 0, 0), &file, done);
	waiting->ready(waiting);
	run_queue();
	assert_int_equal(runs, 1);
	assert_int_equal(answers, 2);
	assert_int_equal(failures, 2);
	assert_int_equal(refs, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, setup)
	const struct CMUnitTest tests[] = {
		T(alone_behind_a_gate),
		T(beside_layouts),
		T(empty_range),
		T(failures_are_answered),
	};

	return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
