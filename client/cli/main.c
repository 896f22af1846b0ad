// SPDX-License-Identifier: BSD-3-Clause
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "put", cmd_put }, { "get", cmd_get }, { "ls", cmd_ls }, { "stat", cmd_stat },
	{ "rm", cmd_rm }, { "mkdir", cmd_mkdir },
};

static const char doc[] =
	"Files in a server's device memory.\v"
	"Commands:\n"
	"  put FILE URL    write a local file (- for standard input)\n"
	"  get URL FILE    read into a local file (- for standard output)\n"
	"  ls URL          list a directory\n"
	"  stat URL        show attributes\n"
	"  rm URL          remove a file or an empty directory\n"
	"  mkdir URL       make a directory\n"
	"\n"
	"URL is iopmem://host[:port]/export[/path], port 20490 unless given.\n"
	"'iopmem COMMAND --help' tells more.";

struct main_args {
	int argc;
	char **argv;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct main_args *a = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARG:	/* the verb: the rest is its own */
		a->argv = state->argv + state->next - 1;
		a->argc = state->argc - state->next + 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- a verb's arguments ---- */

struct verb_args {
	const char **out;
	int want, got;
	int *progress;
};

static error_t parse_verb(int key, char *arg, struct argp_state *state)
{
	struct verb_args *a = state->input;

	switch (key) {
	case 'p':
		if (a->progress)
			*a->progress = 1;
		return 0;
	case 'q':
		if (a->progress)
			*a->progress = 0;
		return 0;
	case ARGP_KEY_ARG:
		if (a->got >= a->want)
			argp_usage(state);
		a->out[a->got++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->got < a->want)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void cli_args(int argc, char **argv, const char *args_doc, const char *what, int n,
	      const char **out, int *progress)
{
	static const struct argp_option bar[] = {
		{ "progress", 'p', NULL, 0, "Show progress even when stderr is no terminal", 0 },
		{ "quiet", 'q', NULL, 0, "Show no progress and no summary", 0 },
		{ 0 },
	};
	const struct argp argp = { progress ? bar : NULL, parse_verb, args_doc, what,
				   NULL, NULL, NULL };
	struct verb_args a = { out, n, 0, progress };
	char name[64];

	snprintf(name, sizeof(name), "iopmem %s", argv[0]);
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
}

/* What was printed is part of the result: a full disk must show in the exit status. */
static int flushed(int ret)
{
	if (!fflush(stdout) && !ferror(stdout))
		return ret;
	fprintf(stderr, "iopmem: write standard output: %s\n", strerror(errno));
	return ret ? ret : 1;
}

int main(int argc, char **argv)
{
	const struct argp argp = { NULL, parse, "COMMAND [ARG...]", doc, NULL, NULL, NULL };
	struct main_args a = { 0, NULL };
	size_t i;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(a.argv[0], verbs[i].name))
			return flushed(verbs[i].run(a.argc, a.argv));
	fprintf(stderr, "iopmem: '%s' is no command; see iopmem --help\n", a.argv[0]);
	return EX_USAGE;
}
