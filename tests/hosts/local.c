// SPDX-License-Identifier: BSD-3-Clause
/*
 * A program on the server: each write(2) and each truncate recalls every client of the file.
 * The truncates grow it behind the last block, and cut it there again.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hostio.h"

static void truncate_behind(int fd, const struct options *o, bool grow)
{
	size_t len = (size_t)o->chunks * o->chunk * BLOCK;

	if (ftruncate(fd, (off_t)(grow ? len + 10 * BLOCK : len)))
		err(1, "truncate");
}

static void write_chunk(int fd, struct host *h, uint64_t first, struct entry *entries)
{
	const struct options *o = h->o;
	size_t len = o->chunk * BLOCK;
	uint32_t i;

	ledger_own(&h->journal, first, entries, o->chunk);
	for (i = 0; i < o->chunk; i++) {
		journal_add(&h->journal, 'b', first + i, ++entries[i].begun);
		block_fill(h->mem + i * BLOCK, o->file, o->writer, first + i, entries[i].begun);
	}
	ledger_set(&h->journal, first, entries, o->chunk);
	journal_flush(&h->journal);
	if (pwrite(fd, h->mem, len, (off_t)(first * BLOCK)) != (ssize_t)len || fsync(fd))
		err(1, "write");
	for (i = 0; i < o->chunk; i++) {
		entries[i].committed = entries[i].begun;
		journal_add(&h->journal, 'c', first + i, entries[i].committed);
	}
	journal_flush(&h->journal);
	ledger_set(&h->journal, first, entries, o->chunk);
}

int mode_local(const struct options *o)
{
	struct entry entries[CHUNK_MAX];
	uint32_t n, left, *order = host_chunks(o, &n);
	unsigned int writes = 0;
	struct host h;
	int fd;

	host_open(&h, o, 0);
	h.mem = malloc(o->chunk * BLOCK);
	fd = open(o->path, O_RDWR | O_CLOEXEC);
	if (!h.mem || fd < 0)
		err(1, "%s", o->path);
	journal_add(&h.journal, 's', 0, 0);
	for (left = o->passes * n; left && !host_over(&h); left--) {
		write_chunk(fd, &h, (uint64_t)host_chunk(&h, order, n) * o->chunk, entries);
		truncate_behind(fd, o, writes++ % 2);
	}
	truncate_behind(fd, o, false);
	journal_add(&h.journal, 'e', 0, 0);
	journal_flush(&h.journal);
	close(fd);
	free(h.mem);
	free(order);
	printf("writes=%u\n", writes);
	return 0;
}
