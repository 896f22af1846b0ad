// SPDX-License-Identifier: BSD-3-Clause
/* put and get: one local file and one URL. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "transfer.h"

struct args {
	struct transfer transfer;
	struct cli_list list;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	(void)arg;
	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = &a->transfer;
		return 0;
	}
	return cli_list_parse(key, &a->list, state);
}

/* @url names one of the two places, @file the other. */
static int move(struct args *a, const char *url, const char *file, bool put,
		struct flow_result *result, struct iopmem_err *err)
{
	struct place here, there;
	struct remote r;
	int ret;

	ret = transfer_start(&a->transfer, err);
	if (!ret)
		ret = place_local(file, &here, err);
	if (ret)
		return ret;
	ret = remote_open(url, &r, err);
	if (!ret) {
		place_remote(&r, &there);
		ret = put ? transfer_file(&a->transfer, &here, &there, 0644, result, err) :
			    transfer_file(&a->transfer, &there, &here, 0666, result, err);
	}
	remote_close(&r);
	return ret;
}

static int put_or_get(int argc, char **argv, bool put)
{
	static const struct argp_child children[] = { { &transfer_argp, 0, NULL, 0 }, { 0 } };
	const struct argp argp = {
		NULL, parse, put ? "FILE URL" : "URL FILE",
		put ? "Write FILE (- for standard input) to URL, in place." :
		      "Read URL into FILE (- for standard output).",
		children, NULL, NULL,
	};
	struct args a = { .list = { .min = 2, .max = 2 } };
	struct iopmem_err err = { 0 };
	struct flow_result result;
	const char *verb = put ? "put" : "get", *url, *file;
	int ret;

	transfer_init(&a.transfer, verb);
	cli_parse(&argp, argc, argv, &a);
	url = a.list.arg[put ? 1 : 0];
	file = a.list.arg[put ? 0 : 1];
	if (a.transfer.json && !put && !strcmp(file, "-")) {
		err.code = EINVAL;
		strcpy(err.text, "--json: standard output is for the file already");
		return cli_fail(verb, url, &err);
	}
	ret = move(&a, url, file, put, &result, &err);
	if (ret)
		ret = cli_fail(verb, url, &err);
	else
		transfer_print(&a.transfer, a.list.arg[0], a.list.arg[1], &result);
	transfer_fini(&a.transfer);
	return ret;
}

int cmd_put(int argc, char **argv)
{
	return put_or_get(argc, argv, true);
}

int cmd_get(int argc, char **argv)
{
	return put_or_get(argc, argv, false);
}
