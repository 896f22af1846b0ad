// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli.h"

struct args {
	struct cli_list list;
	const char *size;
	bool no_create;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 's':
		a->size = arg;
		return 0;
	case 'c':
		a->no_create = true;
		return 0;
	case ARGP_KEY_END:
		if (!a->size)
			argp_error(state, "which size? --size is missing");
		return 0;
	default:
		return cli_list_parse(key, &a->list, state);
	}
}

/* @text is a size, or a difference to @now with + or -. */
static int new_size(const char *text, uint64_t now, uint64_t *size)
{
	bool relative = *text == '+' || *text == '-';
	uint64_t n;
	int ret = cli_bytes(text + relative, &n);

	if (ret)
		return ret;
	if (*text == '-')
		n = n < now ? now - n : 0;
	else if (*text == '+')
		n += now;
	if (n > INT64_MAX)
		return -EFBIG;
	*size = n;
	return 0;
}

static int set_size(const struct args *a, const char *url, struct iopmem_err *err)
{
	struct iopmem_file *file;
	struct iopmem_stat st;
	struct remote r;
	uint64_t size;
	int ret, ret2;

	ret = remote_open(url, &r, err);
	if (!ret)
		ret = iopmem_open(r.client, r.url.path, O_RDWR | (a->no_create ? 0 : O_CREAT), 0644,
				  &file, err);
	if (!ret) {
		ret = iopmem_fstat(file, &st, err);
		if (!ret && new_size(a->size, st.size, &size))
			ret = cli_error(err, EFBIG, "new size of", r.url.path);
		if (!ret)
			ret = iopmem_ftruncate(file, size, err);
		ret2 = iopmem_close(file, ret ? NULL : err);
		ret = ret ? ret : ret2;
	}
	remote_close(&r);
	return ret;
}

int cmd_truncate(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "size", 's', "SIZE", 0, "Bytes, K, M, G or T behind them; +SIZE or -SIZE: by so much", 0 },
		{ "no-create", 'c', NULL, 0, "Make no file", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "URL...", "Set the size of files.", NULL, NULL, NULL,
	};
	struct args a = { .list = { .min = 1 } };
	int i, failed = 0;
	uint64_t n;

	cli_parse(&argp, argc, argv, &a);
	if (new_size(a.size, 0, &n)) {
		struct iopmem_err err = { 0 };

		cli_error(&err, EINVAL, "size", a.size);
		return cli_fail("truncate", a.list.arg[0], &err);
	}
	for (i = 0; i < a.list.n; i++) {
		struct iopmem_err err = { 0 };

		if (set_size(&a, a.list.arg[i], &err))
			failed = cli_fail("truncate", a.list.arg[i], &err);
	}
	return failed;
}
