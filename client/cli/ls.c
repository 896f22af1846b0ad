// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json_out.h"

struct ls {
	struct cli_list list;
	bool json;
	struct json_object *array;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ls *ls = state->input;

	(void)arg;
	if (key != 'j')
		return cli_list_parse(key, &ls->list, state);
	ls->json = true;
	return 0;
}

static void mode_text(const struct iopmem_stat *st, char out[11])
{
	static const char bits[] = "rwxrwxrwx";
	int i;

	out[0] = "?-dbclsp"[st->type <= IOPMEM_STAT_FIFO ? st->type : 0];
	for (i = 0; i < 9; i++)
		out[i + 1] = st->mode & (0400U >> i) ? bits[i] : '-';
	out[10] = '\0';
}

static int print(const char *name, const struct iopmem_stat *st, void *arg)
{
	time_t t = (time_t)st->mtime_sec;
	char mode[11], when[32] = "?";
	struct ls *ls = arg;
	struct tm tm;

	if (ls->json) {
		json_object_array_add(ls->array, json_stat(name, st));
		return 0;
	}
	mode_text(st, mode);
	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%s %3u %5u %5u %12" PRIu64 " %s %s\n", mode, st->nlink, st->uid, st->gid,
	       st->size, when, name);
	return 0;
}

static int list(struct ls *ls, const char *url, struct iopmem_err *err)
{
	struct iopmem_stat st;
	struct place p;
	struct remote r;
	int ret;

	ret = remote_open(url, &r, err);
	if (!ret) {
		place_remote(&r, &p);
		ret = place_stat(&p, true, &st, err);
	}
	if (!ret && st.type == IOPMEM_STAT_DIR)
		ret = iopmem_readdir(r.client, p.path, print, ls, err);
	else if (!ret)
		print(place_name(&p), &st, ls);
	remote_close(&r);
	return ret;
}

int cmd_ls(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print an array of objects", 0 }, { 0 },
	};
	static const struct argp argp = {
		options, parse, "URL...", "List directories, or show files.", NULL, NULL, NULL,
	};
	struct ls ls = { .list = { .min = 1 } };
	int i, failed = 0;

	cli_parse(&argp, argc, argv, &ls);
	if (ls.json)
		ls.array = json_object_new_array();
	for (i = 0; i < ls.list.n; i++) {
		struct iopmem_err err = { 0 };

		if (ls.list.n > 1 && !ls.json)
			printf("%s%s:\n", i ? "\n" : "", ls.list.arg[i]);
		if (list(&ls, ls.list.arg[i], &err))
			failed = cli_fail("ls", ls.list.arg[i], &err);
	}
	if (ls.json)
		json_print(ls.array);
	return failed;
}
