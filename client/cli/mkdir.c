// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "place.h"

struct args {
	struct cli_list list;
	bool parents;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	(void)arg;
	if (key != 'p')
		return cli_list_parse(key, &a->list, state);
	a->parents = true;
	return 0;
}

/* Every directory on the way; those that are there are fine. */
static int make_all(const struct place *p, struct iopmem_err *err)
{
	struct place part = *p;
	char *slash = part.path;
	int ret = 0;

	while (!ret && (slash = strchr(slash, '/'))) {
		*slash = '\0';
		ret = place_mkdir(&part, 0755, err);
		*slash++ = '/';
	}
	return ret ? ret : place_mkdir(p, 0755, err);
}

static int make(const char *url, bool parents, struct iopmem_err *err)
{
	struct place p;
	struct remote r;
	int ret;

	ret = remote_open(url, &r, err);
	if (!ret) {
		place_remote(&r, &p);
		ret = parents ? make_all(&p, err) : iopmem_mkdir(r.client, p.path, 0755, err);
	}
	remote_close(&r);
	return ret;
}

int cmd_mkdir(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "parents", 'p', NULL, 0, "Make what is missing on the way; one that is there is fine", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "URL...", "Make directories.", NULL, NULL, NULL,
	};
	struct args a = { .list = { .min = 1 } };
	int i, failed = 0;

	cli_parse(&argp, argc, argv, &a);
	for (i = 0; i < a.list.n; i++) {
		struct iopmem_err err = { 0 };

		if (make(a.list.arg[i], a.parents, &err))
			failed = cli_fail("mkdir", a.list.arg[i], &err);
	}
	return failed;
}
