/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two windows between a thread that moves local bytes and one that moves remote
 * bytes.  A window is what one lease covers, so that after a recall it can be
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

struct window {
	uint8_t *data;
	size_t len;		/* 0 = end */
	uint64_t offset;
};

struct windows {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	uint8_t *memory;		/* WINDOWS * WINDOW_BYTES */
	struct window w[WINDOWS];
	uint64_t filled, emptied;	/* counters: w[n % WINDOWS] */
	bool stop;
	int error;			/* of the local side, positive errno */
};

int windows_init(struct windows *ws);
void windows_fini(struct windows *ws);

/* Waits; NULL when the other side has stopped. */
struct window *window_to_fill(struct windows *ws);
struct window *window_to_empty(struct windows *ws);
void window_filled(struct windows *ws);
void window_emptied(struct windows *ws);

/* Wakes and stops both sides; the first error stays. */
void windows_stop(struct windows *ws, int error);

#endif
