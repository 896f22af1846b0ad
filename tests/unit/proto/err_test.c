// SPDX-License-Identifier: BSD-3-Clause
/* Failure text: filled once, with the reason, never beyond its buffer. */
#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

static void text_and_reason(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	assert_int_equal(err_set(&err, ENOMEM, "layout %d of '%s'", 17, "a/b"), -ENOMEM);
	assert_int_equal(err.code, ENOMEM);
	assert_string_equal(err.text, "layout 17 of 'a/b': Cannot allocate memory");
	memset(&err, 0, sizeof(err));
	assert_int_equal(err_msg(&err, EINVAL, "no %s", "export"), -EINVAL);
	assert_string_equal(err.text, "no export");
	assert_int_equal(err.code, EINVAL);
}

static void first_one_stays(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	err_msg(&err, EINVAL, "first");
	assert_int_equal(err_set(&err, EIO, "second"), -EIO);	/* the code is the caller's still */
	assert_int_equal(err_msg(&err, ENOENT, "third"), -ENOENT);
	assert_string_equal(err.text, "first");
	assert_int_equal(err.code, EINVAL);
}

static void null_is_fine(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, EIO, "x %s", "y"), -EIO);
	assert_int_equal(err_msg(NULL, EIO, "x"), -EIO);
}

static void long_text_is_cut(void **state)
{
	struct {
		struct iopmem_err err;
		char guard[8];
	} box = { .guard = "guarded" };
	char text[1000];
	size_t len;

	(void)state;
	for (len = sizeof(box.err.text) - 40; len < sizeof(box.err.text) + 3; len++) {
		memset(text, 'x', len);
		text[len] = '\0';
		memset(&box.err, 0, sizeof(box.err));
		err_set(&box.err, EIO, "%s", text);
		assert_true(strlen(box.err.text) < sizeof(box.err.text));
		assert_int_equal(box.err.text[0], 'x');
		assert_string_equal(box.guard, "guarded");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_reason),
		cmocka_unit_test(first_one_stays),
		cmocka_unit_test(null_is_fine),
		cmocka_unit_test(long_text_is_cut),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
