// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "model.h"
#include "url.h"

static void good(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		const char *export_name, *path;
	} t[] = {
		{ "iopmem://h/e", "h", 20490, "e", "" },
		{ "iopmem://h/e/", "h", 20490, "e", "" },
		{ "iopmem://127.0.0.1:1/e/a/b", "127.0.0.1", 1, "e", "a/b" },
		{ "iopmem://[::1]/e/x", "::1", 20490, "e", "x" },
		{ "iopmem://[fe80::1]:65535/e//a///b/", "fe80::1", 65535, "e", "a/b" },
		{ "iopmem://h/e/a%20b%2525", "h", 20490, "e", "a b%25" },
		{ "iopmem://h/e/..", "h", 20490, "e", ".." },
		{ "iopmem://h/e?sec=sys", "h", 20490, "e", "" },
		{ "iopmem://h/e/a?sec=krb5p", "h", 20490, "e", "a" },
		{ "iopmem://h/e/a%3Fb?sec=krb5&sec=krb5i", "h", 20490, "e", "a?b" },
	};
	struct url u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct iopmem_err err = { 0 };

		assert_int_equal(url_parse(t[i].text, &u, &err), 0);
		assert_string_equal(u.host, t[i].host);
		assert_int_equal(u.port, t[i].port);
		assert_string_equal(u.export_name, t[i].export_name);
		assert_string_equal(u.path, t[i].path);
		assert_int_equal(err.code, 0);
	}
}

static void bad(void **state)
{
	static const char *const t[] = {
		"", "iopmem", "iopmem:/h/e", "iopmem://", "iopmem:///e", "iopmem://h",
		"iopmem://h/", "iopmem://h//p", "iopmem://h:/e", "iopmem://h:0/e",
		"iopmem://h:65536/e", "iopmem://h:99999999999/e", "iopmem://h:1x/e",
		"iopmem://h:-1/e", "iopmem://:1/e", "iopmem://::1/e", "iopmem://[::1/e",
		"iopmem://[]/e", "iopmem://[::1]x/e", "iopmem://[::1]:/e", "nfs://h/e",
		"iopmem://h/e%", "iopmem://h/e%2",
		"iopmem://h/e?", "iopmem://h/e?sec", "iopmem://h/e?sec=", "iopmem://h/e?sec=krb",
		"iopmem://h/e?sec=krb5&", "iopmem://h/e?sec=sys?", "iopmem://h/e?x=y", "iopmem://h/?sec=sys", "iopmem://h/e/%zz", "iopmem://h/e/%00",
		"iopmem://h/a%2fb", "iopmem://u@h/e", "IOPMEM://h/e",
	};
	struct url u, untouched;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct iopmem_err err = { 0 };

		memset(&u, 0x5a, sizeof(u));
		untouched = u;
		if (url_parse(t[i], &u, &err) != -EINVAL)
			fail_msg("'%s' was taken", t[i]);
		assert_int_equal(err.code, EINVAL);
		assert_memory_equal(&u, &untouched, sizeof(u));
	}
	assert_int_equal(url_parse(NULL, &u, NULL), -EINVAL);
}

static void lengths(void **state)
{
	char text[6000];
	struct url u;

	(void)state;
	snprintf(text, sizeof(text), "iopmem://%0*d/e", URL_HOST_MAX, 0);
	assert_int_equal(url_parse(text, &u, NULL), 0);
	snprintf(text, sizeof(text), "iopmem://%0*d/e", URL_HOST_MAX + 1, 0);
	assert_int_equal(url_parse(text, &u, NULL), -ENAMETOOLONG);
	snprintf(text, sizeof(text), "iopmem://h/%0*d", URL_EXPORT_MAX, 0);
	assert_int_equal(url_parse(text, &u, NULL), 0);
	snprintf(text, sizeof(text), "iopmem://h/%0*d", URL_EXPORT_MAX + 1, 0);
	assert_int_equal(url_parse(text, &u, NULL), -ENAMETOOLONG);
	snprintf(text, sizeof(text), "iopmem://h/e/%0*d", URL_PATH_MAX - 1, 0);
	assert_int_equal(url_parse(text, &u, NULL), 0);
	snprintf(text, sizeof(text), "iopmem://h/e/%0*d", URL_PATH_MAX, 0);
	assert_int_equal(url_parse(text, &u, NULL), -ENAMETOOLONG);
}

/* Mutated URLs: no crash, and what is taken obeys the struct's promises. */
static void noise(void **state)
{
	static const char alphabet[] = "/:[]%@.a0F2\x80\xff#?-";
	char text[80];
	struct url u;
	int i, n, k;

	(void)state;
	for (i = 0; i < 200000; i++) {
		n = snprintf(text, sizeof(text), "iopmem://h:%d/e/a%%20b", (int)model_rand(70000));
		for (k = 0; k < 3; k++)
			text[model_rand((uint64_t)n)] = alphabet[model_rand(sizeof(alphabet))];
		if (url_parse(text, &u, NULL))
			continue;
		assert_true(*u.host && *u.export_name && u.port);
		assert_true(*u.path != '/' && !strstr(u.path, "//"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(bad), cmocka_unit_test(lengths),
		cmocka_unit_test(noise),
	};

	model_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
