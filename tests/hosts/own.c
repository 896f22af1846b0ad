// SPDX-License-Identifier: BSD-3-Clause
/* Blocks that nobody else writes, with the calls that lease for themselves. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hostio.h"

#define LOST_MAX 128

struct own {
	struct host h;
	uint32_t *order, n;
	struct entry *entries;	/* of each block of the file */
	uint64_t *placed;	/* highest version placed and not settled, 0 none */
	bool *tried;		/* written since the last sync, with whatever success */
	bool *again;		/* chunks */
	unsigned int writes, lost;
};

static void setup(struct own *w, const struct options *o)
{
	size_t blocks = (size_t)o->chunks * o->chunk;
	uint32_t i;

	host_open(&w->h, o, O_RDWR | O_CREAT);
	w->order = host_chunks(o, &w->n);
	w->entries = calloc(blocks, sizeof(*w->entries));
	w->placed = calloc(blocks, sizeof(*w->placed));
	w->tried = calloc(blocks, sizeof(*w->tried));
	w->again = calloc(o->chunks, sizeof(*w->again));
	if (!w->entries || !w->placed || !w->tried || !w->again)
		err(1, "setup");
	for (i = 0; i < o->chunks; i++)
		ledger_get(&w->h.journal, (uint64_t)i * o->chunk, &w->entries[i * o->chunk], o->chunk);
	journal_add(&w->h.journal, 's', 0, 0);
}

static void write_chunk(struct own *w, uint32_t chunk)
{
	const struct options *o = w->h.o;
	struct journal *j = &w->h.journal;
	uint64_t first = (uint64_t)chunk * o->chunk, b;
	struct iopmem_err error = { 0 };
	ssize_t ret;

	for (b = first; b < first + o->chunk; b++) {
		journal_add(j, 'b', b, ++w->entries[b].begun);
		block_fill(w->h.mem + (b - first) * BLOCK, o->file, o->writer, b, w->entries[b].begun);
		w->tried[b] = true;
	}
	ledger_set(j, first, &w->entries[first], o->chunk);
	journal_flush(j);
	w->again[chunk] = false;
	w->writes++;
	ret = iopmem_pwrite(w->h.file, w->h.mem, o->chunk * BLOCK, first * BLOCK, &error);
	for (b = first; b < first + o->chunk; b++) {
		journal_add(j, ret < 0 ? 'f' : 'a', b, w->entries[b].begun);
		/* Of what was there before a write that failed nothing is known either. */
		w->placed[b] = ret < 0 ? 0 : w->entries[b].begun;
	}
	journal_flush(j);
	if (ret >= 0)
		return;
	w->again[chunk] = true;
	host_retry(&w->h, ret, &error, "write");
}

/* What is reported lost was written since the last sync, in whole blocks, and no more. */
static void take_lost(struct own *w, const struct iopmem_range *r)
{
	const struct options *o = w->h.o;
	uint64_t b, end = (r->offset + r->length) / BLOCK;

	printf("lost [%" PRIu64 ", %" PRIu64 ")\n", r->offset, r->offset + r->length);
	if (r->offset % BLOCK || r->length % BLOCK || end > (uint64_t)o->chunks * o->chunk)
		errx(1, "reported lost, never written: [%" PRIu64 ", %" PRIu64 ")", r->offset,
		     r->offset + r->length);
	for (b = r->offset / BLOCK; b < end; b++) {
		if (!w->tried[b])
			errx(1, "block %" PRIu64 " is reported lost, but was committed", b);
		if (w->placed[b])
			journal_add(&w->h.journal, 'l', b, w->placed[b]);
		w->placed[b] = 0;
		w->again[b / o->chunk] = true;
		w->lost++;
	}
}

static void take_rest(struct own *w)
{
	const struct options *o = w->h.o;
	uint64_t b, first, end = (uint64_t)o->chunks * o->chunk;

	for (b = 0; b < end; b++) {
		w->tried[b] = false;
		if (!w->placed[b])
			continue;
		journal_add(&w->h.journal, 'c', b, w->placed[b]);
		w->entries[b].committed = w->placed[b];
		w->placed[b] = 0;
		first = b - b % o->chunk;
		if (b + 1 == first + o->chunk || !w->placed[b + 1])
			ledger_set(&w->h.journal, first, &w->entries[first], o->chunk);
	}
	journal_flush(&w->h.journal);
}

/* Everything that was written is committed, or reported lost. */
static void settle(struct own *w)
{
	struct iopmem_range lost[LOST_MAX];
	struct iopmem_err error;
	size_t i, n;
	int ret;

	for (;;) {
		error = (struct iopmem_err){ 0 };
		ret = iopmem_sync(w->h.file, &error);
		if (ret > 0 || ret == -ESTALE)
			break;
		host_retry(&w->h, ret, &error, "sync");
	}
	n = iopmem_file_lost(w->h.file, lost, LOST_MAX);
	if (n > LOST_MAX || (ret == -ESTALE && !n))
		errx(1, "sync: %s, and %zu ranges are lost", error.text, n);
	for (i = 0; i < n; i++)
		take_lost(w, &lost[i]);
	take_rest(w);
}

int mode_own(const struct options *o)
{
	static struct own w;
	uint32_t i, left, todo;

	setup(&w, o);
	left = o->passes * w.n;
	for (i = 0; left && !host_over(&w.h); left--) {
		write_chunk(&w, host_chunk(&w.h, w.order, w.n));
		if (++i % o->hold == 0)
			settle(&w);
	}
	do {
		settle(&w);
		for (i = todo = 0; i < o->chunks; i++) {
			if (!w.again[i])
				continue;
			write_chunk(&w, i);
			todo++;
		}
		host_over(&w.h);
	} while (todo);
	journal_add(&w.h.journal, 'e', 0, 0);
	journal_flush(&w.h.journal);
	host_close(&w.h);
	printf("writes=%u lost=%u\n", w.writes, w.lost);
	return 0;
}
