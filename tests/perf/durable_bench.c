// SPDX-License-Identifier: BSD-3-Clause
/*
 * P3: one write at a time, durable before the next, the same for a file of an iopmem-server
 * and for anything with a path (a file on NFS, a disk on NVMe-oF: O_DIRECT).
 *
 * durable_bench overwrite|sequential WHERE NAME RUN BYTES SECONDS: writes inside the first
 *	BYTES, 4 KiB in random places or 1 MiB one after the other, each followed by fdatasync()
 *	or iopmem_commit().  WHERE is a directory or an export's URL.  Prints "COUNT PER_SECOND
 *	P50_US P99_US MB_PER_SECOND", of write and sync together; making the bytes is not timed.
 *	Then it has everything open until its standard input ends.
 * durable_bench fill FILE BYTES: makes the file, block by block.
 * durable_bench verify FILE BYTES [overwrite|sequential RUN COUNT]...: each byte of FILE is as
 *	fill and these runs, in this order, have left it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "iopmem.h"

#define BLOCK 4096U
#define STRETCH (1U << 20)
#define SAMPLES 100000

struct target {
	int fd;			/* -1: iopmem */
	struct iopmem_client *client;
	struct iopmem_file *file;
	struct iopmem_lease *lease;
	struct iopmem_buf *buf;
	struct iopmem_err err;
};

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
	fprintf(stderr, "durable_bench: %s: %s\n", what, why);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* ---- what is written where, and by whom ---- */

/* Of the @i-th write of a run; 0 is what fill leaves. */
static uint64_t version_of(uint64_t run, uint64_t i)
{
	return run << 32 | (i + 1);
}

static void make_block(void *block, uint64_t number, uint64_t version)
{
	uint64_t *word = block, x = mix(number * 0x9e3779b97f4a7c15ULL + mix(version + 1));
	size_t i;

	for (i = 0; i < BLOCK / sizeof(*word); i++)
		word[i] = x += 0x9e3779b97f4a7c15ULL;
}

static uint32_t size_of(const char *pattern)
{
	if (!strcmp(pattern, "overwrite"))
		return BLOCK;
	if (!strcmp(pattern, "sequential"))
		return STRETCH;
	die(pattern, "no such pattern");
}

static uint64_t offset_of(uint32_t size, uint64_t run, uint64_t i, uint64_t bytes)
{
	uint64_t place = size == BLOCK ? mix(version_of(run, i)) : i;

	return place % (bytes / size) * size;
}

/* ---- the two ways ---- */

