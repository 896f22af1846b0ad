// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"

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

int cmd_stat(int argc, char **argv)
{
	static const char *const types[] = { "?", "regular file", "directory", "other" };
	struct iopmem_err err = { 0 };
	struct iopmem_stat st;
	const char *url[1];
	struct remote r;
	int ret;

	cli_args(argc, argv, "URL", "Show the attributes of a file or directory.", 1, url, NULL);
	ret = remote_open(url[0], &r, &err);
	if (!ret)
		ret = iopmem_stat(r.client, r.url.path, &st, &err);
	remote_close(&r);
	if (ret)
		return cli_fail("stat", url[0], &err);
	printf("type: %s\n", types[st.type <= IOPMEM_STAT_OTHER ? st.type : 0]);
	printf("size: %" PRIu64 "\n", st.size);
	printf("space used: %" PRIu64 "\n", st.space_used);
	printf("mode: %04o\n", st.mode & 07777);
	printf("links: %u\n", st.nlink);
	printf("uid: %u\n", st.uid);
	printf("gid: %u\n", st.gid);
	printf("file id: %" PRIu64 "\n", st.fileid);
	printf("change: %" PRIu64 "\n", st.change);
	print_time("modified", st.mtime_sec, st.mtime_nsec);
	print_time("changed", st.ctime_sec, st.ctime_nsec);
	return 0;
}
