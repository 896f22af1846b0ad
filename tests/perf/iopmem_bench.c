// SPDX-License-Identifier: BSD-3-Clause
/*
 * iopmem_bench write|read URL PATH BYTES SECONDS DEPTH: overwrites (or reads) one leased
 * range again and again and prints MB/s (10^6 bytes).
 * iopmem_bench latency URL PATH BYTES SECONDS SPIN: one write at a time, and one write with
 * its commit at a time; prints the medians in microseconds.  SPIN: microseconds to look for
 * a completion before sleeping.
 * A benchmark for tests/perf/run.  The file is filled and committed first; that is not timed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iopmem.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct bench {
	struct iopmem_client *client;
	struct iopmem_file *file;
	struct iopmem_lease *lease;
	struct iopmem_buf *buf;
	char *mem;
	size_t bytes;
	struct iopmem_err err;
};

static int prepare(struct bench *b, const char *url, const char *path, uint32_t depth,
		   uint32_t spin_us)
{
	struct iopmem_connect_args args = { .size = sizeof(args), .depth = depth,
					    .spin_us = spin_us };

	if (iopmem_connect(url, &args, &b->client, &b->err) ||
	    iopmem_open(b->client, path, O_RDWR | O_CREAT, 0644, &b->file, &b->err) ||
	    iopmem_buf_register(b->client, b->mem, b->bytes, &b->buf, &b->err) ||
	    iopmem_lease(b->file, 0, b->bytes, IOPMEM_LEASE_RW, 0, &b->lease, &b->err) ||
	    iopmem_write(b->lease, b->buf, b->mem, b->bytes, 0, &b->err) < 0 ||
	    iopmem_commit(b->lease, &b->err) < 0)
		return -1;
	/* What grew has moved: the committed range again, now inside EOF. */
	return iopmem_return(b->lease, &b->err) ||
	       iopmem_lease(b->file, 0, b->bytes, IOPMEM_LEASE_RW, 0, &b->lease, &b->err);
}

static int one(struct bench *b, int writing)
{
	ssize_t n = writing ? iopmem_write(b->lease, b->buf, b->mem, b->bytes, 0, &b->err) :
			      iopmem_read(b->lease, b->buf, b->mem, b->bytes, 0, &b->err);

	return n < 0 ? -1 : 0;
}

static int bandwidth(struct bench *b, int writing, double limit)
{
	double start, seconds;
	uint64_t moved = 0;
	int rc = one(b, writing);		/* warm */

	start = now();
	while (!rc && now() - start < limit) {
		rc = one(b, writing);
		moved += b->bytes;
	}
	seconds = now() - start;
	if (!rc && iopmem_commit(b->lease, &b->err) < 0)
		rc = -1;
	if (!rc)
		printf("%.1f\n", (double)moved / seconds / 1e6);
	return rc;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int median_of(struct bench *b, int committing, double limit, double *us)
{
	static double took[100000];
	double start = now(), before;
	size_t n = 0;
	int rc = 0;

	while (!rc && n < sizeof(took) / sizeof(took[0]) && (n < 100 || now() - start < limit)) {
		before = now();
		rc = one(b, 1);
		if (!rc && committing && iopmem_commit(b->lease, &b->err) < 0)
			rc = -1;
		took[n++] = now() - before;
	}
	qsort(took, n, sizeof(took[0]), by_value);
	*us = took[n / 2] * 1e6;
	return rc;
}

static int latency(struct bench *b, double limit)
{
	double write_us = 0, commit_us = 0;
	int rc = one(b, 1);

	if (!rc)
		rc = median_of(b, 0, limit, &write_us);
	if (!rc)
		rc = median_of(b, 1, limit, &commit_us);
	if (!rc)
		printf("%.1f %.1f\n", write_us, commit_us);
	return rc;
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	int lat, rc;
	double limit;
	uint32_t last;

	if (argc != 7) {
		fprintf(stderr, "usage: iopmem_bench write|read|latency URL PATH BYTES SECONDS DEPTH|SPIN\n");
		return 2;
	}
	lat = !strcmp(argv[1], "latency");
	limit = strtod(argv[5], NULL);
	last = (uint32_t)strtoul(argv[6], NULL, 10);
	b.bytes = strtoull(argv[4], NULL, 10);
	b.mem = aligned_alloc(4096, b.bytes);
	if (!b.mem)
		return 1;
	memset(b.mem, 0x5a, b.bytes);
	rc = prepare(&b, argv[2], argv[3], lat ? 0 : last, lat ? last : 0);
	if (!rc)
		rc = lat ? latency(&b, limit) : bandwidth(&b, !strcmp(argv[1], "write"), limit);
	if (rc) {
		fprintf(stderr, "iopmem_bench: %s\n", b.err.text);
		return 1;
	}
	iopmem_return(b.lease, NULL);
	iopmem_buf_unregister(b.buf);
	iopmem_close(b.file, NULL);
	iopmem_disconnect(b.client);
	free(b.mem);
	return 0;
}
