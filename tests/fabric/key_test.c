// SPDX-License-Identifier: BSD-3-Clause
/* proto/fabric/key.c with dice that we load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fabric/fabric.h"
#include "fabric/key.h"
#include "fabric/token.h"

static const uint32_t *dice;

int random_bytes(void *buf, size_t len)
{
	memcpy(buf, dice++, len);
	return 0;
}

static void unique_and_quarantined(void **state)
{
	static const uint32_t throws[] = { 7, 0, 7, 8, 7, 9, 7 };
	struct key_table table = { 0 };
	struct key *seven, *eight, *nine, *again;
	int a, b;

	(void)state;
	dice = throws;
	assert_int_equal(key_new(&table, &a, &seven), 0);
	assert_int_equal(key_value(seven), 7);
	assert_ptr_equal(key_find(&table, 7), &a);
	assert_int_equal(key_new(&table, &b, &eight), 0);	/* not 0, not 7 */
	assert_int_equal(key_value(eight), 8);

	key_retire(&table, seven);
	assert_null(key_find(&table, 7));
	clock_step(FABRIC_KEY_QUARANTINE_MS - 1000);
	assert_int_equal(key_new(&table, &a, &nine), 0);	/* 7 is too young */
	assert_int_equal(key_value(nine), 9);
	clock_step(1000);
	assert_int_equal(key_new(&table, &a, &again), 0);
	assert_int_equal(key_value(again), 7);
	assert_ptr_equal(key_find(&table, 7), &a);
	assert_ptr_equal(key_find(&table, 8), &b);

	key_retire(&table, again);
	key_retire(&table, eight);
	key_retire(&table, nine);
	key_table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(unique_and_quarantined) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
