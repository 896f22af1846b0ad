/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What writers did, kept outside of them: a folder that all hosts see.
 *
 * journal.W: one line "KIND BLOCK VERSION" for each thing writer W did, in order:
 *   s  a run starts          b  about to write         a  placed: the write has returned
 *   c  committed             l  reported lost          f  the write failed
 *   e  the run has ended in good order
 *   r  read under a lease     v  ... which writes versions from this one on: above all begun by then
 * ledger.W: for each block the highest version that W has committed, and has begun.
 */
#ifndef HOSTS_JOURNAL_H
#define HOSTS_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#define WRITERS 8
#define CHUNK_MAX 64	/* blocks */

struct entry {
	uint64_t committed;
	uint64_t begun;
};

struct journal {
	int log;
	int ledger[WRITERS];
	uint32_t writer;
	size_t used;
	char text[8192];
};

/* All of these end the program when the folder fails them: without it nothing is proved. */
void journal_open(struct journal *j, const char *dir, uint32_t writer);
void journal_add(struct journal *j, char kind, uint64_t block, uint64_t version);
/* What was added is outside when this returns. */
void journal_flush(struct journal *j);
/* Of all writers: the highest. */
void ledger_get(const struct journal *j, uint64_t first, struct entry *entries, size_t n);
/* Of this writer. */
void ledger_own(const struct journal *j, uint64_t first, struct entry *entries, size_t n);
void ledger_set(const struct journal *j, uint64_t first, const struct entry *entries, size_t n);

#endif
