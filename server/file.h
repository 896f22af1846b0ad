/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files the server has open: one object, one descriptor an inode.  Work that can
 * wait in the file system is queued per file and runs one at a time on the fs pool.
 *
 * The kernel lease (backing layout) is taken by the first grant and dropped when
 * the last segment is gone, so whoever breaks it waits for exactly that.
 */
#ifndef IOPMEM_SERVER_FILE_H
#define IOPMEM_SERVER_FILE_H

#include <stdatomic.h>
#include <sys/stat.h>
#include <uthash.h>

#include "backing.h"
#include "layout_table.h"
#include "server.h"

struct file_key {
	uint64_t export_index;
	uint64_t dev;
	uint64_t ino;
};

struct file_job {
	struct job job;			/* private to file.c */
	struct file *file;
	void (*run)(struct file_job *fj);	/* fs pool */
	void (*done)(struct file_job *fj);	/* loop thread */
	const char *what;		/* for messages: a literal, or NULL */
	struct file_job *next;
};

/* Closing cannot fail for want of memory: its job is part of the file. */
struct file_closer {
	struct file_job fj;
	struct backing_file *bf;
	int watch;
};

struct file_waiter {
	struct file *file;		/* set by whoever takes the waiter */
	void (*ready)(struct file_waiter *w);
	struct file_waiter *next;
};

enum file_lease { FILE_LEASE_NONE, FILE_LEASE_HELD, FILE_LEASE_CLOSING };

struct work;

struct file {
	struct file_key key;
	struct server *srv;
	struct export *exp;
	struct backing_file *bf;	/* NULL until it is open */
	char name[128];			/* for messages */
	unsigned int refs;		/* opens, layouts, running operations */
	bool opening;
	bool closing;
	int open_rc;			/* of a failed open */
	struct iopmem_err open_err;
	struct layout_table table;
	struct layout *layouts;		/* list, one per client */
	struct layout *recalled;	/* list of those under recall */
	struct turn *turns;		/* list, who asked first is first */
	struct open *opens;		/* list, of all clients */
	int watch;			/* of attr_watch; 0 none */
	uint64_t rights_seq;		/* of the last check started */
	uint64_t rights_done;		/* of the newest one that counted */
	bool rights_running;		/* one that nobody waits for */
	bool rights_again;		/* and another is due behind it */
	enum file_lease lease;
	bool lease_open;		/* of file jobs only: the backing layout is open */
	bool broken;			/* the kernel wants it back */
	struct file_job lease_closer;
	struct job breaker;		/* tells the loop thread of a break */
	atomic_bool breaking;		/* it is on its way */
	struct file_closer closer;
	unsigned int break_seq;
	unsigned int gates;		/* > 0: no new grants */
	uint64_t size;			/* committed, while the lease is not NONE */
	struct file_job *jobs, **jobs_tail;	/* the head is running */
	struct wait job_wait;
	struct file_waiter *open_waiters;
	struct file_waiter *idle_waiters;
	struct work *works;		/* list, of those beside layouts */
	UT_hash_handle hh;
};

/*
 * The file of an O_PATH descriptor (taken over).  @w->ready runs, perhaps before
 * this returns, once file->bf is there or file->open_rc says why not.  The
 * reference returned is the caller's either way.  NULL: no memory, or max_files.
 */
struct file *file_get(struct export *exp, int path_fd, const struct stat *st,
		      const char *name, struct file_waiter *w);
/* The same without opening it: for its gates and its queue.  NULL: no memory, or max_files. */
struct file *file_hold(struct export *exp, const struct stat *st, const char *name);
/* Known and open already, no reference taken; NULL else. */
struct file *file_peek(struct export *exp, const struct stat *st);
void file_ref(struct file *f);
void file_put(struct file *f);

/* @r is known to lie inside EOF (in granules): somebody has a layout, so the size is known. */
bool file_inside_eof(const struct file *f, struct range r);

void file_submit(struct file *f, struct file_job *fj);

/* @w->ready runs when no segment and no kernel lease is left. */
void file_wait_idle(struct file *f, struct file_waiter *w);

/* Something ended: drops the lease when it was the last, wakes who waits. */
void file_settle(struct file *f);

/* struct backing_attr.on_break: any thread. */
void file_on_break(void *arg, void *cookie);

/*
 * What a peer may see: the committed size.  A stat by path shows what the file has
 * grown to for a grant, even before the grant is done; the backing knows better.
 */
struct file_sizes {
	struct job job;			/* private */
	struct file **files;		/* private */
	struct stat *st;		/* in, out: @n, taken by path */
	size_t n;
	void (*done)(struct file_sizes *fs);	/* loop thread, perhaps at once */
};

/* False: no memory, done() is not called. */
bool file_sizes(struct export *exp, struct file_sizes *fs);

#endif
