// SPDX-License-Identifier: BSD-3-Clause
/* The loop and its helper pools: timers, work that comes back, an end without loss. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop.h"

static struct loop *loop;

/* While a test arms its timers no time passes, or their order would be the machine's. */
static uint64_t held_at;		/* 0: it passes */

uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);

uint64_t __wrap_clock_ms(void)
{
	return held_at ? held_at : __real_clock_ms();
}

static int up(void **state)
{
	(void)state;
	loop = loop_new();
	return !loop;
}

static int down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* ---- timers ---- */

struct tick {
	struct timer t;
	uint64_t armed, delay;
	int no;
};

static int fired[64], nr_fired;
static int expected;		/* loop_stop() after so many */

static void on_tick(struct timer *t)
{
	struct tick *tick = (struct tick *)t;

	assert_true(clock_ms() >= tick->armed + tick->delay);	/* never early */
	assert_int_equal(t->due_ms, 0);				/* may be armed again */
	fired[nr_fired++] = tick->no;
	if (nr_fired == expected)
		loop_stop(loop);
}

static void arm(struct tick *tick, int no, uint64_t delay)
{
	tick->t.fire = on_tick;
	tick->no = no;
	tick->delay = delay;
	tick->armed = clock_ms();
	timer_arm(loop, &tick->t, delay);
}

static void timers_fire_in_order(void **state)
{
	static const uint64_t delays[] = { 30, 10, 20, 0, 40, 25, 5 };
	static const int order[] = { 3, 6, 1, 2, 5, 0, 4 };
	struct tick ticks[7] = { 0 };
	int i;

	(void)state;
	nr_fired = 0;
	expected = 7;
	held_at = clock_ms();
	for (i = 0; i < 7; i++)
		arm(&ticks[i], i, delays[i]);
	held_at = 0;
	loop_run(loop);
	for (i = 0; i < 7; i++)
		assert_int_equal(fired[i], order[i]);
}

static void moved_and_cancelled(void **state)
{
	struct tick ticks[4] = { 0 };

	(void)state;
	nr_fired = 0;
	expected = 3;
	held_at = clock_ms();
	arm(&ticks[0], 0, 5);
	arm(&ticks[1], 1, 10);
	arm(&ticks[2], 2, 15);
	arm(&ticks[3], 3, 1);
	arm(&ticks[0], 0, 30);		/* later */
	arm(&ticks[2], 2, 2);		/* sooner */
	timer_cancel(loop, &ticks[3].t);
	timer_cancel(loop, &ticks[3].t);	/* not armed: nothing */
	held_at = 0;
	loop_run(loop);
	assert_int_equal(fired[0], 2);
	assert_int_equal(fired[1], 1);
	assert_int_equal(fired[2], 0);
}

static struct tick *victim;

static void cancel_victim(struct timer *t)
{
	timer_cancel(loop, &victim->t);
	on_tick(t);
}

/* Two are due at once and the first cancels the second. */
static void cancelled_while_due(void **state)
{
	struct tick ticks[3] = { 0 };

	(void)state;
	nr_fired = 0;
	expected = 2;
	held_at = clock_ms();
	arm(&ticks[0], 0, 1);
	arm(&ticks[1], 1, 1);
	arm(&ticks[2], 2, 20);
	ticks[0].t.fire = cancel_victim;
	victim = &ticks[1];
	held_at = 0;
	clock_step(5);
	loop_run(loop);
	assert_int_equal(fired[0], 0);
	assert_int_equal(fired[1], 2);
}

static void again(struct timer *t)
{
	struct tick *tick = (struct tick *)t;

	on_tick(t);
	if (nr_fired < expected)
		arm(tick, tick->no, 0), tick->t.fire = again;
}

/* One that arms itself for "now" leaves room for others. */
static void self_arming(void **state)
{
	struct tick ticks[2] = { 0 };

	(void)state;
	nr_fired = 0;
	expected = 20;
	arm(&ticks[0], 0, 0);
	ticks[0].t.fire = again;
	arm(&ticks[1], 1, 3);
	loop_run(loop);
	assert_int_equal(nr_fired, 20);
	int i, others = 0;

	for (i = 0; i < 20; i++)
		others += fired[i] == 1;
	assert_int_equal(others, 1);
}

static void stepped_clock(void **state)
{
	uint64_t start = clock_ms();
	struct tick tick = { 0 };

	(void)state;
	nr_fired = 0;
	expected = 1;
	arm(&tick, 0, 3600000);
	clock_step(3600000 + 10);
	loop_run(loop);
	assert_true(clock_ms() - start >= 3600000);
	assert_int_equal(nr_fired, 1);
}

/* ---- jobs ---- */

#define JOBS 2000

struct counted {
	struct job job;
	int runs, dones, order;
};

