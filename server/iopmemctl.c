// SPDX-License-Identifier: BSD-3-Clause
/* iopmemctl: the administrator's command. */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ctl.h"
#include "doctor.h"
#include "json_put.h"

const char *argp_program_version = "iopmemctl " IOPMEM_VERSION;

enum { OPT_JSON = 256, OPT_ROOT, OPT_SOCKET, OPT_FILE, OPT_CLIENT, OPT_LAYOUT, OPT_ALL, OPT_TIMEOUT,
       OPT_NO_WAIT, OPT_LIMIT };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, NULL, 0, "for programs", 0 },
	{ "socket", OPT_SOCKET, "PATH", 0, "of the server; default " CONFIG_DEFAULT_ADMIN_SOCKET, 0 },
	{ "client", OPT_CLIENT, "ID", 0, "layouts, recall, revoke: of this client", 0 },
	{ "file", OPT_FILE, "EXPORT/PATH", 0, "layouts, recall: of this file", 0 },
	{ "layout", OPT_LAYOUT, "ID", 0, "revoke: this layout", 0 },
	{ "all", OPT_ALL, NULL, 0, "recall: every layout", 0 },
	{ "no-wait", OPT_NO_WAIT, NULL, 0, "recall: ask only", 0 },
	{ "timeout", OPT_TIMEOUT, "SECONDS", 0, "recall, revoke, quiesce: wait so long; default: for ever", 0 },
	{ "limit", OPT_LIMIT, "N", 0, "rows of a list, up to 5000; default 1000", 0 },
	{ "root", OPT_ROOT, "DIR", 0, "doctor: look at a copy of /sys and /proc below DIR", 0 },
	{ 0 },
};

/* What a command takes besides --json and --socket. */
enum takes { TAKES_LIMIT = 1, TAKES_FILE = 2, TAKES_CLIENT = 4, TAKES_LAYOUT = 8, TAKES_ALL = 16,
	     TAKES_NO_WAIT = 32, TAKES_TIMEOUT = 64, TAKES_ROOT = 128 };

static const struct command {
	const char *name;
	unsigned int takes;
	const char *argument;		/* its key in the request; NULL: none */
	bool optional;
} commands[] = {
	{ "doctor", TAKES_ROOT, NULL, false },
	{ "status", 0, NULL, false },
	{ "clients", TAKES_LIMIT, NULL, false },
	{ "layouts", TAKES_LIMIT | TAKES_FILE | TAKES_CLIENT, NULL, false },
	{ "exports", 0, NULL, false },
	{ "waits", TAKES_LIMIT, NULL, false },
	{ "metrics", 0, NULL, false },
	{ "recall", TAKES_FILE | TAKES_CLIENT | TAKES_ALL | TAKES_NO_WAIT | TAKES_TIMEOUT, NULL,
	  false },
	{ "revoke", TAKES_CLIENT | TAKES_LAYOUT | TAKES_TIMEOUT, NULL, false },
	{ "quiesce", TAKES_TIMEOUT, "export", false },
	{ "resume", 0, "export", false },
	{ "reload", 0, NULL, false },
	{ "log-level", 0, "level", true },
};

struct arguments {
	const struct command *command;
	const char *argument, *root, *socket;
	bool json;
	unsigned int given;		/* enum takes, of the options that were */
	struct json_object *request;
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void take_word(struct arguments *a, const char *word, struct argp_state *state)
{
	if (!a->command) {
		a->command = find_command(word);
		if (!a->command)
			argp_error(state, "there is no command '%s'", word);
	} else if (a->command->argument && !a->argument) {
		a->argument = word;
	} else {
		argp_error(state, "unexpected argument '%s'", word);
	}
}

static uint64_t number(const char *text, const char *option, uint64_t max, struct argp_state *state)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || !n || n > max)
		argp_error(state, "--%s '%s': not a number from 1 to %llu", option, text,
			   (unsigned long long)max);
	return n;
}

