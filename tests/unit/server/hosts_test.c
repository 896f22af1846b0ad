// SPDX-License-Identifier: BSD-3-Clause
#include "hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *found[3];		/* what every name resolves to; none: the name server is down */

static struct sockaddr_storage peer(const char *text)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		in6->sin6_family = AF_INET6;
	}
	return ss;
}

/* "rw", "ro" or "no": what @rules say of @host. */
static const char *verdict(const char *rules, const char *host)
{
	struct sockaddr_storage ss = peer(host);
	struct iopmem_err err = { 0 };
	const struct host_rule *r;
	struct hosts *h = NULL;
	const char *text;

	assert_int_equal(hosts_parse(rules, &h, &err), 0);
	assert_non_null(h);
	if (hosts_have_names(h)) {
		hosts_resolve(h);
		hosts_adopt(h);
	}
	r = hosts_find(h, &ss);
	text = !r ? "no" : r->read_only ? "ro" : "rw";
	hosts_free(h);
	return text;
}

struct match {
	const char *rules, *host, *want;
};

static void the_first_match_counts(void **state)
{
	static const struct match cases[] = {
		{ "*", "192.0.2.1", "rw" }, { "*:ro", "2001:db8::1", "ro" },
		{ "10.0.0.0/8", "10.255.0.1", "rw" }, { "10.0.0.0/8", "11.0.0.1", "no" },
		{ "10.0.0.0/255.0.0.0:ro", "10.1.2.3", "ro" },
		{ "10.1.2.3", "10.1.2.3", "rw" }, { "10.1.2.3", "10.1.2.4", "no" },
		{ "10.1.2.128/25", "10.1.2.127", "no" }, { "10.1.2.128/25", "10.1.2.129", "rw" },
		{ "10.1.2.4/31", "10.1.2.6", "no" }, { "10.1.2.4/31", "10.1.2.5", "rw" },
		{ "0.0.0.0/0:ro", "203.0.113.9", "ro" }, { "0.0.0.0/0", "::1", "no" },
		{ "[2001:db8::]/32:ro", "2001:db8:5::1", "ro" },
		{ "[2001:db8::]/32:ro", "2001:db9::1", "no" }, { "[::1]", "::1", "rw" },
		{ "127.0.0.1", "::ffff:127.0.0.1", "rw" },	/* one socket for both */
		{ "10.0.0.1:ro,10.0.0.0/8:rw", "10.0.0.1", "ro" },
		{ "10.0.0.0/8:rw, 10.0.0.1:ro", "10.0.0.1", "rw" },
		{ "192.0.2.1; 10.0.0.0/8:ro", "10.0.0.1", "ro" },
		{ "192.0.2.1 10.0.0.0/8:ro\t*:rw", "172.16.0.1", "rw" },
		{ "some.name", "127.0.0.1", "rw" }, { "some.name:ro", "127.0.0.2", "no" },
	};
	size_t i;

	(void)state;
	found[0] = "127.0.0.1";
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(verdict(cases[i].rules, cases[i].host), cases[i].want))
			fail_msg("'%s' of %s: %s, not %s", cases[i].rules, cases[i].host,
				 verdict(cases[i].rules, cases[i].host), cases[i].want);
}

static void options(void **state)
{
	struct sockaddr_storage ss = peer("10.0.0.1");
	struct iopmem_err err = { 0 };
	const struct host_rule *r;
	struct hosts *h;

	(void)state;
	assert_int_equal(hosts_parse("10.0.0.1:ro:no_root_squash:secure", &h, &err), 0);
	r = hosts_find(h, &ss);
	assert_non_null(r);
	assert_true(r->read_only && r->secure);
	assert_int_equal(r->squash, HOST_SQUASH_NONE);
	hosts_free(h);
	assert_int_equal(hosts_parse("10.0.0.1:all_squash", &h, &err), 0);
	assert_int_equal(hosts_find(h, &ss)->squash, HOST_SQUASH_ALL);
	hosts_free(h);
	h = (struct hosts *)&ss;
	assert_int_equal(hosts_parse(" ,; ", &h, &err), 0);
	assert_null(h);
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/255.0.255.0",
		"10.0.0", "10.0.0.256", "1.2.3.4.5", "[::1", "[::1]x", "::1", "[2001:db8::]/129",
		"*.example.com", "@netgroup", "*/8", "host.name/8", "10.0.0.1:rx", "10.0.0.1:",
		"10.0.0.1:ro:bad", ":ro", "[]", "a\"b",
	};
	struct iopmem_err err;
	struct hosts *h = NULL;
	char many[2048] = "";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&err, 0, sizeof(err));
		if (hosts_parse(bad[i], &h, &err) != -EINVAL || h)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.text, bad[i]));
	}
	for (i = 0; i < 65; i++)
		strcat(many, "10.0.0.1 ");
	assert_int_equal(hosts_parse(many, &h, &err), -EINVAL);
}

