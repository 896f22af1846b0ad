/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registered memory for I/O on memory that is not: pieces of POOL_PIECE, made when
 * the first one is needed.
 */
#ifndef CLIENT_POOL_H
#define CLIENT_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define POOL_PIECE (256U << 10)
#define POOL_PIECES 16

struct iopmem_client;
struct iopmem_buf;

struct pool {
	pthread_mutex_t lock;		/* all below; leaf, but for the making */
	pthread_cond_t cond;
	struct iopmem_buf *buf;		/* NULL: not made yet */
	uint32_t taken;			/* a bit for each piece */
};

void pool_init(struct pool *pool);
void pool_fini(struct pool *pool);
/* A piece, waiting for one; NULL with @err filled: there is no memory. */
void *pool_get(struct iopmem_client *client, struct iopmem_err *err);
void pool_put(struct iopmem_client *client, void *piece);

#endif
