// SPDX-License-Identifier: BSD-3-Clause
/*
 * iopmem_bench write|read URL PATH BYTES SECONDS DEPTH: overwrites (or reads) one leased
 * range again and again and prints MB/s (10^6 bytes).  A benchmark for tests/perf/run.
 * The file is filled and committed first; that is not timed.
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

static int prepare(struct bench *b, const char *url, const char *path, uint32_t depth)
{
	struct iopmem_connect_args args = { .size = sizeof(args), .depth = depth };

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

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	double start, seconds;
	uint64_t moved = 0;
	int writing, rc;

	if (argc != 7) {
		fprintf(stderr, "usage: iopmem_bench write|read URL PATH BYTES SECONDS DEPTH\n");
		return 2;
	}
	writing = !strcmp(argv[1], "write");
	b.bytes = strtoull(argv[4], NULL, 10);
	b.mem = aligned_alloc(4096, b.bytes);
	if (!b.mem)
		return 1;
	memset(b.mem, 0x5a, b.bytes);
	rc = prepare(&b, argv[2], argv[3], (uint32_t)strtoul(argv[6], NULL, 10));
	if (!rc)
		rc = one(&b, writing);		/* warm */
	start = now();
	while (!rc && now() - start < strtod(argv[5], NULL)) {
		rc = one(&b, writing);
		moved += b.bytes;
	}
	seconds = now() - start;
	if (!rc && iopmem_commit(b.lease, &b.err) < 0)
		rc = -1;
	if (rc) {
		fprintf(stderr, "iopmem_bench: %s\n", b.err.text);
		return 1;
	}
	printf("%.1f\n", (double)moved / seconds / 1e6);
	iopmem_return(b.lease, NULL);
	iopmem_buf_unregister(b.buf);
	iopmem_close(b.file, NULL);
	iopmem_disconnect(b.client);
	free(b.mem);
	return 0;
}
