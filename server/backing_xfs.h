/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of the "xfs" backing: what its files share.  Others use backing.h. */
#ifndef IOPMEM_BACKING_XFS_H
#define IOPMEM_BACKING_XFS_H

#include <pthread.h>

#include "backing.h"
#include "backing_grow.h"
#include "backing_priv.h"

struct backing_export {
	struct backing_attr attr;	/* strings are ours */
	int root_fd;
	int dev_fd;			/* /dev/iopmem */
	uint32_t granule;
	bool odp, dmabuf;		/* the memory kind; else "pin" */
	uint64_t caps;			/* of the module */
	char module[33];		/* its version */
	struct store *store;

	pthread_t thread;		/* waits for breaks */
	int ep_fd, stop_fd;
	pthread_mutex_t lock;		/* files, next_id, and of files what says so */
	pthread_cond_t changed;
	uint64_t next_id;
	struct backing_file *files;
};

struct backing_file {
	struct backing_export *exp;
	struct backing_file *next;	/* exp->lock */
	void *cookie;
	int fd;
	bool writable;
	char *path;			/* when opened, for messages */

	int layout_fd;			/* -1: no layout */
	uint64_t watch_id;		/* exp->lock: of the layout in epoll; 0 none */
	bool in_break;			/* exp->lock: on_break is running */
	unsigned int mems;		/* exp->lock: memory handed out */
	bool wrote;			/* RW-mapped since layout_open */
	bool bumped;			/* mtime moved since layout_open */
	struct backing_grow grow;	/* memory kind odp */
};

/* backing_xfs_check.c: what export_open refuses, and why a layout was refused. */
int xfs_check_module(struct backing_export *exp, struct iopmem_err *err);
int xfs_check_files(struct backing_export *exp, struct iopmem_err *err);
/* Returns the layout fd or -errno. */
int xfs_layout_ioctl(struct backing_export *exp, int fd, const char *path,
		     struct iopmem_err *err);

/*
 * backing_xfs_memory.c: the memory kind.  @layout_fd: of an empty file to try on, or -1.
 * xfs_dmabuf_mem_get: the memory of the kind dmabuf, closed by xfs_mem_put.
 */
int xfs_choose_memory(struct backing_export *exp, int layout_fd, struct iopmem_err *err);
int xfs_dmabuf_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		       struct memsrc *src, struct iopmem_err *err);

/* backing_xfs_watch.c: the thread that hears of broken layouts. */
int xfs_watch_init(struct backing_export *exp, struct iopmem_err *err);
void xfs_watch_fini(struct backing_export *exp);
int xfs_watch_add(struct backing_file *file, struct iopmem_err *err);
void xfs_watch_del(struct backing_file *file);

/* backing_xfs_map.c */
int xfs_map(struct backing_file *file, struct range range, enum backing_iomode mode,
	    struct backing_extent *ext, size_t *n, uint64_t *size, struct iopmem_err *err);
int xfs_unmap(struct backing_file *file, struct range range, struct iopmem_err *err);
int xfs_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		struct memsrc *src, struct iopmem_err *err);
void xfs_mem_put(struct backing_file *file, struct memsrc *src);
int xfs_commit(struct backing_file *file, const struct range *ranges, size_t n,
	       uint64_t new_size, uint64_t *size, struct iopmem_err *err);
void xfs_bump_mtime(struct backing_file *file);

/* backing_xfs_odp.c: the same for the memory kind odp. */
int xfs_odp_map(struct backing_file *file, struct range range, enum backing_iomode mode,
		struct backing_extent *ext, size_t *n, uint64_t *size, struct iopmem_err *err);
int xfs_odp_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		    struct memsrc *src, struct iopmem_err *err);
int xfs_odp_trim(void *file, uint64_t size);
int xfs_odp_commit(struct backing_file *file, const struct range *ranges, size_t n,
		   uint64_t new_size, uint64_t *size, struct iopmem_err *err);

/* backing_xfs_real.c: blocks inside EOF that are holes or unwritten become real. */
int xfs_make_real(struct backing_file *file, struct range range, struct iopmem_err *err);

#endif
