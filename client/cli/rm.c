// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"

struct rm {
	struct cli_list list;
	bool recursive, force;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct rm *rm = state->input;

	(void)arg;
	switch (key) {
	case 'r':
		rm->recursive = true;
		return 0;
	case 'f':
		rm->force = true;
		return 0;
	default:
		return cli_list_parse(key, &rm->list, state);
	}
}

static int rm_tree(const struct place *p, struct iopmem_err *err);

static int rm_names(const struct place *p, const struct names *names, struct iopmem_err *err)
{
	struct place *child = malloc(sizeof(*child));
	int ret = child ? 0 : cli_error(err, ENOMEM, "remove", p->path);
	size_t i;

	for (i = 0; !ret && i < names->n; i++) {
		ret = place_join(p, names->name[i], child, err);
		if (!ret)
			ret = rm_tree(child, err);
	}
	free(child);
	return ret;
}

static int rm_tree(const struct place *p, struct iopmem_err *err)
{
	struct iopmem_stat st;
	struct names names;
	int ret = place_stat(p, false, &st, err);

	if (!ret && st.type == IOPMEM_STAT_DIR) {
		ret = place_list(p, &names, err);
		if (!ret)
			ret = rm_names(p, &names, err);
		names_free(&names);
	}
	return ret ? ret : iopmem_remove(p->remote->client, p->path, err);
}

static int rm_url(const struct rm *rm, const char *url, struct iopmem_err *err)
{
	struct place p;
	struct remote r;
	int ret;

	ret = remote_open(url, &r, err);
	if (!ret) {
		place_remote(&r, &p);
		ret = rm->recursive ? rm_tree(&p, err) : iopmem_remove(r.client, p.path, err);
	}
	remote_close(&r);
	return ret == -ENOENT && rm->force ? 0 : ret;
}

int cmd_rm(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "recursive", 'r', NULL, 0, "Remove directories with what is in them", 0 },
		{ "force", 'f', NULL, 0, "What does not exist is no error", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "URL...", "Remove files and empty directories.", NULL, NULL, NULL,
	};
	struct rm rm = { .list = { .min = 1 } };
	int i, failed = 0;

	cli_parse(&argp, argc, argv, &rm);
	for (i = 0; i < rm.list.n; i++) {
		struct iopmem_err err = { 0 };

		if (rm_url(&rm, rm.list.arg[i], &err))
			failed = cli_fail("rm", rm.list.arg[i], &err);
	}
	return failed;
}
