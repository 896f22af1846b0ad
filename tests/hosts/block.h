/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A block that says what it is: file, number, who wrote it, as which version.  The rest is
 * made of these, so that one byte of anything else in it shows.
 */
#ifndef HOSTS_BLOCK_H
#define HOSTS_BLOCK_H

#include <stdint.h>

#define BLOCK ((size_t)4096)

struct block_id {
	uint64_t magic;
	uint32_t file;
	uint32_t writer;
	uint64_t number;
	uint64_t version;	/* of a block: grows, whoever writes it */
};

enum block_state {
	BLOCK_WHOLE,
	BLOCK_EMPTY,		/* zeroes */
	BLOCK_FOREIGN,		/* whole, but of another file or place */
	BLOCK_TORN,		/* anything else */
};

void block_fill(void *at, uint32_t file, uint32_t writer, uint64_t number, uint64_t version);
/* @id: what it says it is, when it is whole or foreign. */
enum block_state block_look(const void *at, uint32_t file, uint64_t number, struct block_id *id);
const char *block_state_text(enum block_state state);

#endif
