// SPDX-License-Identifier: BSD-3-Clause
/* Lease time never goes back, and a test can step it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static void steps_add_up(void **state)
{
	uint64_t before = clock_ms(), after;

	(void)state;
	clock_step(3600000);
	after = clock_ms();
	assert_true(after - before >= 3600000 && after - before < 3600000 + 60000);
	clock_step(0);
	clock_step(1000);
	assert_true(clock_ms() - before >= 3601000);
	assert_true(clock_ms() - before < 3601000 + 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_back),
		cmocka_unit_test(steps_add_up),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
