// SPDX-License-Identifier: BSD-3-Clause
/* Lease time never goes back, and a test can step it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static void never_back(void **state)
{
	uint64_t last = clock_ms(), now;
	int i;

	(void)state;
	assert_true(last > 0);
	for (i = 0; i < 100000; i++) {
		now = clock_ms();
		assert_true(now >= last);
		last = now;
	}
}

static uint64_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Nothing but the steps is added to the time that has passed. */
static void steps_add_up(void **state)
{
	uint64_t start = real_ms(), before = clock_ms(), gone;

	(void)state;
	clock_step(3600000);
	gone = clock_ms() - before;
	assert_in_range(gone, 3600000, 3600000 + (real_ms() - start));
	clock_step(0);
	clock_step(1000);
	gone = clock_ms() - before;
	assert_in_range(gone, 3601000, 3601000 + (real_ms() - start));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_back),
		cmocka_unit_test(steps_add_up),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
