// SPDX-License-Identifier: BSD-3-Clause
/* mv: another name inside one export; the server does it at once. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "place.h"

struct mv {
	struct cli_list list;
	unsigned int flags;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct mv *mv = state->input;

	(void)arg;
	switch (key) {
	case 'n':
		mv->flags = IOPMEM_RENAME_NOREPLACE;
		return 0;
	case 'x':
		mv->flags = IOPMEM_RENAME_EXCHANGE;
		return 0;
	default:
		return cli_list_parse(key, &mv->list, state);
	}
}

static int move_one(const struct mv *mv, const char *url, const struct remote *target, bool into,
		    struct iopmem_err *err)
{
	struct place from, to;
	struct url u;
	int ret;

	ret = url_parse(url, &u, err);
	if (ret)
		return ret;
	if (u.port != target->url.port || strcmp(u.host, target->url.host) ||
	    strcmp(u.export_name, target->url.export_name))
		return cli_error(err, EXDEV, "move (cp -r and rm -r do) to", target->url.export_name);
	from.remote = NULL;
	strcpy(from.path, u.path);
	to.remote = NULL;
	strcpy(to.path, target->url.path);
	if (into)
		ret = place_join(&to, place_name(&from), &to, err);
	return ret ? ret : iopmem_rename(target->client, from.path, to.path, mv->flags, err);
}

int cmd_mv(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "no-clobber", 'n', NULL, 0, "A target that is there is an error", 0 },
		{ "exchange", 'x', NULL, 0, "Source and target, both there, change names", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "URL... TARGET-URL",
		"Rename a file or directory, or move some into a directory, within one export.",
		NULL, NULL, NULL,
	};
	struct mv mv = { .list = { .min = 2 } };
	struct iopmem_err err = { 0 };
	struct iopmem_stat st;
	struct remote target;
	int i, ret, failed = 0;
	bool into = false;

	cli_parse(&argp, argc, argv, &mv);
	ret = remote_open(mv.list.arg[mv.list.n - 1], &target, &err);
	if (!ret && mv.flags != IOPMEM_RENAME_EXCHANGE)
		into = !iopmem_stat(target.client, target.url.path, &st, NULL) &&
		       st.type == IOPMEM_STAT_DIR;
	if (!ret && mv.list.n > 2 && !into)
		ret = cli_error(&err, ENOTDIR, "move several into", target.url.path);
	if (ret)
		failed = cli_fail("mv", mv.list.arg[mv.list.n - 1], &err);
	for (i = 0; !ret && i < mv.list.n - 1; i++) {
		struct iopmem_err cause = { 0 };

		if (move_one(&mv, mv.list.arg[i], &target, into, &cause))
			failed = cli_fail("mv", mv.list.arg[i], &cause);
	}
	remote_close(&target);
	return failed;
}