static pthread_t loop_thread;
static int came_back, submitted;
static int run_order;		/* of a pool with one thread: no lock needed */

static void run_counted(struct job *job)
{
	struct counted *c = (struct counted *)job;

	assert_false(pthread_equal(pthread_self(), loop_thread));
	c->runs++;
	c->order = run_order++;
}

static void run_parallel(struct job *job)
{
	((struct counted *)job)->runs++;
}

static void done_counted(struct job *job)
{
	struct counted *c = (struct counted *)job;

	assert_true(pthread_equal(pthread_self(), loop_thread));
	assert_int_equal(c->runs, c->job.run ? 1 : 0);
	c->dones++;
	if (++came_back == submitted)
		loop_stop(loop);
}

static void jobs_come_back(void **state)
{
	struct counted *jobs = calloc(JOBS, sizeof(*jobs));
	struct pool *pool = pool_new(loop, "several", 4);
	int i;

	(void)state;
	assert_non_null(pool);
	loop_thread = pthread_self();
	came_back = 0;
	submitted = JOBS;
	for (i = 0; i < JOBS; i++) {
		jobs[i].job.run = run_parallel;
		jobs[i].job.done = done_counted;
		pool_submit(pool, &jobs[i].job);
	}
	loop_run(loop);
	for (i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].dones, 1);
	pool_free(pool);
	free(jobs);
}

static void one_thread_keeps_order(void **state)
{
	struct counted *jobs = calloc(JOBS, sizeof(*jobs));
	struct pool *pool = pool_new(loop, "a-name-that-is-too-long", 1);
	int i;

	(void)state;
	assert_non_null(pool);
	loop_thread = pthread_self();
	came_back = 0;
	run_order = 0;
	submitted = JOBS;
	for (i = 0; i < JOBS; i++) {
		jobs[i].job.run = run_counted;
		jobs[i].job.done = done_counted;
		pool_submit(pool, &jobs[i].job);
	}
	loop_run(loop);
	for (i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].order, i);
	pool_free(pool);
	free(jobs);
}

static void run_slow(struct job *job)
{
	usleep(1000);
	run_counted(job);
}

/* pool_free() right behind the last submit loses nothing. */
static void pool_free_drains(void **state)
{
	struct counted jobs[50] = { 0 };
	struct pool *pool = pool_new(loop, "slow", 1);
	int i;

	(void)state;
	loop_thread = pthread_self();
	came_back = 0;
	run_order = 0;
	submitted = 50;
	for (i = 0; i < 50; i++) {
		jobs[i].job.run = run_slow;
		jobs[i].job.done = done_counted;
		pool_submit(pool, &jobs[i].job);
	}
	pool_free(pool);
	for (i = 0; i < 50; i++)
		assert_int_equal(jobs[i].runs, 1);
	assert_int_equal(came_back, 0);		/* done() is the loop's */
	loop_run(loop);
	assert_int_equal(came_back, 50);
	pool_free(NULL);
}

static void *post_many(void *arg)
{
	struct counted *jobs = arg;
	int i;

	for (i = 0; i < JOBS; i++) {
		jobs[i].job.done = done_counted;
		loop_post(loop, &jobs[i].job);
	}
	return NULL;
}

static void posts_from_threads(void **state)
{
	struct counted *jobs = calloc(3 * JOBS, sizeof(*jobs));
	pthread_t threads[3];
	int i;

	(void)state;
	loop_thread = pthread_self();
	came_back = 0;
	submitted = 3 * JOBS;
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, jobs + i * JOBS), 0);
	loop_run(loop);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 3 * JOBS; i++)
		assert_int_equal(jobs[i].dones, 1);
	free(jobs);
}

/* ---- descriptors ---- */

static int prepare(struct pollfd *fds, int n, void *arg)
{
	assert_true(n > 0);
	fds[0] = (struct pollfd){ .fd = *(int *)arg, .events = POLLIN };
	return 1;
}

static void handle(struct pollfd *fds, int n, void *arg)
{
	char c;

	assert_int_equal(n, 1);
	assert_int_equal(fds[0].fd, *(int *)arg);
	if (!fds[0].revents)
		return;
	assert_int_equal(read(fds[0].fd, &c, 1), 1);
	if (c == 'q')
		loop_stop(loop);
}

static void poller(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	loop_set_poller(loop, prepare, handle, &ends[0]);
	assert_int_equal(write(ends[1], "abcq", 4), 4);
	loop_run(loop);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(timers_fire_in_order),
		T(moved_and_cancelled),
		T(cancelled_while_due),
		T(self_arming),
		T(stepped_clock),
		T(jobs_come_back),
		T(one_thread_keeps_order),
		T(pool_free_drains),
		T(posts_from_threads),
		T(poller),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
