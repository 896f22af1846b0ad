/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_TOOLS_SCRIPT_H
#define TEST_TOOLS_SCRIPT_H

#include <pthread.h>
#include <stdint.h>

#include "iopmem.h"

#define SCRIPT_NAMES 64
#define SCRIPT_ARGS 8
#define SCRIPT_EVENTS 256
#define SCRIPT_BUF (64U << 20)

struct script_event {
	enum iopmem_client_event type;
	char path[256];
	uint64_t offset, length;
};

struct named {
	char name[32];
	void *object;
};

struct script {
	struct iopmem_client *client;
	struct iopmem_buf *buf;
	uint8_t *memory;
	struct named files[SCRIPT_NAMES], leases[SCRIPT_NAMES];
	pthread_mutex_t lock;		/* the events */
	pthread_cond_t cond;
	struct script_event events[SCRIPT_EVENTS];
	unsigned int head, tail;
	bool tell_writes;
};

/* Runs one command: argv[0] names it.  Prints exactly one line. */
void script_run(struct script *s, int argc, char **argv);
void script_on_event(enum iopmem_client_event event, const char *path, uint64_t offset,
		     uint64_t length, void *arg);
void script_error(int ret, const struct iopmem_err *err);

#endif
