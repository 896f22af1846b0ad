/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of a server that chooses them: 32 random bits, unique among the living
 * and among those retired less than FABRIC_KEY_QUARANTINE_MS ago, so that a late
 * access with an old key never meets new memory.  The owner locks.
 */
#ifndef IOPMEM_FABRIC_KEY_H
#define IOPMEM_FABRIC_KEY_H

#include <stdint.h>

struct key;

struct key_table {
	struct key *hash;
	struct key *oldest, *newest;	/* retired, in order of time */
};

/* A new key for @owner (not NULL); -ENOMEM, or what getrandom(2) says. */
int key_new(struct key_table *table, void *owner, struct key **key);
uint32_t key_value(const struct key *key);
/* The owner, or NULL: unknown or retired. */
void *key_find(const struct key_table *table, uint32_t value);
/* From now on unknown.  @key is gone for the caller.  Cannot fail. */
void key_retire(struct key_table *table, struct key *key);
/* Assumes: none is alive. */
void key_table_fini(struct key_table *table);

#endif
