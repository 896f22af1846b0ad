// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json_out.h"

struct args {
	struct cli_list list;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	(void)arg;
	if (key != 'j')
		return cli_list_parse(key, &a->list, state);
	a->json = true;
	return 0;
}

static void print_time(const char *name, int64_t sec, uint32_t nsec)
{
	char text[40] = "?", zone[8] = "";
	time_t t = (time_t)sec;
	struct tm tm;

	if (localtime_r(&t, &tm)) {
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm);
	}
	printf("%s: %s.%09u %s\n", name, text, nsec, zone);
}

static void print(const struct iopmem_stat *st)
{
	printf("type: %s\n", stat_type(st));
	printf("size: %" PRIu64 "\n", st->size);
	printf("space used: %" PRIu64 "\n", st->space_used);
	printf("mode: %04o\n", st->mode & 07777);
	printf("links: %u\n", st->nlink);
	printf("uid: %u\n", st->uid);
	printf("gid: %u\n", st->gid);
	printf("file id: %" PRIu64 "\n", st->fileid);
	printf("change: %" PRIu64 "\n", st->change);
	print_time("modified", st->mtime_sec, st->mtime_nsec);
	print_time("changed", st->ctime_sec, st->ctime_nsec);
}

int cmd_stat(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print an object on a line for each", 0 }, { 0 },
	};
	static const struct argp argp = {
		options, parse, "URL...", "Show the attributes of files and directories.", NULL, NULL, NULL,
	};
	struct args a = { .list = { .min = 1 } };
	int i, ret, failed = 0;

	cli_parse(&argp, argc, argv, &a);
	for (i = 0; i < a.list.n; i++) {
		struct iopmem_err err = { 0 };
		struct iopmem_stat st;
		struct remote r;

		ret = remote_open(a.list.arg[i], &r, &err);
		if (!ret)
			ret = iopmem_stat(r.client, r.url.path, &st, &err);
		remote_close(&r);
		if (ret) {
			failed = cli_fail("stat", a.list.arg[i], &err);
			continue;
		}
		if (a.json) {
			json_print(json_stat(a.list.arg[i], &st));
			continue;
		}
		if (a.list.n > 1)
			printf("%s%s:\n", i ? "\n" : "", a.list.arg[i]);
		print(&st);
	}
	return failed;
}
