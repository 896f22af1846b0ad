// SPDX-License-Identifier: BSD-3-Clause
#include "fabric/key.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <uthash.h>

#include "base/clock.h"
#include "fabric/fabric.h"
#include "fabric/token.h"

struct key {
	uint32_t value;
	void *owner;		/* NULL: retired */
	uint64_t retired_ms;
	struct key *next;	/* retired after this one */
	UT_hash_handle hh;
};

static struct key *lookup(const struct key_table *table, uint32_t value)
{
	struct key *key;

	HASH_FIND(hh, table->hash, &value, sizeof(value), key);
	return key;
}

static void forget_oldest(struct key_table *table)
{
	struct key *key = table->oldest;

	table->oldest = key->next;
	if (!table->oldest)
		table->newest = NULL;
	HASH_DELETE(hh, table->hash, key);
	free(key);
}

int key_new(struct key_table *table, void *owner, struct key **key)
{
	uint64_t now = clock_ms();
	struct key *k;
	int ret;

	while (table->oldest && now - table->oldest->retired_ms >= FABRIC_KEY_QUARANTINE_MS)
		forget_oldest(table);
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	do {
		ret = random_bytes(&k->value, sizeof(k->value));
		if (ret)
			goto err_free;
	} while (!k->value || lookup(table, k->value));
	k->owner = owner;
	HASH_ADD(hh, table->hash, value, sizeof(k->value), k);
	if (!k->hh.tbl) {	/* no memory for the table */
		ret = -ENOMEM;
		goto err_free;
	}
	*key = k;
	return 0;
err_free:
	free(k);
	return ret;
}

uint32_t key_value(const struct key *key)
{
	return key->value;
}

void *key_find(const struct key_table *table, uint32_t value)
{
	struct key *key = lookup(table, value);

	return key ? key->owner : NULL;
}

void key_retire(struct key_table *table, struct key *key)
{
	key->owner = NULL;
	key->retired_ms = clock_ms();
	if (table->newest)
		table->newest->next = key;
	else
		table->oldest = key;
	table->newest = key;
}

void key_table_fini(struct key_table *table)
{
	while (table->oldest)
		forget_oldest(table);
}
