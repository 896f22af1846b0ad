// SPDX-License-Identifier: BSD-3-Clause
/* Command line and INI file say the same; every refusal names what it refuses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "config.h"

static struct config cfg;

static int up(void **state)
{
	(void)state;
	config_init(&cfg);
	return 0;
}

static void defaults(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	assert_string_equal(cfg.listen, "127.0.0.1:20490");	/* loopback unless told */
	assert_string_equal(cfg.fabric, "auto");
	assert_string_equal(cfg.state_dir, "/var/lib/iopmem");
	assert_int_equal(cfg.probe, PROBE_REQUIRE);
	assert_int_equal(cfg.lease_ms, 20000);
	assert_int_equal(cfg.recall_ms, 20000);
	assert_int_equal(cfg.log_level, LOG_LEVEL_INFO);
	assert_int_equal(config_check(&cfg, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no export"));
}

static void server_options(void **state)
{
	static const char *const good[][2] = {
		{ "listen", "[::1]:1" }, { "fabric-listen", "10.0.0.1" }, { "state-dir", "/x" },
		{ "fabric", "verbs" }, { "fabric", "tcp" }, { "log-level", "debug" },
		{ "lease-ms", "1000" }, { "lease-ms", "3600000" }, { "recall-ms", "100" },
		{ "max-grant", "1048576" }, { "max-connections", "4" }, { "fs-threads", "256" },
		{ "probe", "off" }, { "probe", "warn" }, { "probe", "require" },
	};
	static const char *const bad[][2] = {
		{ "lease-ms", "999" }, { "lease-ms", "3600001" }, { "lease-ms", "" },
		{ "lease-ms", "20s" }, { "lease-ms", "-1000" }, { "lease-ms", "1e4" },
		{ "lease-ms", "99999999999999999999" }, { "lease-ms", "4294968296" },
		{ "recall-ms", "99" }, { "max-grant", "1048575" }, { "max-grant", "64M" },
		{ "max-connections", "3" }, { "max-connections", "3001" }, { "fs-threads", "0" },
		{ "probe", "yes" }, { "fabric", "TCP" }, { "fabric", "" }, { "log-level", "all" },
		{ "state-dir", "relative" }, { "state-dir", "" }, { "listen", "" },
		{ "no-such-option", "1" }, { "path", "/x" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct iopmem_err err = { 0 };

		if (config_set(&cfg, "server", good[i][0], good[i][1], &err))
			fail_msg("%s = %s: %s", good[i][0], good[i][1], err.text);
	}
	assert_int_equal(cfg.lease_ms, 3600000);
	assert_int_equal(cfg.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(cfg.fabric, "tcp");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config before = cfg;
		struct iopmem_err err = { 0 };

		assert_int_equal(config_set(&cfg, "server", bad[i][0], bad[i][1], &err), -EINVAL);
		/* names option and value, and changes nothing */
		if (!strstr(err.text, bad[i][0]) ||
		    (!strstr(err.text, "unknown") && !strstr(err.text, bad[i][1])))
			fail_msg("%s = %s: message '%s'", bad[i][0], bad[i][1], err.text);
		assert_memory_equal(&before, &cfg, sizeof(cfg));
	}
	struct iopmem_err err = { 0 };

	assert_int_equal(config_set(&cfg, "nothing", "listen", "x", &err), -EINVAL);
	assert_non_null(strstr(err.text, "[nothing]"));
	memset(&err, 0, sizeof(err));
	assert_int_equal(config_set(&cfg, "export", "path", "/x", &err), -EINVAL);
	memset(&err, 0, sizeof(err));
	assert_int_equal(config_set(&cfg, "export ", "path", "/x", &err), -EINVAL);
	assert_int_equal(cfg.nr_exports, 0);
}

static void export_specs(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	assert_int_equal(config_add_export(&cfg, "data=/srv/data", &err), 0);
	assert_int_equal(config_add_export(&cfg, "b=/b,backing=dir,read-only=yes,squash=all,"
					   "anon-uid=7,anon-gid=8", &err), 0);
	assert_int_equal(cfg.nr_exports, 2);
	assert_string_equal(cfg.exports[0].name, "data");
	assert_string_equal(cfg.exports[0].path, "/srv/data");
	assert_string_equal(cfg.exports[0].backing, "auto");
	assert_false(cfg.exports[0].read_only);
	assert_int_equal(cfg.exports[0].squash, SQUASH_ROOT);	/* safe unless told */
	assert_int_equal(cfg.exports[0].anon_uid, 65534);
	assert_string_equal(cfg.exports[1].backing, "dir");
	assert_true(cfg.exports[1].read_only);
	assert_int_equal(cfg.exports[1].squash, SQUASH_ALL);
	assert_int_equal(cfg.exports[1].anon_uid, 7);
	assert_int_equal(cfg.exports[1].anon_gid, 8);
	assert_int_equal(config_check(&cfg, &err), 0);
	/* the last word counts: command line over file */
	assert_int_equal(config_add_export(&cfg, "data=/other", &err), 0);
	assert_int_equal(cfg.nr_exports, 2);
	assert_string_equal(cfg.exports[0].path, "/other");
}

static void bad_export_specs(void **state)
{
	static const char *const bad[][2] = {	/* spec, what the message names */
		{ "", "" }, { "data", "data" }, { "=/x", "" }, { "data=", "path" },
		{ "data=relative", "'relative'" }, { "data=/x,backing=ext4", "'ext4'" },
		{ "data=/x,backing", "'backing'" }, { "data=/x,read-only=1", "read-only" },
		{ "data=/x,squash=some", "'some'" }, { "data=/x,anon-uid=root", "'root'" },
		{ "data=/x,anon-uid=4294967295", "anon-uid" }, { "data=/x,colour=red", "colour" },
		{ "a/b=/x", "a/b" }, { "a b=/x", "a b" }, { "data=/x,=yes", "" },
	};
	char spec[5000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct iopmem_err err = { 0 };

		config_init(&cfg);
		if (config_add_export(&cfg, bad[i][0], &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i][0]);
		if (!err.code || !strstr(err.text, bad[i][1]))
			fail_msg("'%s': message '%s'", bad[i][0], err.text);
	}
	/* lengths: a name of 64 is the longest, of 65 and 4000 too long; a path likewise */
	for (i = 64; i <= 4000; i += i == 64 ? 1 : 3935) {
		struct iopmem_err err = { 0 };

		config_init(&cfg);
		memset(spec, 'n', i);
		strcpy(spec + i, "=/x");
		assert_int_equal(config_add_export(&cfg, spec, &err), i == 64 ? 0 : -EINVAL);
	}
	for (i = 4095; i <= 4900; i += 805) {
		struct iopmem_err err = { 0 };

		config_init(&cfg);
		memset(spec, 'p', sizeof(spec));
		memcpy(spec, "d=/", 3);
		spec[2 + i] = '\0';
		assert_int_equal(config_add_export(&cfg, spec, &err), i == 4095 ? 0 : -EINVAL);
	}
}

static void too_many_exports(void **state)
{
	struct iopmem_err err = { 0 };
	char spec[32];
	int i;

	(void)state;
	for (i = 0; i < CONFIG_EXPORTS_MAX; i++) {
		snprintf(spec, sizeof(spec), "e%d=/x", i);
		assert_int_equal(config_add_export(&cfg, spec, &err), 0);
	}
	assert_true(config_add_export(&cfg, "more=/x", &err) < 0);
	assert_non_null(strstr(err.text, "more"));
	assert_int_equal(cfg.nr_exports, CONFIG_EXPORTS_MAX);
}

static int load(const char *text, struct iopmem_err *err)
{
	char path[] = "/tmp/iopmem-config-XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	memset(err, 0, sizeof(*err));
	config_init(&cfg);
	rc = config_load(&cfg, path, err);
	unlink(path);
	return rc;
}

static void ini_files(void **state)
{
	struct iopmem_err err;

	(void)state;
	assert_int_equal(load("; comment\n[server]\nlisten = 10.0.0.1:99\nlease-ms=5000\n\n"
			      "[export data]\npath = /srv/data\nsquash = none\n"
			      "[export b]\nread-only = yes\npath=/b\n", &err), 0);
	assert_string_equal(cfg.listen, "10.0.0.1:99");
	assert_int_equal(cfg.lease_ms, 5000);
	assert_int_equal(cfg.nr_exports, 2);
	assert_string_equal(cfg.exports[0].name, "data");
	assert_int_equal(cfg.exports[0].squash, SQUASH_NONE);
	assert_true(cfg.exports[1].read_only);
	assert_int_equal(config_check(&cfg, &err), 0);
	assert_int_equal(load("[export data]\nread-only = yes\n", &err), 0);
	assert_int_equal(config_check(&cfg, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'data'"));
	assert_int_equal(load("", &err), 0);
}

static void ini_errors_have_lines(void **state)
{
	static const struct {
		const char *text, *line, *what;
	} cases[] = {
		{ "[server]\nlease-ms = 7\n", ":2:", "'7'" },
		{ "[server]\n\n\nlisten\n", ":4:", "" },
		{ "[server]\nfabric = tcp\nfarbic = tcp\n", ":3:", "farbic" },
		{ "lease-ms = 5000\n", ":1:", "" },
		{ "[servre]\nlease-ms = 5000\n", ":2:", "servre" },
		{ "[export a]\npath = a\n", ":2:", "'a'" },
		/* the first of several */
		{ "[server]\nlease-ms = 7\nlease-ms = 8\n", ":2:", "'7'" },
	};
	struct iopmem_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load(cases[i].text, &err), -EINVAL);
		if (!strstr(err.text, cases[i].line) || !strstr(err.text, cases[i].what) ||
		    !strstr(err.text, "/tmp/iopmem-config-"))
			fail_msg("case %zu: message '%s'", i, err.text);
	}
	memset(&err, 0, sizeof(err));
	assert_int_equal(config_load(&cfg, "/nonexistent/iopmem.conf", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/iopmem.conf"));
}

/* A path may be long: longer than inih's default line of 200. */
static void ini_long_line(void **state)
{
	struct iopmem_err err;
	char text[400], path[300];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	snprintf(text, sizeof(text), "[export d]\npath = %s\nread-only = yes\n", path);
	/* taken whole, or refused: never cut */
	if (!load(text, &err))
		assert_string_equal(cfg.exports[0].path, path);
	else
		assert_non_null(strstr(err.text, ":2:"));
}

static void addresses(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *host;
		uint16_t port;
	} cases[] = {
		{ "127.0.0.1:99", 0, "127.0.0.1", 99 }, { "127.0.0.1", 0, "127.0.0.1", 1 },
		{ "[::1]:99", 0, "::1", 99 }, { "[::1]", 0, "::1", 1 },
		{ "127.0.0.1:0", 0, "127.0.0.1", 0 }, { "127.0.0.1:65535", 0, "127.0.0.1", 65535 },
		{ "127.0.0.1:65536", -EINVAL, "", 0 }, { "127.0.0.1:", -EINVAL, "", 0 },
		{ "127.0.0.1:x", -EINVAL, "", 0 }, { "[::1", -EINVAL, "", 0 },
		{ "[::1]99", -EINVAL, "", 0 }, { "127.0.0.1:-1", -EINVAL, "", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iopmem_err err = { 0 };
		char host[16] = "";
		uint16_t port = 1;
		int rc = config_split_address(cases[i].text, host, sizeof(host), &port, &err);

		if (rc != cases[i].rc)
			fail_msg("'%s': %d", cases[i].text, rc);
		if (rc)
			continue;
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
	struct iopmem_err err = { 0 };
	char small[4];
	uint16_t port;

	assert_int_equal(config_split_address("1.2.3.4", small, sizeof(small), &port, &err),
			 -EINVAL);
}

/* What --check-config prints is a file that says the same. */
static void printed_is_read_back(void **state)
{
	const struct config_option *o;
	struct iopmem_err err = { 0 };
	static struct config before;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(config_add_export(&cfg, "data=/srv/data,squash=all,anon-uid=7,read-only=yes,"
					   "backing=dir,memory=odp,anon-gid=8", &err), 0);
	assert_int_equal(config_add_export(&cfg, "b=/b", &err), 0);
	assert_int_equal(config_set(&cfg, "server", "log-level", "debug", &err), 0);
	assert_int_equal(config_set(&cfg, "server", "max-grant", "1099511627776", &err), 0);
	assert_int_equal(config_set(&cfg, "server", "fabric-listen", "10.0.0.1:7", &err), 0);
	assert_int_equal(config_set(&cfg, "server", "probe", "warn", &err), 0);
	before = cfg;
	config_print(&cfg, out);
	fclose(out);
	assert_int_equal(load(text, &err), 0);
	assert_memory_equal(&before, &cfg, sizeof(cfg));
	for (o = config_server_options; o->name; o++)
		assert_true(config_option_same(o, &before, &cfg));
	cfg.lease_ms++;
	for (o = config_server_options; o->name; o++)
		assert_int_equal(config_option_same(o, &before, &cfg), strcmp(o->name, "lease-ms") != 0);
	free(text);
}

/* Only the whole shows it. */
static void checked_addresses(void **state)
{
	static const char *const bad[][2] = {
		{ "listen", "localhost:1" }, { "listen", "127.0.0.1:65536" },
		{ "fabric-listen", "127.0.0.1:x" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct iopmem_err err = { 0 };

		config_init(&cfg);
		assert_int_equal(config_add_export(&cfg, "d=/d", &err), 0);
		assert_int_equal(config_check(&cfg, &err), 0);
		assert_int_equal(config_set(&cfg, "server", bad[i][0], bad[i][1], &err), 0);
		assert_int_equal(config_check(&cfg, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i][0]));
		assert_non_null(strstr(err.text, bad[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults, up),
		cmocka_unit_test_setup(server_options, up),
		cmocka_unit_test_setup(export_specs, up),
		cmocka_unit_test_setup(bad_export_specs, up),
		cmocka_unit_test_setup(too_many_exports, up),
		cmocka_unit_test(ini_files),
		cmocka_unit_test(ini_errors_have_lines),
		cmocka_unit_test(ini_long_line),
		cmocka_unit_test(addresses),
		cmocka_unit_test_setup(printed_is_read_back, up),
		cmocka_unit_test_setup(checked_addresses, up),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
