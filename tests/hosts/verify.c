// SPDX-License-Identifier: BSD-3-Clause
/* A file against the journals of all who wrote it. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostio.h"

enum { BEGUN = 1, PLACED = 2, COMMITTED = 4, LOST = 8, FAILED = 16, LEASED = 32, ENDED = 64 };

/* What one writer's run did with one version of a block. */
struct event {
	uint64_t block;
	uint64_t version;
	uint32_t writer;
	uint32_t run;
	unsigned int flags;
	uint64_t seen;		/* LEASED: before this version, the lease's first, was written */
};

struct verify {
	const struct options *o;
	struct event *events;
	size_t n, room;
	int fd;
	uint64_t size;
	unsigned int defects, committed, open, lost, torn;
};

static void __attribute__((format(printf, 3, 4))) defect(struct verify *v, uint64_t block, const char *text, ...)
{
	va_list args;

	if (++v->defects > 10)
		return;
	fprintf(stderr, "%s, block %" PRIu64 ": ", v->o->path, block);
	va_start(args, text);
	vfprintf(stderr, text, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- the journals ---- */

static void add(struct verify *v, const struct event *e)
{
	if (v->n == v->room) {
		v->room = v->room ? 2 * v->room : 4096;
		v->events = reallocarray(v->events, v->room, sizeof(*v->events));
		if (!v->events)
			err(1, "events");
	}
	v->events[v->n++] = *e;
}

static void load(struct verify *v, uint32_t writer)
{
	static const char kinds[] = "baclfv";
	struct event e = { .writer = writer };
	size_t run = v->n, i;
	char path[4096], kind;
	FILE *in;

	snprintf(path, sizeof(path), "%s/journal.%" PRIu32, v->o->dir, writer);
	in = fopen(path, "r");
	if (!in && errno == ENOENT)
		return;
	if (!in)
		err(2, "%s", path);
	while (fscanf(in, "%c %" SCNu64 " %" SCNu64 "\n", &kind, &e.block, &e.version) == 3) {
		if (kind == 's') {
			e.run++;
			run = v->n;
		} else if (kind == 'e') {
			for (i = run; i < v->n; i++)
				v->events[i].flags |= ENDED;
		} else if (kind == 'r') {
			e.seen = e.version;
		} else if (strchr(kinds, kind)) {
			e.flags = 1U << (strchr(kinds, kind) - kinds);
			add(v, &e);
		} else {
			errx(2, "%s: '%c'", path, kind);
		}
	}
	if (!feof(in))
		errx(2, "%s: not a journal", path);
	fclose(in);
}

static int compare(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	return x->writer < y->writer ? -1 : x->writer > y->writer;
}

/* One event for each version of each writer, ascending. */
static void merge(struct verify *v)
{
	size_t i, n = 0;

	qsort(v->events, v->n, sizeof(*v->events), compare);
	for (i = 0; i < v->n; i++) {
		if (!n || compare(&v->events[n - 1], &v->events[i])) {
			v->events[n++] = v->events[i];
			continue;
		}
		if (v->events[i].flags & LEASED)
			v->events[n - 1].seen = v->events[i].seen;
		v->events[n - 1].flags |= v->events[i].flags;
	}
	v->n = n;
}

/* ---- one block: @e[0..n) are its events ---- */

/* Who has got the lease sees what was committed before, also what the former holder has heard of only afterwards. */
static void check_seen(struct verify *v, const struct event *e, size_t n)
{
	const struct event *last = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if ((e[i].flags & LEASED) && last && e[i].seen < last->version)
			defect(v, e[i].block, "version %" PRIu64 " of writer %u was committed, but writer %u found %" PRIu64,
			       last->version, last->writer, e[i].writer, e[i].seen);
		if (e[i].flags & COMMITTED)
			last = &e[i];
	}
}

/* What was said of it, by itself.  Returns the last committed one. */
static const struct event *last_committed(struct verify *v, const struct event *e, size_t n)
{
	const struct event *last = NULL;
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = i + 1; k < n && (e[k].writer != e[i].writer || e[k].run != e[i].run); k++)
			;
		/* The library has the last word on each write, unless a later one took its place. */
		if ((e[i].flags & BEGUN) && !(e[i].flags & (COMMITTED | LOST | FAILED)) && k == n) {
			v->open++;
			if (e[i].flags & ENDED)
				defect(v, e[i].block, "what became of version %" PRIu64 " of writer %u?",
				       e[i].version, e[i].writer);
		}
		v->lost += !!(e[i].flags & LOST);
		if ((e[i].flags & COMMITTED) && (e[i].flags & (LOST | FAILED)))
			defect(v, e[i].block, "version %" PRIu64 " of writer %u: committed and lost",
			       e[i].version, e[i].writer);
		if (!(e[i].flags & COMMITTED))
			continue;
		v->committed++;
		if (last && last->version == e[i].version)
			defect(v, e[i].block, "writers %u and %u have both committed version %" PRIu64,
			       last->writer, e[i].writer, e[i].version);
		last = &e[i];
	}
	return last;
}

