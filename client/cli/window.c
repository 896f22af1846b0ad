// SPDX-License-Identifier: BSD-3-Clause
#include "window.h"

#include <errno.h>
#include <stdlib.h>

int windows_init(struct windows *ws)
{
	int i;

	*ws = (struct windows){ .memory = aligned_alloc(4096, (size_t)WINDOWS * WINDOW_BYTES) };
	if (!ws->memory)
		return -ENOMEM;
	for (i = 0; i < WINDOWS; i++)
		ws->w[i].data = ws->memory + (size_t)i * WINDOW_BYTES;
	pthread_mutex_init(&ws->lock, NULL);
	pthread_cond_init(&ws->cond, NULL);
	return 0;
}

void windows_fini(struct windows *ws)
{
	free(ws->memory);
	pthread_mutex_destroy(&ws->lock);
	pthread_cond_destroy(&ws->cond);
}

struct window *window_to_fill(struct windows *ws)
{
	struct window *w;

	pthread_mutex_lock(&ws->lock);
	while (!ws->stop && ws->filled - ws->emptied == WINDOWS)
		pthread_cond_wait(&ws->cond, &ws->lock);
	w = ws->stop ? NULL : &ws->w[ws->filled % WINDOWS];
	pthread_mutex_unlock(&ws->lock);
	return w;
}

struct window *window_to_empty(struct windows *ws)
{
	struct window *w;

	pthread_mutex_lock(&ws->lock);
	while (!ws->stop && ws->filled == ws->emptied)
		pthread_cond_wait(&ws->cond, &ws->lock);
	w = ws->stop ? NULL : &ws->w[ws->emptied % WINDOWS];
	pthread_mutex_unlock(&ws->lock);
	return w;
}

static void count(struct windows *ws, uint64_t *counter)
{
	pthread_mutex_lock(&ws->lock);
	++*counter;
	pthread_cond_broadcast(&ws->cond);
	pthread_mutex_unlock(&ws->lock);
}

void window_filled(struct windows *ws)
{
	count(ws, &ws->filled);
}

void window_emptied(struct windows *ws)
{
	count(ws, &ws->emptied);
}

void windows_stop(struct windows *ws, int error)
{
	pthread_mutex_lock(&ws->lock);
	ws->stop = true;
	if (!ws->error)
		ws->error = error;
	pthread_cond_broadcast(&ws->cond);
	pthread_mutex_unlock(&ws->lock);
}
