// SPDX-License-Identifier: BSD-3-Clause
#include "pool.h"

#include "client.h"

void pool_init(struct pool *pool)
{
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->cond, NULL);
}

void pool_fini(struct pool *pool)
{
	iopmem_buf_unregister(pool->buf);
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->cond);
}

void *pool_get(struct iopmem_client *client, struct iopmem_err *err)
{
	struct pool *pool = &client->pool;
	void *piece = NULL;
	unsigned int i;

	pthread_mutex_lock(&pool->lock);
	if (!pool->buf &&
	    iopmem_buf_alloc(client, (size_t)POOL_PIECES * POOL_PIECE, &pool->buf, err))
		goto out;
	while (pool->taken == (1U << POOL_PIECES) - 1)
		pthread_cond_wait(&pool->cond, &pool->lock);
	for (i = 0; pool->taken & (1U << i); i++)
		;
	pool->taken |= 1U << i;
	piece = (uint8_t *)pool->buf->addr + (size_t)i * POOL_PIECE;
out:
	pthread_mutex_unlock(&pool->lock);
	return piece;
}

void pool_put(struct iopmem_client *client, void *piece)
{
	struct pool *pool = &client->pool;
	size_t i = (size_t)((uint8_t *)piece - (uint8_t *)pool->buf->addr) / POOL_PIECE;

	pthread_mutex_lock(&pool->lock);
	pool->taken &= ~(1U << i);
	pthread_cond_signal(&pool->cond);
	pthread_mutex_unlock(&pool->lock);
}