/* Is each byte one of the last committed version, or of a write that was begun and not committed after it? */
static bool is_mixture(const struct verify *v, const uint8_t *mem, const struct event *e, size_t n,
		       const struct event *last)
{
	static uint8_t one[BLOCK];
	bool is[BLOCK];
	size_t i, at, later = 0;

	memset(one, 0, BLOCK);
	if (last)
		block_fill(one, v->o->file, last->writer, last->block, last->version);
	for (at = 0; at < BLOCK; at++)
		is[at] = mem[at] == one[at];
	for (i = last ? (size_t)(last - e) + 1 : 0; i < n; i++, later++) {
		block_fill(one, v->o->file, e[i].writer, e[i].block, e[i].version);
		for (at = 0; at < BLOCK; at++)
			is[at] |= mem[at] == one[at];
	}
	return later && !memchr(is, false, sizeof(is));
}

static void check(struct verify *v, uint64_t number, const struct event *e, size_t n)
{
	const struct event *last = last_committed(v, e, n);
	uint8_t mem[BLOCK] = { 0 };
	struct block_id id;
	enum block_state state;
	size_t i;

	check_seen(v, e, n);
	if (number * BLOCK < v->size && pread(v->fd, mem, BLOCK, (off_t)(number * BLOCK)) < 0)
		err(2, "%s", v->o->path);
	state = block_look(mem, v->o->file, number, &id);
	if (state == BLOCK_EMPTY && !last)
		return;
	if (state == BLOCK_WHOLE) {
		for (i = last ? (size_t)(last - e) : 0; i < n; i++)
			if (e[i].version == id.version && e[i].writer == id.writer)
				return;
		defect(v, number, "is version %" PRIu64 " of writer %u; committed is %" PRIu64 " of writer %d",
		       id.version, id.writer, last ? last->version : 0, last ? (int)last->writer : -1);
	} else if (is_mixture(v, mem, e, n, last)) {
		v->torn++;
	} else {
		defect(v, number, "%s; committed is version %" PRIu64 " of writer %d", block_state_text(state),
		       last ? last->version : 0, last ? (int)last->writer : -1);
	}
}

static void check_all(struct verify *v)
{
	uint64_t number, blocks = (v->size + BLOCK - 1) / BLOCK, top = 0;
	size_t i = 0, k;

	if (v->n)
		top = v->events[v->n - 1].block + 1;
	for (number = 0; number < top || number < blocks; number++, i = k) {
		for (k = i; k < v->n && v->events[k].block == number; k++)
			;
		check(v, number, &v->events[i], k - i);
	}
	if (blocks > top)
		defect(v, blocks - 1, "the file has %" PRIu64 " bytes, nobody has written so far", v->size);
}

int mode_verify(const struct options *o)
{
	struct verify v = { .o = o };
	struct stat st;
	uint32_t writer;

	v.fd = open(o->path, O_RDONLY | O_CLOEXEC);
	if (v.fd < 0 || fstat(v.fd, &st))
		err(2, "%s", o->path);
	v.size = (uint64_t)st.st_size;
	for (writer = 0; writer < WRITERS; writer++)
		load(&v, writer);
	merge(&v);
	check_all(&v);
	close(v.fd);
	free(v.events);
	printf("verify %s: bytes=%" PRIu64 " committed=%u open=%u lost=%u torn=%u defects=%u\n", o->path, v.size,
	       v.committed, v.open, v.lost, v.torn, v.defects);
	if (!v.committed)
		errx(1, "%s: nothing was committed, so nothing is proved", o->path);
	return v.defects != 0;
}