/* ---- names ---- */


int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **list)
{
	int i;

	(void)name;
	(void)service;
	(void)hints;
	*list = NULL;
	for (i = 2; i >= 0; i--) {
		struct sockaddr_storage *ss;
		struct addrinfo *ai;

		if (!found[i])
			continue;
		ai = calloc(1, sizeof(*ai) + sizeof(*ss));
		ss = (struct sockaddr_storage *)(ai + 1);
		*ss = peer(found[i]);
		ai->ai_addr = (struct sockaddr *)ss;
		ai->ai_next = *list;
		*list = ai;
	}
	return *list ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *list)
{
	struct addrinfo *next;

	for (; list; list = next) {
		next = list->ai_next;
		free(list);
	}
}

static bool resolve(struct hosts *h, const char *a, const char *b)
{
	found[0] = a;
	found[1] = b;
	hosts_resolve(h);
	return hosts_adopt(h);
}

static bool lets_in(struct hosts *h, const char *host)
{
	struct sockaddr_storage ss = peer(host);

	return hosts_find(h, &ss);
}

static void a_change_is_told(void **state)
{
	struct hosts *h;

	(void)state;
	assert_int_equal(hosts_parse("some.name", &h, NULL), 0);
	assert_false(resolve(h, NULL, NULL));
	assert_true(resolve(h, "192.0.2.1", "192.0.2.2"));
	assert_false(resolve(h, "192.0.2.2", "192.0.2.1"));	/* another order */
	assert_false(resolve(h, NULL, NULL));			/* it keeps them */
	assert_true(lets_in(h, "192.0.2.1") && lets_in(h, "192.0.2.2"));
	assert_true(resolve(h, "192.0.2.2", NULL));
	assert_false(lets_in(h, "192.0.2.1"));
	assert_true(resolve(h, "192.0.2.3", NULL));
	assert_true(lets_in(h, "192.0.2.3") && !lets_in(h, "192.0.2.2"));
	hosts_free(h);
}

static void inherited(void **state)
{
	struct hosts *old, *h;

	(void)state;
	assert_int_equal(hosts_parse("some.name,10.0.0.1", &old, NULL), 0);
	assert_true(resolve(old, "192.0.2.1", NULL));
	assert_int_equal(hosts_parse("other.name,some.name:ro", &h, NULL), 0);
	assert_false(resolve(h, NULL, NULL));
	hosts_inherit(h, old);
	assert_true(lets_in(h, "192.0.2.1") && !lets_in(h, "10.0.0.1"));
	assert_false(resolve(h, NULL, NULL));		/* nor does it lose them then */
	assert_true(lets_in(h, "192.0.2.1"));
	hosts_free(old);
	/* What was found is not overwritten. */
	assert_true(resolve(h, "192.0.2.5", NULL));
	assert_int_equal(hosts_parse("some.name", &old, NULL), 0);
	assert_true(resolve(old, "192.0.2.6", NULL));
	hosts_inherit(old, h);
	assert_true(lets_in(old, "192.0.2.6") && !lets_in(old, "192.0.2.5"));
	hosts_free(old);
	hosts_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_match_counts),
		cmocka_unit_test(options),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(a_change_is_told),
		cmocka_unit_test(inherited),
	};

	return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
