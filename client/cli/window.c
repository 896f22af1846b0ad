// SPDX-License-Identifier: BSD-3-Clause
#include "window.h"

#include <errno.h>
#include <stdlib.h>

int windows_init(struct windows *ws)
{
	int i;

	*ws = (struct windows){ .memory = aligned_alloc(4096, WINDOWS_MEMORY) };
	if (!ws->memory)
		return -ENOMEM;
	for (i = 0; i < WINDOWS; i++)
		ws->w[i].data = ws->memory + (size_t)i * WINDOW_BYTES;
	ws->scratch = ws->memory + (size_t)WINDOWS * WINDOW_BYTES;
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

void windows_reset(struct windows *ws)
{
	ws->filled = ws->emptied = 0;
	ws->stop = false;
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

void windows_stop(struct windows *ws)
{
	pthread_mutex_lock(&ws->lock);
	ws->stop = true;
	pthread_cond_broadcast(&ws->cond);
	pthread_mutex_unlock(&ws->lock);
}
