// SPDX-License-Identifier: BSD-3-Clause
#include "model.h"
#include "wire.h"

static void seqid(void **state)
{
	(void)state;
	assert_false(seqid_newer(1, 1));
	assert_true(seqid_newer(2, 1));
	assert_false(seqid_newer(1, 2));
	assert_true(seqid_newer(1, 0xffffffffU));	/* wraps past 0 */
	assert_false(seqid_newer(0xffffffffU, 1));
	assert_true(seqid_newer(0x80000000U, 1));
	assert_false(seqid_newer(1, 0x80000000U));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(seqid) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
