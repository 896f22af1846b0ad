/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two windows between a thread that fills them from a source and one that empties
 * them into a sink.  A window is what is committed at once, so that what is lost can be
 * written again from memory, standard input included.
 */
#ifndef CLIENT_CLI_WINDOW_H
#define CLIENT_CLI_WINDOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_BYTES (32U << 20)
#define WINDOWS 2
#define SCRATCH_BYTES (8U << 20)
#define WINDOWS_MEMORY ((size_t)WINDOWS * WINDOW_BYTES + SCRATCH_BYTES)

struct window {
	uint8_t *data;
	size_t len;		/* 0 = end */
	uint64_t offset;
};

struct windows {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	uint8_t *memory;		/* WINDOWS_MEMORY bytes */
	uint8_t *scratch;		/* its last SCRATCH_BYTES, no window's */
	struct window w[WINDOWS];
	uint64_t filled, emptied;	/* counters: w[n % WINDOWS] */
	bool stop;
};

int windows_init(struct windows *ws);
void windows_fini(struct windows *ws);
/* Between two transfers: nothing is filled. */
void windows_reset(struct windows *ws);

/* Each waits; NULL when the other side has stopped. */
struct window *window_to_fill(struct windows *ws);
struct window *window_to_empty(struct windows *ws);
void window_filled(struct windows *ws);
void window_emptied(struct windows *ws);

/* Wakes and stops both sides. */
void windows_stop(struct windows *ws);

#endif
