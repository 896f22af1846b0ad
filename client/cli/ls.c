// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"

static void mode_text(const struct iopmem_stat *st, char out[11])
{
	static const char bits[] = "rwxrwxrwx";
	int i;

	out[0] = st->type == IOPMEM_STAT_DIR ? 'd' : st->type == IOPMEM_STAT_REG ? '-' : '?';
	for (i = 0; i < 9; i++)
		out[i + 1] = st->mode & (0400U >> i) ? bits[i] : '-';
	out[10] = '\0';
}

static int print(const char *name, const struct iopmem_stat *st, void *arg)
{
	time_t t = (time_t)st->mtime_sec;
	char mode[11], when[32] = "?";
	struct tm tm;

	(void)arg;
	mode_text(st, mode);
	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%s %3u %5u %5u %12" PRIu64 " %s %s\n", mode, st->nlink, st->uid, st->gid,
	       st->size, when, name);
	return 0;
}

int cmd_ls(int argc, char **argv)
{
	struct iopmem_err err = { 0 };
	struct iopmem_stat st;
	const char *url[1];
	struct remote r;
	int ret;

	cli_args(argc, argv, "URL", "List a directory, or show one file.", 1, url, NULL);
	ret = remote_open(url[0], &r, &err);
	if (!ret)
		ret = iopmem_stat(r.client, r.url.path, &st, &err);
	if (!ret && st.type == IOPMEM_STAT_DIR)
		ret = iopmem_readdir(r.client, r.url.path, print, NULL, &err);
	else if (!ret)
		print(strrchr(r.url.path, '/') ? strrchr(r.url.path, '/') + 1 : r.url.path, &st,
		      NULL);
	remote_close(&r);
	return ret ? cli_fail("ls", url[0], &err) : 0;
}
