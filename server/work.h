/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call's work on a file it has open, in the file's queue and as the caller.
 *
 * Alone: everybody's layouts are recalled (or known to be gone), nothing is granted,
 * and the work starts when no layout and no kernel lease is left.  What changes blocks
 * must be alone: the server would wait for its own lease for ever.
 * Not alone: beside layouts; meanwhile nobody is granted RW of @range.
 */
#ifndef IOPMEM_SERVER_WORK_H
#define IOPMEM_SERVER_WORK_H

#include "call.h"
#include "file.h"

struct work {
	struct file_waiter waiter;	/* private from here ... */
	struct file_job fj;
	struct cred cred;
	struct work *prev, *next;	/* file->works */
	void (*done)(struct work *w);	/* ... to here */
	struct call *call;
	const char *what;		/* in: for messages, a literal */
	bool alone;			/* in */
	struct range range;		/* in, not alone: what is read */
	int (*run)(struct work *w);	/* in: fs pool, as the caller; 0 or -errno */
	int rc;				/* out: what @run returned */
	struct iopmem_err err;
	struct stat st;			/* out, after 0: the file, with its committed size */
};

/* @size bytes that begin with a struct work; NULL: no memory, the call is answered. */
void *work_new(struct call *call, size_t size);

/* Then @done on the loop thread: answers the call.  @w is freed behind it. */
void work_start(struct work *w, struct file *f, void (*done)(struct work *w));

/* A @done for calls whose result is attributes. */
void work_answer_attr(struct work *w);

/* Work beside layouts reads bytes of @r: no RW grant now. */
bool work_reads(const struct file *f, struct range r);

#endif
