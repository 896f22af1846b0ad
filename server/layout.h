/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layouts: the segments one client holds of one file, under one stateid
 * (RFC 8881 section 12.5).  Granting and tearing down, each one routine.
 *
 *   GRANTING --map, register, re-check--> GRANTED --return, fence--> RETURNING --> gone
 *
 * Tear-down order, never another: memory region dead -> commit -> unmap -> gone
 * from the table -> (the last one) kernel lease dropped.
 */
#ifndef IOPMEM_SERVER_LAYOUT_H
#define IOPMEM_SERVER_LAYOUT_H

#include "base/log.h"
#include "client.h"
#include "file.h"
#include "state.h"

#define GRANT_EXTENTS_MAX 64

struct recall {
	bool active;
	struct range range;
	uint64_t started_ms;
	uint64_t limit_ms;		/* progress moves the deadline up to here */
	const char *why;		/* a literal */
	struct timer deadline;
	struct wait wait;
};

/* A layout stays where it is for a while before it is recalled for another client. */
struct hold {
	uint64_t until_ms;
	struct timer over;		/* armed: somebody waits for it */
	struct range wanted;
	const char *why;		/* a literal */
};

struct layout {
	struct state st;
	struct file *file;
	unsigned int segments;		/* in the table, GRANTING ones included */
	struct segment *segs;		/* list by own_prev, own_next, in no order */
	unsigned int users;		/* operations that need it to stay */
	struct recall recall;
	struct hold hold;
	struct layout *prev, *next;	/* client->layouts */
	struct layout *file_prev, *file_next;	/* file->layouts */
	struct layout *recall_prev, *recall_next;	/* file->recalled, while recall.active */
	UT_hash_handle hh;		/* client->layout_of_file */
};

/* log_write_about() it, its client and its file. */
#define layout_log(l, level, ...) \
	log_write_about(level, &(struct log_about){ \
		.client = (l)->st.client->name, .file = (l)->file->name, \
		.layout = state_text(&(l)->st, (char[STATE_TEXT]){ "" }) }, __VA_ARGS__)

struct layout *layout_find(struct file *f, struct client *c);
/* Finds or makes it, with one user. */
struct layout *layout_get(struct file *f, struct client *c);
/* Ends the layout when nothing is left of it. */
void layout_put(struct layout *l);

/* A segment of it goes into the table, or out of it; counted for its client. */
void layout_add(struct layout *l, struct segment *seg);
void layout_remove(struct layout *l, struct segment *seg);

/* Any segment of @l, in whatever state, overlaps @r. */
bool layout_holds(const struct layout *l, struct range r);

/* ---- grant ---- */

struct grant {
	struct file_job fj;		/* private from here ... */
	struct layout *layout;
	struct segment *reserved;
	unsigned int break_seq;
	int rc;
	struct iopmem_err err;
	struct backing_extent ext[GRANT_EXTENTS_MAX];
	struct memsrc mem[GRANT_EXTENTS_MAX];
	struct fabric_mr *mr[GRANT_EXTENTS_MAX];
	size_t n;
	struct segment **segs;
	uint64_t size;			/* ... to here */
	struct range range;		/* in: multiple of the granule */
	enum backing_iomode mode;	/* in */
	uint64_t min_end;		/* in: else -ERANGE; 0 = whatever there is */
	bool coop;			/* in: of shared writers; what is inside EOF will be so */
	/* Loop thread.  OK: @segs are GRANTED, the seqid is the reply's to bump.  Else nothing is left of it. */
	void (*done)(struct grant *g, enum iopmem_status status, struct segment **segs,
		     size_t n);
	void *arg;
};

/*
 * Assumes: no conflict in the table.  Reserves the range, and gives the reservation up
 * again; @g is the caller's.  -ENOMEM.
 */
int grant_reserve(struct layout *l, struct grant *g);
/* With the reservation, or without one: makes it.  @g is the caller's again in done. */
void grant_start(struct layout *l, struct grant *g);

/* ---- teardown ---- */

struct teardown {
	struct job job;			/* private from here ... */
	struct file_job fj;
	struct timer retry;
	struct wait wait;
	int phase;
	int rc;
	unsigned int tries;
	struct iopmem_err err;		/* ... to here */
	struct layout *layout;
	struct segment **segs;		/* in: GRANTED ones of @layout; array freed here */
	size_t n;
	struct range *commit;		/* in: ranges to commit, or NULL; freed here */
	size_t nr_commit;
	uint64_t new_size;
	const char *why;		/* for the log */
	int commit_rc;			/* out */
	struct iopmem_err commit_err;
	uint64_t size;			/* out, after a commit */
	/* Loop thread; the segments are gone, @layout has still a user.  Frees @t. */
	void (*done)(struct teardown *t);
	void *arg;
};

void teardown_start(struct teardown *t);

/* Every GRANTED segment of @l that overlaps @r and matches; NULL when *n is 0. */
struct segment **layout_collect(struct layout *l, struct range r, bool read, bool rw,
				size_t *n);

#endif
