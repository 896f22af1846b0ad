// SPDX-License-Identifier: BSD-3-Clause
/*
 * checkpoint URL FILE RANK RANKS BYTES STEP: one process of a parallel program writes its
 * part of a checkpoint.
 *
 * All ranks write one file at once, each its own BYTES: the ranges are disjoint, so nobody
 * recalls anybody.  When a rank has printed "saved" its part survives what the level says;
 * a real program then has a barrier, and renames the file to where restarts look for it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <iopmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)4 << 20)

/* The state of a rank: here, words that tell where they belong. */
static void fill(uint64_t *words, size_t n, uint64_t offset, uint64_t step)
{
	size_t i;

	for (i = 0; i < n; i++)
		words[i] = step << 48 | (offset + i * sizeof(*words));
}

static int save(struct iopmem_file *file, struct iopmem_buf *buf, uint64_t begin, uint64_t bytes,
		uint64_t step, struct iopmem_err *err)
{
	uint64_t *words = iopmem_buf_addr(buf), done;
	size_t n;

	for (done = 0; done < bytes; done += n) {
		n = bytes - done < PIECE ? (size_t)(bytes - done) : PIECE;
		fill(words, n / sizeof(*words), begin + done, step);
		if (iopmem_pwrite(file, words, n, begin + done, err) < 0)
			return -1;
	}
	/* One flush and one commit for all of it.  What was lost would be told here. */
	return iopmem_sync(file, err);
}

int main(int argc, char **argv)
{
	struct iopmem_err err = { 0 };
	struct iopmem_client *client = NULL;
	struct iopmem_file *file = NULL;
	struct iopmem_buf *buf = NULL;
	uint64_t rank, ranks, bytes, step;
	int level = -1;

	if (argc != 7) {
		fprintf(stderr, "usage: checkpoint URL FILE RANK RANKS BYTES STEP\n");
		return 64;
	}
	rank = strtoull(argv[3], NULL, 10);
	ranks = strtoull(argv[4], NULL, 10);
	bytes = strtoull(argv[5], NULL, 10);
	step = strtoull(argv[6], NULL, 10);
	if (rank >= ranks || bytes % sizeof(uint64_t)) {
		fprintf(stderr, "checkpoint: RANK is below RANKS, and BYTES a multiple of 8\n");
		return 64;
	}
	if (!iopmem_connect(argv[1], NULL, &client, &err) &&
	    !iopmem_open(client, argv[2], O_RDWR | O_CREAT, 0644, &file, &err) &&
	    !iopmem_buf_alloc(client, PIECE, &buf, &err))	/* registered once: no copy */
		level = save(file, buf, rank * bytes, bytes, step, &err);
	if (level > 0)
		printf("rank %" PRIu64 ": saved %" PRIu64 " bytes, level %d\n", rank, bytes, level);
	else
		fprintf(stderr, "checkpoint: rank %" PRIu64 ": %s\n", rank, err.text);
	iopmem_buf_unregister(buf);
	if (file)
		iopmem_close(file, NULL);
	return iopmem_disconnect(client) || level <= 0;
}
