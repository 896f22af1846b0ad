/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real iopmem-server on a temporary directory: started, watched through its log,
 * stopped in order.  What goes wrong fails the running cmocka test.
 *
 * With IOPMEM_RIG_CARD, a mount point of XFS on a card, and IOPMEM_RIG_ADDRESS, an address
 * of an RDMA device, the export is there and the fabric verbs; else "dir" and tcp.
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

/* Slack for a loaded machine and for sanitizers, never part of what is proved. */
#define RIG_PATIENCE_MS 15000

struct rig {
	pid_t pid;			/* 0: not running */
	uint16_t port;
	char dir[48];			/* holds the rest; removed by rig_down() */
	char root[64];			/* export "d"; in @dir, unless it is on a card */
	char state[64];
	char log[64];
};

struct rig_opts {
	unsigned int lease_ms;		/* 0: 10000 */
	unsigned int recall_ms;		/* 0: 5000 */
	unsigned int hold_ms;		/* 0: a conflict recalls at once, so that tests can say when */
	unsigned int max_connections;	/* 0: the server's default */
	bool no_dac_search;		/* without CAP_DAC_READ_SEARCH */
	const char *export_opts;	/* ",squash=none" or NULL */
	const char *const *more;	/* options and their values, NULL at the end; or NULL */
};

/* argv[1] is the server; call it first in main().  */
void rig_main(int argc, char **argv);

/* Backing xfs and fabric verbs. */
bool rig_on_card(void);
const char *rig_address(void);

/* Starts it and returns when it serves.  @o may be NULL. */
void rig_up(struct rig *rig, const struct rig_opts *o);
void rig_start(struct rig *rig, const struct rig_opts *o);	/* again, in the same directory */
/* SIGTERM; exit status 0 and not one line of the log is an error or a sanitizer's. */
void rig_stop(struct rig *rig);
void rig_term(struct rig *rig);				/* SIGTERM only */
void rig_await_exit(struct rig *rig, int limit_ms);	/* the rest of rig_stop() */
/* For teardown: kills what still runs, removes the directory. */
void rig_down(struct rig *rig);
/* rig_stop() if it runs, then rig_down(). */
void rig_end(struct rig *rig);

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

uint64_t now_ms(void);
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
