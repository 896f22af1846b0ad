// SPDX-License-Identifier: BSD-3-Clause
/* Reads what moves from writer to writer, with and without a lease of its own. */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostio.h"

static void check(const struct host *h, uint64_t first, const struct entry *known, uint64_t *seen)
{
	const struct options *o = h->o;
	struct block_id id = { 0 };
	enum block_state state;
	uint64_t b;
	uint32_t i;

	for (i = 0; i < o->chunk; i++) {
		b = first + i;
		state = block_look(h->mem + i * BLOCK, o->file, b, &id);
		if (state == BLOCK_EMPTY && !known[i].committed && !seen[b])
			continue;
		if (state != BLOCK_WHOLE)
			errx(1, "read block %" PRIu64 ": %s", b, block_state_text(state));
		if (id.version < known[i].committed || id.version < seen[b])
			errx(1, "read block %" PRIu64 ": version %" PRIu64 ", but %" PRIu64
			     " was committed and %" PRIu64 " seen", b, id.version, known[i].committed, seen[b]);
		seen[b] = id.version;
	}
}

static ssize_t under_lease(struct host *h, size_t len, uint64_t offset, struct iopmem_err *error)
{
	struct iopmem_lease *lease;
	ssize_t ret = iopmem_lease(h->file, offset, len, IOPMEM_LEASE_READ, 10000, &lease, error);

	if (ret)
		return ret;
	ret = iopmem_read(lease, h->buf, h->mem, len, offset, error);
	iopmem_return(lease, NULL);
	return ret;
}

int mode_read(const struct options *o)
{
	struct entry known[CHUNK_MAX];
	uint32_t n, *order = host_chunks(o, &n);
	size_t len = o->chunk * BLOCK;
	unsigned int reads = 0;
	struct iopmem_err error;
	struct host h;
	uint64_t first, *seen = calloc((size_t)o->chunks * o->chunk, sizeof(*seen));
	ssize_t ret;

	if (!seen)
		err(1, "seen");
	host_open(&h, o, O_RDONLY);
	while (reads < o->passes * n && !host_over(&h)) {
		first = (uint64_t)host_chunk(&h, order, n) * o->chunk;
		ledger_get(&h.journal, first, known, o->chunk);
		error = (struct iopmem_err){ 0 };
		if (reads % 2)
			ret = under_lease(&h, len, first * BLOCK, &error);
		else
			ret = iopmem_pread(h.file, h.mem, len, first * BLOCK, &error);
		if (ret < 0) {
			host_retry(&h, ret, &error, "read");
			continue;
		}
		/* The file may not be so long yet: right, as long as nothing behind its end was committed. */
		memset(h.mem + ret, 0, len - (size_t)ret);
		check(&h, first, known, seen);
		reads++;
	}
	host_close(&h);
	free(seen);
	free(order);
	printf("reads=%u\n", reads);
	return 0;
}