static void check(const struct arguments *a, struct argp_state *state)
{
	const struct command *c = a->command;

	if (!c)
		argp_error(state, "no command given");
	else if (a->given & ~c->takes)
		argp_error(state, "%s does not take all of these options", c->name);
	else if (c->argument && !c->optional && !a->argument)
		argp_error(state, "%s: which %s?", c->name, c->argument);
	else if (!strcmp(c->name, "recall") &&
		 !(a->given & (TAKES_FILE | TAKES_CLIENT | TAKES_ALL)))
		argp_error(state, "recall: give --file, --client or --all");
	else if (!strcmp(c->name, "revoke") &&
		 !(a->given & TAKES_CLIENT) == !(a->given & TAKES_LAYOUT))
		argp_error(state, "revoke: give --client or --layout, one of both");
}

static void take_option(struct arguments *a, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case OPT_FILE:
		a->given |= TAKES_FILE;
		return put_text(a->request, "file", arg);
	case OPT_CLIENT:
		a->given |= TAKES_CLIENT;
		return put_text(a->request, "client", arg);
	case OPT_LAYOUT:
		a->given |= TAKES_LAYOUT;
		return put_text(a->request, "layout", arg);
	case OPT_ALL:
		a->given |= TAKES_ALL;
		return put_flag(a->request, "all", true);
	case OPT_NO_WAIT:
		a->given |= TAKES_NO_WAIT;
		return put_flag(a->request, "wait", false);
	case OPT_TIMEOUT:
		a->given |= TAKES_TIMEOUT;
		return put_number(a->request, "timeout_ms",
				  1000 * number(arg, "timeout", 1000000, state));
	case OPT_LIMIT:
		a->given |= TAKES_LIMIT;
		return put_number(a->request, "limit", number(arg, "limit", 5000, state));
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPT_JSON:
		a->json = true;
		return 0;
	case OPT_SOCKET:
		a->socket = arg;
		return 0;
	case OPT_ROOT:
		a->root = arg;
		a->given |= TAKES_ROOT;
		return 0;
	case ARGP_KEY_ARG:
		take_word(a, arg, state);
		return 0;
	case ARGP_KEY_END:
		check(a, state);
		return 0;
	}
	if (key < OPT_JSON || key > OPT_LIMIT)
		return ARGP_ERR_UNKNOWN;
	take_option(a, key, arg, state);
	return 0;
}

static const struct argp argp = {
	options, parse,
	"doctor\nstatus\nclients\nlayouts\nexports\nwaits\nmetrics\nrecall\nrevoke\n"
	"quiesce EXPORT\nresume EXPORT\nreload\nlog-level [error|warn|info|debug]",
	"Administers cards of the module iopmem and iopmem-server.\v"
	"Exit status: 0 done, 1 the server refused, 2 no server, 3 timed out, 64 wrong arguments; "
	"of doctor: 0 good, 1 doubtful, 2 bad, 3 nothing found. See iopmemctl(8).",
	NULL, NULL, NULL,
};

static int run_doctor(const struct arguments *a)
{
	struct json_object *report;
	enum doctor_grade grade = doctor_examine(a->root, &report);

	if (!report) {
		fprintf(stderr, "iopmemctl: out of memory\n");
		return CTL_USAGE;
	}
	if (a->json)
		puts(json_object_to_json_string_ext(report, JSON_C_TO_STRING_PRETTY));
	else
		doctor_print(report);
	json_object_put(report);
	return (int)grade;
}

static int run_request(const struct arguments *a)
{
	struct json_object *answer = NULL;
	enum ctl_exit status;

	put_text(a->request, "command", a->command->name);
	if (a->argument)
		put_text(a->request, a->command->argument, a->argument);
	status = ctl_request(a->socket, a->request, &answer);
	if (answer && a->json)
		puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY));
	else if (status == CTL_OK)
		ctl_print(a->command->name, answer);
	json_object_put(answer);
	return (int)status;
}

int main(int argc, char **argv)
{
	struct arguments a = { .root = "", .socket = CONFIG_DEFAULT_ADMIN_SOCKET,
			       .request = json_object_new_object() };
	int status;

	argp_err_exit_status = CTL_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	status = strcmp(a.command->name, "doctor") ? run_request(&a) : run_doctor(&a);
	json_object_put(a.request);
	return status;
}
