// SPDX-License-Identifier: BSD-3-Clause
/* No wait is silent: who is listed, what the log says and how often. */
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop.h"
#include "wait.h"

#define MANY 20

struct thing {
	int number;
	struct wait wait;
};

static struct wait_list list;
static char lines[MANY * 4][128];
static struct log_about said_about;
static int nr_lines;

static void about(const struct wait *w, struct wait_about *a)
{
	const struct thing *t = container_of(w, struct thing, wait);

	snprintf(a->what, sizeof(a->what), "thing %d", t->number);
	a->client = "C";
	a->file = "F";
}

static const struct wait_type type = { "thing", about };

static void sink(enum log_level level, const char *line, const struct log_about *who, void *arg)
{
	(void)arg;
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_true(nr_lines < (int)(sizeof(lines) / sizeof(lines[0])));
	snprintf(lines[nr_lines++], sizeof(lines[0]), "%s", line);
	if (who)
		said_about = *who;
}

static int up(void **state)
{
	(void)state;
	memset(&list, 0, sizeof(list));
	nr_lines = 0;
	log_set_sink(sink, NULL);
	return 0;
}

static void listed_after_a_second(void **state)
{
	struct thing a = { .number = 1 }, b = { .number = 2 };

	(void)state;
	wait_begin(&list, &a.wait, &type);
	assert_null(wait_first(&list));
	wait_log(&list);
	assert_int_equal(nr_lines, 0);
	clock_step(600);
	wait_begin(&list, &b.wait, &type);
	clock_step(600);
	assert_ptr_equal(wait_first(&list), &a.wait);
	assert_null(wait_next(&a.wait));
	assert_in_range(wait_age_ms(&a.wait), 1200, 5000);
	clock_step(600);
	assert_ptr_equal(wait_next(&a.wait), &b.wait);
	/* begun again it keeps its age, ended twice nothing happens */
	wait_begin(&list, &a.wait, &type);
	assert_true(wait_age_ms(&a.wait) >= 1800);
	wait_end(&list, &a.wait);
	wait_end(&list, &a.wait);
	assert_int_equal(wait_age_ms(&a.wait), 0);
	assert_ptr_equal(wait_first(&list), &b.wait);
	wait_end(&list, &b.wait);
	assert_null(list.head);
}

static void logged_at_growing_intervals(void **state)
{
	struct thing a = { .number = 7 };
	int i, early;

	(void)state;
	wait_begin(&list, &a.wait, &type);
	for (i = 0; i < 16; i++) {	/* 16 s: after about 1, 2, 4, 8 and 16 */
		clock_step(1000);
		wait_log(&list);
		wait_log(&list);
	}
	assert_in_range(nr_lines, 4, 5);
	assert_non_null(strstr(lines[0], "waiting 1."));
	assert_non_null(strstr(lines[0], " s for thing 7"));
	assert_string_equal(said_about.client, "C");
	assert_string_equal(said_about.file, "F");
	assert_null(said_about.export);
	for (; i < 600; i++) {
		clock_step(1000);
		wait_log(&list);
	}
	early = nr_lines;
	assert_in_range(early, 12, 16);		/* each minute */
	wait_end(&list, &a.wait);
	clock_step(100000);
	wait_log(&list);
	assert_int_equal(nr_lines, early);
}

/* A thousand silent clients do not fill the log, and are not forgotten. */
static void many_are_summed_up(void **state)
{
	struct thing t[MANY] = { 0 };
	int i;

	(void)state;
	for (i = 0; i < MANY; i++)
		wait_begin(&list, &t[i].wait, &type);
	clock_step(1500);
	wait_log(&list);
	assert_int_equal(nr_lines, 9);
	assert_non_null(strstr(lines[8], "and 12 other waits"));
	for (i = 0; i < MANY; i++)
		wait_end(&list, &t[i].wait);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(listed_after_a_second, up),
		cmocka_unit_test_setup(logged_at_growing_intervals, up),
		cmocka_unit_test_setup(many_are_summed_up, up),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