static void open_target(struct target *t, const char *where, const char *name, void *mem,
			uint64_t bytes)
{
	char path[4096];

	t->fd = -1;
	if (!strncmp(where, "iopmem://", 9)) {
		if (iopmem_connect(where, NULL, &t->client, &t->err) ||
		    iopmem_open(t->client, name, O_RDWR, 0, &t->file, &t->err) ||
		    iopmem_buf_register(t->client, mem, STRETCH, &t->buf, &t->err) ||
		    iopmem_lease(t->file, 0, bytes, IOPMEM_LEASE_RW, 0, &t->lease, &t->err))
			die(name, t->err.text);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", where, name);
	t->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (t->fd < 0)
		die(path, strerror(errno));
}

static void write_target(struct target *t, void *mem, uint32_t size, uint64_t offset)
{
	if (t->fd < 0) {
		if (iopmem_write(t->lease, t->buf, mem, size, offset, &t->err) < 0 ||
		    iopmem_commit(t->lease, &t->err) < 0)
			die("write", t->err.text);
	} else if (pwrite(t->fd, mem, size, (off_t)offset) != size || fdatasync(t->fd)) {
		die("write", strerror(errno));
	}
}

static void close_target(struct target *t)
{
	if (t->fd >= 0) {
		close(t->fd);
		return;
	}
	if (iopmem_return(t->lease, &t->err))
		die("return", t->err.text);
	iopmem_buf_unregister(t->buf);
	iopmem_close(t->file, NULL);
	iopmem_disconnect(t->client);
}

/* ---- the three commands ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int measure(char **argv, void *mem)
{
	static double took[SAMPLES];
	uint64_t run = strtoull(argv[4], NULL, 10), bytes = strtoull(argv[5], NULL, 10), offset;
	double limit = strtod(argv[6], NULL), sum = 0, before;
	uint32_t size = size_of(argv[1]), done;
	struct target t = { 0 };
	size_t n = 0;

	open_target(&t, argv[2], argv[3], mem, bytes);
	for (; n < SAMPLES && sum < limit; n++) {
		offset = offset_of(size, run, n, bytes);
		for (done = 0; done < size; done += BLOCK)
			make_block((char *)mem + done, (offset + done) / BLOCK,
				   version_of(run, n));
		before = now();
		write_target(&t, mem, size, offset);
		took[n] = now() - before;
		sum += took[n];
	}
	qsort(took, n, sizeof(took[0]), by_value);
	printf("%zu %.1f %.1f %.1f %.2f\n", n, (double)n / sum, took[n / 2] * 1e6,
	       took[n * 99 / 100] * 1e6, (double)n * size / sum / 1e6);
	fflush(stdout);
	while (getchar() != EOF)
		;
	close_target(&t);
	return 0;
}

static int fill(const char *path, uint64_t blocks, void *mem)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	uint64_t i;

	for (i = 0; fd >= 0 && i < blocks; i++) {
		make_block(mem, i, 0);
		if (write(fd, mem, BLOCK) != BLOCK)
			break;
	}
	if (fd < 0 || i < blocks || fsync(fd) || close(fd))
		die(path, strerror(errno));
	return 0;
}

static int verify(int argc, char **argv, uint64_t blocks, char *mem)
{
	uint64_t *version = calloc(blocks, sizeof(*version)), run, count, i, first, b, bad = 0;
	char *expected = mem + BLOCK;
	uint32_t size;
	int a, fd = open(argv[2], O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !version)
		die(argv[2], strerror(errno));
	for (a = 4; a + 2 < argc; a += 3) {
		size = size_of(argv[a]);
		run = strtoull(argv[a + 1], NULL, 10);
		count = strtoull(argv[a + 2], NULL, 10);
		for (i = 0; i < count; i++) {
			first = offset_of(size, run, i, blocks * BLOCK) / BLOCK;
			for (b = first; b < first + size / BLOCK; b++)
				version[b] = version_of(run, i);
		}
	}
	for (b = 0; b < blocks; b++) {
		make_block(expected, b, version[b]);
		if (read(fd, mem, BLOCK) != BLOCK)
			die(argv[2], "too short");
		if (!memcmp(mem, expected, BLOCK))
			continue;
		if (!bad++)
			fprintf(stderr, "%s: block %" PRIu64 " is not version %" PRIx64 "\n",
				argv[2], b, version[b]);
	}
	close(fd);
	free(version);
	if (bad)
		fprintf(stderr, "%s: %" PRIu64 " blocks of %" PRIu64 " are wrong\n", argv[2], bad,
			blocks);
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	char *mem = aligned_alloc(BLOCK, STRETCH);
	int ret = 2;

	if (!mem)
		return 1;
	if (argc == 4 && !strcmp(argv[1], "fill"))
		ret = fill(argv[2], strtoull(argv[3], NULL, 10) / BLOCK, mem);
	else if (argc >= 4 && argc % 3 == 1 && !strcmp(argv[1], "verify"))
		ret = verify(argc, argv, strtoull(argv[3], NULL, 10) / BLOCK, mem);
	else if (argc == 7)
		ret = measure(argv, mem);
	else
		fprintf(stderr, "usage: see the top of durable_bench.c\n");
	free(mem);
	return ret;
}
