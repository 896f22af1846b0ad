// SPDX-License-Identifier: BSD-3-Clause
/*
 * hostio MODE OPTION...: I/O from many hosts whose outcome can be proved from outside of them.
 *
 *   own     writes its own chunks with the calls that lease for themselves
 *   move    leases chunks that others want too, reads, writes the next version, commits, returns
 *   read    reads chunks: never torn, never older than what was committed before it asked
 *   local   a program on the server: write(2) to its own chunks, truncates behind all of them
 *   verify  a local file against the journals of all who wrote it
 *
 * See journal.h for the journals, block.h for the blocks.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hostio.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void host_open(struct host *h, const struct options *o, int flags)
{
	struct iopmem_connect_args args = { .size = sizeof(args), .timeout_ms = 10000 };
	struct iopmem_err error = { 0 };
	size_t len = o->chunk * BLOCK;

	memset(h, 0, sizeof(*h));
	h->o = o;
	h->random = o->seed + 1;
	h->deadline_ms = now_ms() + 1000 * (int64_t)o->seconds;
	journal_open(&h->journal, o->dir, o->writer);
	if (!o->url)
		return;
	if (iopmem_connect(o->url, &args, &h->client, &error) ||
	    iopmem_open(h->client, o->path, flags, 0644, &h->file, &error) ||
	    iopmem_buf_alloc(h->client, len, &h->buf, &error))
		errx(1, "%s", error.text);
	h->mem = iopmem_buf_addr(h->buf);
}

void host_close(struct host *h)
{
	struct iopmem_err error = { 0 };

	iopmem_buf_unregister(h->buf);
	if (h->file && iopmem_close(h->file, &error))
		errx(1, "%s", error.text);
	if (iopmem_disconnect(h->client))
		errx(1, "disconnect fails");
}

uint32_t *host_chunks(const struct options *o, uint32_t *n)
{
	uint32_t *chunks = calloc(o->chunks, sizeof(*chunks)), i;

	if (!chunks)
		err(1, "chunks");
	*n = 0;
	for (i = 0; i < o->chunks; i++)
		if (i % o->of == o->index)
			chunks[(*n)++] = i;
	if (!*n)
		errx(64, "no chunk is ours");
	return chunks;
}

size_t host_random(struct host *h)
{
	h->random = h->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (size_t)(h->random >> 33);
}

uint32_t host_chunk(struct host *h, uint32_t *order, uint32_t n)
{
	uint32_t chosen;
	size_t draw, at = 0;

	/* From the first half, then to the end: none twice in a row. */
	draw = host_random(h);
	if (h->o->seed)
		at = draw % ((n + 1) / 2);
	chosen = order[at];
	memmove(&order[at], &order[at + 1], (n - at - 1) * sizeof(*order));
	order[n - 1] = chosen;
	return chosen;
}

bool host_over(const struct host *h)
{
	if (now_ms() > h->deadline_ms)
		errx(1, "not done after %u s", h->o->seconds);
	return h->o->until && !access(h->o->until, F_OK);
}

void host_retry(const struct host *h, ssize_t ret, const struct iopmem_err *error, const char *what)
{
	const struct timespec pause = { 0, 50000000 };

	switch (-ret) {
	case ESTALE: case ETIMEDOUT: case ECONNRESET: case ECONNREFUSED: case EHOSTUNREACH:
	case ENETUNREACH: case EPIPE: case EAGAIN:
		printf("%s: %s\n", what, error->text);
		host_over(h);
		nanosleep(&pause, NULL);
		return;
	default:
		errx(1, "%s: %s (%zd)", what, error->text, ret);
	}
}

static uint32_t number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end || end == text || v > UINT32_MAX)
		errx(64, "'%s' is not a number", text);
	return (uint32_t)v;
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "url", 1, NULL, 'u' }, { "path", 1, NULL, 'p' }, { "dir", 1, NULL, 'd' },
		{ "until", 1, NULL, 'U' }, { "file", 1, NULL, 'f' }, { "writer", 1, NULL, 'w' },
		{ "chunks", 1, NULL, 'n' }, { "chunk", 1, NULL, 'k' }, { "index", 1, NULL, 'i' },
		{ "of", 1, NULL, 'o' }, { "passes", 1, NULL, 'c' }, { "hold", 1, NULL, 'h' },
		{ "seconds", 1, NULL, 's' }, { "seed", 1, NULL, 'S' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'u': o->url = optarg; break;
		case 'p': o->path = optarg; break;
		case 'd': o->dir = optarg; break;
		case 'U': o->until = optarg; break;
		case 'f': o->file = number(optarg); break;
		case 'w': o->writer = number(optarg); break;
		case 'n': o->chunks = number(optarg); break;
		case 'k': o->chunk = number(optarg); break;
		case 'i': o->index = number(optarg); break;
		case 'o': o->of = number(optarg); break;
		case 'c': o->passes = number(optarg); break;
		case 'h': o->hold = number(optarg); break;
		case 's': o->seconds = number(optarg); break;
		case 'S': o->seed = number(optarg); break;
		default: exit(64);
		}
	}
	if (!o->path || !o->dir || !o->chunk || o->chunk > CHUNK_MAX || !o->of || !o->hold)
		errx(64, "--path and --dir are needed; --chunk is 1 to %d, --of and --hold not 0", CHUNK_MAX);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *o);
		bool remote;
	} modes[] = {
		{ "own", mode_own, true }, { "move", mode_move, true }, { "read", mode_read, true },
		{ "local", mode_local, false }, { "verify", mode_verify, false },
	};
	struct options o = { .chunks = 16, .chunk = 4, .of = 1, .passes = 1, .hold = 1, .seconds = 300 };
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name))
			continue;
		parse(&o, argc - 1, argv + 1);
		if (modes[i].remote != !!o.url)
			errx(64, "%s: --url is for own, move and read", argv[1]);
		return modes[i].run(&o);
	}
	errx(64, "usage: hostio own|move|read|local|verify OPTION...");
}
