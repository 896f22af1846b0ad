/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waits: whatever the server waits for has one of these while it does, so that none
 * is silent.  "iopmemctl waits" lists them, the log names those that last.
 * Loop thread only.
 */
#ifndef IOPMEM_SERVER_WAIT_H
#define IOPMEM_SERVER_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shorter ones are nobody's business. */
#define WAIT_NOTICE_MS 1000

struct wait;

/* What a wait is about, said only when somebody asks.  Texts live as long as the wait. */
struct wait_about {
	char what[320];			/* "client X to return its layout of 'e/f'" */
	const char *client;		/* names, or NULL */
	const char *file;
	const char *export;
};

struct wait_type {
	const char *name;		/* one word, for programs */
	void (*about)(const struct wait *w, struct wait_about *about);
};

struct wait {
	const struct wait_type *type;	/* NULL: not waiting */
	uint64_t since_ms;
	uint64_t log_ms;		/* when the log names it next */
	struct wait *prev, *next;
};

struct wait_list {
	struct wait *head;		/* oldest first */
};

/* Begun twice it goes on; ended twice is no error. */
void wait_begin(struct wait_list *list, struct wait *w, const struct wait_type *type);
void wait_end(struct wait_list *list, struct wait *w);

/* Milliseconds since it has begun; 0 when it has not. */
uint64_t wait_age_ms(const struct wait *w);

/* The first wait is not younger than the second; NULL: none is noticeable. */
const struct wait *wait_first(const struct wait_list *list);
const struct wait *wait_next(const struct wait *w);

/* Names in the log what has lasted for 1 s, 2 s, 4 s, ..., then every minute.  Call it each second. */
void wait_log(const struct wait_list *list);

#endif
