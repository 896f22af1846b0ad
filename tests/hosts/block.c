// SPDX-License-Identifier: BSD-3-Clause
#include "block.h"

#include <string.h>

#define MAGIC 0x696f706d656d426bULL
#define WORDS (BLOCK / sizeof(uint64_t))
#define HEAD (sizeof(struct block_id) / sizeof(uint64_t))

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void fill(uint64_t *words, const struct block_id *id)
{
	uint64_t seed = mix(id->version ^ mix(id->number ^ mix((uint64_t)id->file << 32 | id->writer)));
	size_t i;

	memcpy(words, id, sizeof(*id));
	for (i = HEAD; i < WORDS; i++)
		words[i] = mix(seed + i);
}

void block_fill(void *at, uint32_t file, uint32_t writer, uint64_t number, uint64_t version)
{
	const struct block_id id = { MAGIC, file, writer, number, version };
	uint64_t words[WORDS];

	fill(words, &id);
	memcpy(at, words, BLOCK);
}

enum block_state block_look(const void *at, uint32_t file, uint64_t number, struct block_id *id)
{
	static const uint64_t zero[WORDS];
	uint64_t words[WORDS];

	if (!memcmp(at, zero, BLOCK))
		return BLOCK_EMPTY;
	memcpy(id, at, sizeof(*id));
	fill(words, id);
	if (id->magic != MAGIC || memcmp(at, words, BLOCK))
		return BLOCK_TORN;
	return id->file == file && id->number == number ? BLOCK_WHOLE : BLOCK_FOREIGN;
}

const char *block_state_text(enum block_state state)
{
	static const char *const text[] = { "whole", "zeroes", "of another place", "torn" };

	return text[state];
}
