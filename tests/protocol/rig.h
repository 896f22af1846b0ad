/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real iopmem-server on a temporary directory: started, watched through its log,
 * stopped in order.  What goes wrong fails the running cmocka test.
 */
#ifndef IOPMEM_TESTS_PROTOCOL_RIG_H
#define IOPMEM_TESTS_PROTOCOL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "../lib/task.h"

/* A hang guard, never part of what is proved. */
#define RIG_PATIENCE_MS guard_ms()

struct rig {
	pid_t pid;			/* 0: not running */
	uint16_t port;
	char dir[48];			/* holds the rest; removed by rig_down() */
	char root[64];			/* export "d" */
	char state[64];
	char log[64];
	int control;			/* of the server, see tests/timed; 0: none */
	bool held;			/* its time stands still */
};

struct rig_opts {
	unsigned int lease_ms;		/* 0: an hour */
	unsigned int recall_ms;		/* 0: 30000; the kernel bounds it (lease-break-time) */
	unsigned int max_connections;	/* 0: the server's default */
	const char *export_opts;	/* ",squash=none" or NULL */
	bool held;			/* rig_hold() from the start */
};

/* argv[1] is the server, of tests/timed; call it first in main().  */
void rig_main(int argc, char **argv);

/* Starts it and returns when it serves.  @o may be NULL. */
void rig_up(struct rig *rig, const struct rig_opts *o);
void rig_start(struct rig *rig, const struct rig_opts *o);	/* again, in the same directory */
/* SIGTERM; exit status 0 and not one line of the log is an error or a sanitizer's. */
void rig_stop(struct rig *rig);
void rig_term(struct rig *rig);				/* SIGTERM only */
void rig_await_exit(struct rig *rig);			/* the rest of rig_stop() */
/* For teardown: kills what still runs, removes the directory. */
void rig_down(struct rig *rig);

/*
 * The server's lease time.  Each returns when the server is at rest: what was due has
 * fired, what helper threads had to do for it has come back and is in the log.
 */
void rig_hold(struct rig *rig);			/* it stands still, whatever the machine does */
void rig_go(struct rig *rig);			/* it passes again; rig_stop() does that, too */
void rig_step(struct rig *rig, uint64_t ms);
void rig_rest(struct rig *rig);			/* only that */

/* Grants stop where they have the file's lease and its blocks, and register memory next. */
void rig_shut_gate(struct rig *rig);
void rig_await_gate(struct rig *rig);		/* until one stands there */
void rig_open_gate(struct rig *rig);

bool rig_alive(struct rig *rig);
unsigned int rig_logged(const struct rig *rig, const char *text);	/* lines with it */
void rig_await_log(const struct rig *rig, const char *text);

/* Files of the export, from the side. */
void rig_path(const struct rig *rig, const char *name, char path[128]);
void rig_fill(const struct rig *rig, const char *name, char byte, size_t len);
uint64_t rig_size(const struct rig *rig, const char *name);
/*
 * Bytes [offset, offset + len) of the backing file are all @byte.
 * Assumes: no layout of it is out, or this waits for a recall.
 */
bool rig_bytes(const struct rig *rig, const char *name, uint64_t offset, size_t len,
	       char byte);

uint64_t now_ms(void);			/* for guards, and for "not before" */
void nap(unsigned int ms);		/* between two looks of a bounded poll */

/* Looks until @cond holds; fails the test after RIG_PATIENCE_MS. */
#define await(cond) do { \
	uint64_t await_until = now_ms() + RIG_PATIENCE_MS; \
	while (!(cond)) { \
		if (now_ms() > await_until) \
			fail_msg("waited too long for: %s", #cond); \
		nap(5); \
	} \
} while (0)

#endif
