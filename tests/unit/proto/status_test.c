// SPDX-License-Identifier: BSD-3-Clause
/* The status table: its order, and what becomes of a status through errno and back. */
#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "status.h"

static const struct {
	unsigned int number;
	int err;
	const char *name, *text;
} table[] = {
#define STATUS(name, number, err, text) { number, err, #name, text },
#include "status.def"
#undef STATUS
};

#define N (sizeof(table) / sizeof(table[0]))

static void sorted_and_unique(void **state)
{
	size_t i, k;

	(void)state;
	assert_int_equal(table[0].number, 0);
	for (i = 0; i < N; i++) {
		assert_true(!i || table[i].number > table[i - 1].number);
		assert_true(*table[i].text && strlen(table[i].text) < 64);
		for (k = 0; k < i; k++)
			assert_string_not_equal(table[i].name, table[k].name);
	}
}

static void lookup(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N; i++) {
		assert_string_equal(status_name(table[i].number), table[i].name);
		assert_string_equal(status_text(table[i].number), table[i].text);
		assert_int_equal(status_to_errno(table[i].number), -table[i].err);
	}
	assert_string_equal(status_name(3), "unknown status");
	assert_string_equal(status_text(0xffffffff), "unknown status");
	assert_int_equal(status_to_errno(3), -EPROTO);
	assert_int_equal(status_to_errno(0xffffffff), -EPROTO);
}

/* Only success is 0, both ways. */
static void only_ok_is_zero(void **state)
{
	int err;
	size_t i;

	(void)state;
	for (i = 1; i < N; i++)
		assert_true(status_to_errno(table[i].number) < 0);
	assert_int_equal(status_to_errno(IOPMEM_OK), 0);
	assert_int_equal(status_from_errno(0), IOPMEM_OK);
	for (err = 1; err < 200; err++) {
		enum iopmem_status status = status_from_errno(-err);

		assert_int_not_equal(status, IOPMEM_OK);
		assert_string_not_equal(status_name(status), "unknown status");
	}
}

/* A file-system error reaches the caller as itself. */
static void round_trip(void **state)
{
	static const int same[] = { EPERM, ENOENT, EIO, EACCES, EEXIST, EXDEV, ENOTDIR, EISDIR,
				    EINVAL, EFBIG, ENOSPC, EROFS, ENAMETOOLONG, ENOTEMPTY,
				    EDQUOT, ESTALE, EOPNOTSUPP, EAGAIN, EBADF };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(status_to_errno(status_from_errno(-same[i])), -same[i]);
	/* numbers below 100 are the file system's (RFC 8881 section 15.1) */
	for (i = 0; i < N && table[i].number < 100; i++)
		assert_int_equal(status_from_errno(-table[i].err), table[i].number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorted_and_unique),
		cmocka_unit_test(lookup),
		cmocka_unit_test(only_ok_is_zero),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
