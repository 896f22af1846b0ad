// SPDX-License-Identifier: BSD-3-Clause
#include "journal.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_in(const char *dir, const char *name, uint32_t writer, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.%" PRIu32, dir, name, writer);
	fd = open(path, flags | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		err(2, "%s", path);
	return fd;
}

void journal_open(struct journal *j, const char *dir, uint32_t writer)
{
	uint32_t i;

	if (writer >= WRITERS)
		errx(64, "writers are 0 to %d", WRITERS - 1);
	j->writer = writer;
	j->used = 0;
	j->log = open_in(dir, "journal", writer, O_WRONLY | O_APPEND);
	for (i = 0; i < WRITERS; i++)
		j->ledger[i] = open_in(dir, "ledger", i, O_RDWR);
}

void journal_flush(struct journal *j)
{
	if (j->used && write(j->log, j->text, j->used) != (ssize_t)j->used)
		err(2, "journal");
	j->used = 0;
}

void journal_add(struct journal *j, char kind, uint64_t block, uint64_t version)
{
	if (j->used > sizeof(j->text) - 64)
		journal_flush(j);
	j->used += (size_t)snprintf(j->text + j->used, sizeof(j->text) - j->used,
				    "%c %" PRIu64 " %" PRIu64 "\n", kind, block, version);
}

static void get(int fd, uint64_t first, struct entry *entries, size_t n)
{
	ssize_t got = pread(fd, entries, n * sizeof(*entries), (off_t)(first * sizeof(*entries)));

	if (got < 0)
		err(2, "ledger");
	memset((char *)entries + got, 0, n * sizeof(*entries) - (size_t)got);
}

void ledger_get(const struct journal *j, uint64_t first, struct entry *entries, size_t n)
{
	struct entry one[CHUNK_MAX];
	size_t i, w;

	memset(entries, 0, n * sizeof(*entries));
	for (w = 0; w < WRITERS; w++) {
		get(j->ledger[w], first, one, n);
		for (i = 0; i < n; i++) {
			if (one[i].committed > entries[i].committed)
				entries[i].committed = one[i].committed;
			if (one[i].begun > entries[i].begun)
				entries[i].begun = one[i].begun;
		}
	}
}

void ledger_own(const struct journal *j, uint64_t first, struct entry *entries, size_t n)
{
	get(j->ledger[j->writer], first, entries, n);
}

void ledger_set(const struct journal *j, uint64_t first, const struct entry *entries, size_t n)
{
	size_t len = n * sizeof(*entries);

	if (pwrite(j->ledger[j->writer], entries, len, (off_t)(first * sizeof(*entries))) != (ssize_t)len)
		err(2, "ledger");
}
