// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

error_t cli_list_parse(int key, struct cli_list *list, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARGS:
		list->arg = state->argv + state->next;
		list->n = state->argc - state->next;
		if (list->n < list->min || (list->max && list->n > list->max))
			argp_usage(state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (list->min)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	static char name[64];	/* argp keeps it */

	snprintf(name, sizeof(name), "iopmem %s", argv[0]);
	argv[0] = name;
	argp_parse(argp, argc, argv, 0, NULL, input);
}

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	return cli_list_parse(key, state->input, state);
}

void cli_args(int argc, char **argv, const char *args_doc, const char *doc,
	      struct cli_list *list)
{
	const struct argp argp = { NULL, parse_list, args_doc, doc, NULL, NULL, NULL };

	cli_parse(&argp, argc, argv, list);
}

int cli_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	unsigned long long v;
	const char *unit;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-' || *text == '+' || *text == ' ')
		return -EINVAL;
	if (*end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit || end[1])
			return -EINVAL;
		shift = 10U * (unsigned int)(unit - units + 1);
	}
	if (v > ((uint64_t)INT64_MAX >> shift))
		return -ERANGE;
	*bytes = (uint64_t)v << shift;
	return 0;
}
