/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must survive the server: files that were grown for a grant, with the size
 * that is committed; clients, and what became of them.  sqlite in the state directory; every change is durable when
 * the call returns.  Safe from any thread; every call can block.
 */
#ifndef IOPMEM_STORE_H
#define IOPMEM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define STORE_KEY_MAX	160
#define STORE_OWNER_MAX	256

struct store;

/* One file whose size on disk may be larger than what is committed. */
struct store_growing {
	unsigned char key[STORE_KEY_MAX];	/* identity, made by the backing */
	size_t key_len;
	uint64_t dev, ino, fsid;		/* to tell another file system */
	char *path;				/* last known, for messages and fallback */
	uint64_t committed;
	uint64_t grown;				/* largest size it was grown to */
};

/* A client of this server process or an earlier one that may have left something. */
enum store_client_state {
	STORE_CLIENT_ACTIVE = 0,
	STORE_CLIENT_REVOKED = 1,	/* fenced from a layout */
	STORE_CLIENT_ENDED = 2,		/* ended with layouts out */
};

struct store_client {
	uint8_t owner[STORE_OWNER_MAX];
	size_t owner_len;
	uint32_t uid;
	uint8_t verifier[8], instance[16];
	enum store_client_state state;
	int64_t seen;				/* number of the last change: later is larger */
	bool gone;				/* store_clients_write(): delete it */
};

/* Creates the data base when there is none.  @state_dir must exist. */
int store_open(const char *state_dir, struct store **st, struct iopmem_err *err);
void store_close(struct store *st);

/* Inserts or replaces the row (export, key). */
int store_growing_put(struct store *st, const char *export, const struct store_growing *row,
		      struct iopmem_err *err);
/* No row: 0. */
int store_growing_del(struct store *st, const char *export, const unsigned char *key,
		      size_t key_len, struct iopmem_err *err);
/* All rows of @export; the caller frees with store_growing_free(). */
int store_growing_list(struct store *st, const char *export, struct store_growing **rows,
		       size_t *n, struct iopmem_err *err);
void store_growing_free(struct store_growing *rows, size_t n);

/* All @n rows in one transaction: (owner, uid) is inserted, replaced or deleted. */
int store_clients_write(struct store *st, const struct store_client *rows, size_t n,
			struct iopmem_err *err);
/* Forgets all but the @max seen last, returns those, the oldest first; free() them. */
int store_clients_list(struct store *st, size_t max, struct store_client **rows, size_t *n,
		       struct iopmem_err *err);

#endif
