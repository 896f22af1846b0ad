// SPDX-License-Identifier: BSD-3-Clause
/*
 * iopmem_script: a client that tests drive.  Commands on stdin, one a line, each
 * answered by exactly one line on stdout: "ok ..." or "error ERRNO text".
 *
 *   iopmem_script [--raw-ignore-recall] [--owner NAME] [--timeout MS] URL
 *   --tell-writes: "blast" counts on stderr, one line "blast N" for each write that is complete
 *
 *   open F PATH FLAGS        FLAGS: r or rw, then any of c(reate) x(excl) t(runc)
 *   lease L F OFF LEN r|rw [TIMEOUT_MS]
 *   write L OFF LEN SEED     pattern, see below
 *   read L OFF LEN SEED|zero "ok match", or "ok mismatch at=OFFSET got=B want=B"
 *   commit L                 "ok level=N"
 *   lost L                   "ok n=N OFF+LEN ..."
 *   return L | close F
 *   truncate F SIZE | stat F | lookup PATH | mkdir PATH | remove PATH
 *   sleep MS
 *   wait-event recalled|revoked|expired|restarted TIMEOUT_MS
 *   ignore-recall on|off     take recalls and never serve them (fence tests)
 *   blast L OFF LEN COUNT    writes until an error: "ok writes=N error=ERRNO"
 *   keys L                   "ok n=N OFF+LEN:rkey:addr:rw|r ..."
 *   rawwrite RKEY ADDR LEN SEED, rawread RKEY ADDR LEN SEED|zero
 *                            one operation with a key given by hand; the pattern's
 *                            offset is ADDR
 *   io-align N               as if the fabric wanted it, until it connects again
 *   quit                     disconnects; so does the end of input
 *
 * Numbers may end in k, m or g.  The byte at offset x of pattern SEED is
 * (x * 31 + (x >> 12) * 7 + SEED) & 255.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "script.h"

static int split(char *line, char **argv)
{
	int argc = 0;
	char *save, *word = strtok_r(line, " \t\n", &save);

	while (word && argc < SCRIPT_ARGS) {
		argv[argc++] = word;
		word = strtok_r(NULL, " \t\n", &save);
	}
	return argc;
}

static int connect_to(struct script *s, const char *url, struct iopmem_connect_args *args)
{
	struct iopmem_err err = { 0 };
	int ret;

	ret = iopmem_connect(url, args, &s->client, &err);
	if (!ret)
		ret = iopmem_buf_register(s->client, s->memory, SCRIPT_BUF, &s->buf, &err);
	if (ret) {
		script_error(ret, &err);
		return ret;
	}
	iopmem_set_event_fn(s->client, script_on_event, s);
	puts("ok connected");
	return 0;
}

static void loop(struct script *s)
{
	char line[8192], *argv[SCRIPT_ARGS];
	int argc;

	while (fgets(line, sizeof(line), stdin)) {
		argc = split(line, argv);
		if (!argc || argv[0][0] == '#')
			continue;
		if (!strcmp(argv[0], "quit"))
			break;
		script_run(s, argc, argv);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "raw-ignore-recall", no_argument, NULL, 'i' },
		{ "tell-writes", no_argument, NULL, 'w' },
		{ "owner", required_argument, NULL, 'o' },
		{ "timeout", required_argument, NULL, 't' },
		{ 0 },
	};
	struct iopmem_connect_args args = { .size = sizeof(args) };
	bool ignore = false, tell_writes = false;
	struct script *s;
	int c, ret;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'i')
			ignore = true;
		else if (c == 'w')
			tell_writes = true;
		else if (c == 'o')
			args.owner = optarg;
		else if (c == 't')
			args.timeout_ms = (uint32_t)strtoul(optarg, NULL, 0);
		else
			return 64;
	}
	if (optind + 1 != argc) {
		fputs("usage: iopmem_script [OPTION...] URL\n", stderr);
		return 64;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	s = calloc(1, sizeof(*s));
	if (!s)
		return 1;
	s->tell_writes = tell_writes;
	s->memory = calloc(1, SCRIPT_BUF);
	pthread_mutex_init(&s->lock, NULL);
	client_cond_init(&s->cond);
	ret = s->memory ? connect_to(s, argv[optind], &args) : -ENOMEM;
	if (!ret) {
		client_test_ignore_recalls(s->client, ignore);
		loop(s);
		iopmem_buf_unregister(s->buf);
	}
	ret = iopmem_disconnect(s->client) || ret;
	puts(ret ? "error EIO disconnect" : "ok bye");
	free(s->memory);
	free(s);
	return ret;
}
