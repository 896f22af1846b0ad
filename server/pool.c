// SPDX-License-Identifier: BSD-3-Clause
/* Helper pools: threads that may block, so that the loop thread never does. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

struct pool {
	struct loop *loop;
	pthread_mutex_t lock;		/* everything below */
	pthread_cond_t more;
	struct job *head;
	struct job **tail;
	bool stop;
	bool waking;			/* one was called and has not looked yet */
	unsigned int idle;		/* wait for more */
	unsigned int threads;
	pthread_t thread[];
};

/*
 * Unlocks, and calls a thread if there is work for one.  One at a time: who has taken a
 * job calls the next one.  So those that are awake anyway find work first, and a job that
 * blocks holds up nothing.  Called outside of the lock, which it would run into.
 */
static void unlock_and_call(struct pool *pool)
{
	bool call = pool->head && pool->idle && !pool->waking;

	if (call)
		pool->waking = true;
	pthread_mutex_unlock(&pool->lock);
	if (call)
		pthread_cond_signal(&pool->more);
}

static void *worker(void *arg)
{
	struct pool *pool = arg;
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->head && !pool->stop) {
			pool->idle++;
			pthread_cond_wait(&pool->more, &pool->lock);
			pool->idle--;
			pool->waking = false;
		}
		job = pool->head;
		if (!job)
			break;
		pool->head = job->next;
		if (!pool->head)
			pool->tail = &pool->head;
		unlock_and_call(pool);
		job->run(job);
		loop_post(pool->loop, job);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	while (pool->threads)
		pthread_join(pool->thread[--pool->threads], NULL);
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

struct pool *pool_new(struct loop *loop, const char *name, unsigned int threads)
{
	struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->thread[0]));
	char thread_name[16];

	if (!pool)
		return NULL;
	pool->loop = loop;
	pool->tail = &pool->head;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	for (; pool->threads < threads; pool->threads++) {
		if (pthread_create(&pool->thread[pool->threads], NULL, worker, pool)) {
			pool_free(pool);
			return NULL;
		}
		snprintf(thread_name, sizeof(thread_name), "%.10s-%u", name, pool->threads);
		pthread_setname_np(pool->thread[pool->threads], thread_name);
	}
	return pool;
}

void pool_submit(struct pool *pool, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&pool->lock);
	*pool->tail = job;
	pool->tail = &job->next;
	unlock_and_call(pool);
}
