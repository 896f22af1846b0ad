// SPDX-License-Identifier: BSD-3-Clause
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
	{ "put", cmd_put }, { "get", cmd_get }, { "cat", cmd_cat }, { "cp", cmd_cp },
	{ "ls", cmd_ls }, { "stat", cmd_stat }, { "mv", cmd_mv }, { "rm", cmd_rm },
	{ "mkdir", cmd_mkdir },
	{ "truncate", cmd_truncate }, { "watch", cmd_watch }, { "mount", cmd_mount },
	{ "bench", cmd_bench },
};

static const char doc[] =
	"Files in a server's device memory.\v"
	"Commands:\n"
	"  put FILE URL           write a local file (- for standard input)\n"
	"  get URL FILE           read into a local file (- for standard output)\n"
	"  cat URL...             write to standard output\n"
	"  cp [-r] FROM... TO     copy files and trees, here, there and between servers\n"
	"  ls URL...              list directories\n"
	"  stat URL...            show attributes\n"
	"  mv URL... URL          rename and move within an export\n"
	"  rm [-r] URL...         remove files and directories\n"
	"  mkdir [-p] URL...      make directories\n"
	"  truncate -s SIZE URL   set the size of files\n"
	"  watch URL              tell what changes\n"
	"  mount URL DIR          make an export a file system of this host\n"
	"  bench URL              measure bandwidth and latency\n"
	"\n"
	"URL is iopmem://host[:port]/export[/path], port 20490 unless given.\n"
	"'iopmem COMMAND --help' and iopmem(1) tell more.";

const char *argp_program_version = "iopmem " IOPMEM_VERSION;

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
