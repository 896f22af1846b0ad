/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of the "dir" backing: what its files share.  Others use backing.h. */
#ifndef IOPMEM_BACKING_DIR_H
#define IOPMEM_BACKING_DIR_H

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include "backing.h"
#include "backing_grow.h"
#include "backing_priv.h"

struct backing_export {
	struct backing_attr attr;	/* strings are ours */
	int root_fd;			/* flock'ed: one server per export */
	uint32_t granule;
	bool tmpfs;			/* a read fault of a hole allocates there */
	struct store *store;

	pthread_t thread;		/* waits for lease-break signals */
	pid_t tid;			/* 0 until it runs */
	bool stop;
	pthread_mutex_t lock;		/* files, tid, stop, and of files what says so;
					 * taken before grow.lock, never held in on_break */
	pthread_cond_t changed;
	struct backing_file *files;
};

struct backing_file {
	struct backing_export *exp;
	struct backing_file *next;	/* exp->lock */
	void *cookie;
	int fd;
	bool writable;
	char *path;			/* when opened, for messages */

	int lease;			/* exp->lock: F_WRLCK, F_RDLCK; F_UNLCK no layout */
	bool broken;			/* exp->lock */
	bool in_break;			/* exp->lock: on_break is running */
	bool probe;			/* start-up test: no on_break */

	bool touched;			/* RW-mapped since layout_open */
	struct backing_grow grow;
};

/* backing_dir_lease.c: leases, and the thread that hears of their breaks. */
int dir_lease_init(struct backing_export *exp, struct iopmem_err *err);
void dir_lease_fini(struct backing_export *exp);
int dir_lease_take(struct backing_file *file, struct iopmem_err *err);
void dir_lease_drop(struct backing_file *file);
bool dir_lease_intact(struct backing_file *file);
void dir_lease_add(struct backing_file *file);
void dir_lease_remove(struct backing_file *file);

/* backing_dir_check.c: what export_open refuses. */
int dir_check_limits(const struct backing_attr *attr, struct iopmem_err *err);
int dir_check_leases(struct backing_export *exp, struct iopmem_err *err);

/* backing_dir_map.c */
void dir_touch(struct backing_file *file);
int dir_map(struct backing_file *file, struct range range, enum backing_iomode mode,
	    struct backing_extent *ext, size_t *n, uint64_t *size, struct iopmem_err *err);
int dir_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		struct memsrc *src, struct iopmem_err *err);
void dir_mem_put(struct backing_file *file, struct memsrc *src);
int dir_commit(struct backing_file *file, const struct range *ranges, size_t n,
	       uint64_t new_size, uint64_t *size, struct iopmem_err *err);

#endif
