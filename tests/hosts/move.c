// SPDX-License-Identifier: BSD-3-Clause
/* Chunks that all hosts write in turn: a lease, what is there, the next version, a commit. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hostio.h"

#define STEP 1000		/* versions of one lease */

struct move {
	struct host h;
	uint64_t first;		/* of the chunk */
	struct iopmem_lease *lease;
	struct entry all[CHUNK_MAX], own[CHUNK_MAX];
	uint64_t seen[CHUNK_MAX];	/* versions found */
	uint64_t version;	/* the next */
	uint64_t placed;	/* 0 none */
	unsigned int writes, lost, torn, leases;
	unsigned int misses;	/* leases in turn under which nothing was written */
};

/* What the last holder committed is there, whole. */
static void check(struct move *m)
{
	const struct options *o = m->h.o;
	struct block_id id = { 0 };
	enum block_state state;
	uint32_t i;

	for (i = 0; i < o->chunk; i++) {
		uint64_t b = m->first + i, known = m->all[i].committed;

		m->seen[i] = known;
		state = block_look(m->h.mem + i * BLOCK, o->file, b, &id);
		if (state == BLOCK_WHOLE && id.version >= known && id.version <= m->all[i].begun) {
			m->seen[i] = id.version;
			continue;
		}
		if (state == BLOCK_EMPTY && !known)
			continue;
		/* One that ended in the middle of a write leaves what it leaves. */
		if (state == BLOCK_TORN && m->all[i].begun > known) {
			m->torn++;
			continue;
		}
		errx(1, "block %" PRIu64 " is %s (version %" PRIu64 " of writer %u): committed is %" PRIu64
		     ", begun %" PRIu64, b, block_state_text(state), id.version, id.writer, known,
		     m->all[i].begun);
	}
}

static int begin(struct move *m)
{
	const struct options *o = m->h.o;
	size_t len = o->chunk * BLOCK;
	struct iopmem_err error = { 0 };
	uint64_t top = 0;
	ssize_t ret;
	uint32_t i;

	ret = iopmem_lease(m->h.file, m->first * BLOCK, len, IOPMEM_LEASE_RW, 10000, &m->lease, &error);
	if (ret) {
		host_retry(&m->h, ret, &error, "lease");
		return -1;
	}
	m->leases++;
	ledger_get(&m->h.journal, m->first, m->all, o->chunk);
	ledger_own(&m->h.journal, m->first, m->own, o->chunk);
	ret = iopmem_read(m->lease, m->h.buf, m->h.mem, len, m->first * BLOCK, &error);
	if (ret < 0) {
		host_retry(&m->h, ret, &error, "read");
		return -1;
	}
	check(m);
	for (i = 0; i < o->chunk; i++)
		top = m->all[i].begun > top ? m->all[i].begun : top;
	/* Above whatever anybody has begun: bytes of theirs that still came would show. */
	m->version = (top / STEP + 1) * STEP;
	for (i = 0; i < o->chunk; i++) {
		journal_add(&m->h.journal, 'r', m->first + i, m->seen[i]);
		journal_add(&m->h.journal, 'v', m->first + i, m->version);
	}
	return 0;
}

static int write_next(struct move *m)
{
	const struct options *o = m->h.o;
	struct journal *j = &m->h.journal;
	struct iopmem_err error = { 0 };
	uint64_t v = m->version++;
	ssize_t ret;
	uint32_t i;

	for (i = 0; i < o->chunk; i++) {
		block_fill(m->h.mem + i * BLOCK, o->file, o->writer, m->first + i, v);
		journal_add(j, 'b', m->first + i, v);
		m->own[i].begun = v;
	}
	ledger_set(j, m->first, m->own, o->chunk);
	journal_flush(j);
	m->writes++;
	ret = iopmem_write(m->lease, m->h.buf, m->h.mem, o->chunk * BLOCK, m->first * BLOCK, &error);
	for (i = 0; i < o->chunk; i++)
		journal_add(j, ret < 0 ? 'f' : 'a', m->first + i, v);
	journal_flush(j);
	if (ret < 0) {
		host_retry(&m->h, ret, &error, "write");
		return -1;
	}
	m->placed = v;
	m->misses = 0;
	return 0;
}

/*
 * Hosts that are slower than their recalls take a chunk from each other for ever, before anybody has
 * written: an explicit lease has no I/O through the server to fall back to.  As on an Ethernet,
 * each waits the longer the more often it was in vain.
 */
static void back_off(struct move *m)
{
	unsigned int most_ms = 50U << (m->misses < 4 ? m->misses : 4);	/* 800 */
	struct timespec pause;

	m->misses++;
	pause = (struct timespec){ 0, (long)(host_random(&m->h) % most_ms) * 1000000 };
	nanosleep(&pause, NULL);
}

/* Assumes: the commit has said that all of the lease is over. */
static bool is_lost(struct move *m, uint64_t block)
{
	struct iopmem_range lost[CHUNK_MAX + 1];
	size_t i, n = iopmem_lease_lost(m->lease, lost, CHUNK_MAX + 1);

	for (i = 0; i < n && i <= CHUNK_MAX; i++)
		if (lost[i].offset < (block + 1) * BLOCK && lost[i].offset + lost[i].length > block * BLOCK)
			return true;
	return false;
}

static void settle(struct move *m)
{
	const struct options *o = m->h.o;
	struct iopmem_err error;
	uint32_t i;
	int ret;

	for (;;) {
		error = (struct iopmem_err){ 0 };
		ret = iopmem_commit(m->lease, &error);
		if (ret > 0 || ret == -ESTALE)
			break;
		host_retry(&m->h, ret, &error, "commit");
	}
	for (i = 0; i < o->chunk; i++) {
		bool lost = ret < 0 && is_lost(m, m->first + i);

		journal_add(&m->h.journal, lost ? 'l' : 'c', m->first + i, m->placed);
		m->lost += lost;
		if (!lost)
			m->own[i].committed = m->placed;
	}
	journal_flush(&m->h.journal);
	ledger_set(&m->h.journal, m->first, m->own, o->chunk);
}

static bool move(struct move *m, uint32_t chunk)
{
	bool done;
	uint32_t i;

	m->first = (uint64_t)chunk * m->h.o->chunk;
	m->lease = NULL;
	m->placed = 0;
	done = !begin(m);
	for (i = 0; done && i < m->h.o->hold; i++)
		done = !write_next(m);
	if (m->placed)
		settle(m);
	if (m->lease)
		iopmem_return(m->lease, NULL);
	if (!done)
		back_off(m);
	return done;
}

int mode_move(const struct options *o)
{
	static struct move m;
	uint32_t n, left, chunk;
	uint32_t *order = host_chunks(o, &n);

	host_open(&m.h, o, O_RDWR | O_CREAT);
	journal_add(&m.h.journal, 's', 0, 0);
	for (left = o->passes * n; left && !host_over(&m.h); left--) {
		chunk = host_chunk(&m.h, order, n);
		while (!move(&m, chunk) && !host_over(&m.h))
			;
	}
	journal_add(&m.h.journal, 'e', 0, 0);
	journal_flush(&m.h.journal);
	host_close(&m.h);
	free(order);
	printf("leases=%u writes=%u lost=%u torn=%u\n", m.leases, m.writes, m.lost, m.torn);
	return 0;
}
