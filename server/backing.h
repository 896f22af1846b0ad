/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backing contract: where exported files live and how their bytes become
 * memory for a fabric.  "xfs": iopmem.ko, XFS, DAX.  "dir": any directory.
 * The protocol code above cannot tell the two apart.
 *
 * Threads: every function may block and runs on helper threads, never on the loop
 * thread.  Per file the caller guarantees:
 *  - layout_open, map, commit, layout_close and the I/O through the server run one at a
 *    time;
 *  - unmap and mem_put may run while a map or commit of the same file blocks in the
 *    kernel (they are what a fence needs to get through, and never wait for it);
 *  - layout_close comes after every mem_put and unmap has returned.
 * on_break is called from a thread of the backing, with no lock held, at least once
 * per broken layout, and not after layout_close has returned.
 *
 * Results: 0 or -errno with @err filled.  Of every call:
 *  -EAGAIN      not now: a break is pending, an orphan of a dead server lives,
 *               a writable local mapping exists; ask again
 *  -EOPNOTSUPP  never for this file in its present state (layouts unavailable)
 */
#ifndef IOPMEM_BACKING_H
#define IOPMEM_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/range.h"
#include "fabric/memsrc.h"

struct backing_export;
struct backing_file;

enum backing_iomode { BACKING_READ = 1, BACKING_RW = 2 };

enum backing_extent_state { BACKING_RW_DATA = 0, BACKING_READ_DATA = 1, BACKING_NONE = 3 };

struct backing_extent {
	struct range range;
	enum backing_extent_state state;
	bool no_commit;		/* inside EOF: overwriting needs no commit */
};

/* Who moves the bytes, and can it fault pages in? */
enum backing_demand { BACKING_DEMAND_NO, BACKING_DEMAND_CPU, BACKING_DEMAND_NIC };

struct backing_attr {
	const char *path;		/* root of the export, absolute */
	const char *name;		/* of the export, for messages */
	const char *state_dir;		/* for what must survive the server */
	const char *memory;		/* xfs: "pin", "odp", "dmabuf", "auto" or NULL */
	enum backing_demand demand;
	/* Would a NIC import this dma-buf (-1: any)?  0 or -errno.  NULL: there is no NIC. */
	int (*import)(int dmabuf, uint64_t length, struct iopmem_err *err);
	uint32_t recall_ms;		/* longest time until a recall ends in a fence */
	/* The kernel (or a local process) wants the file: recall everybody. */
	void (*on_break)(void *arg, void *file_cookie);
	void *arg;
};

struct backing_info {
	const char *kind;		/* "xfs", "dir" */
	const char *memory;		/* "pin", "odp", "dmabuf" (xfs), "pagecache" (dir) */
	uint32_t granule;		/* bytes; ranges are multiples of it */
	bool durable;			/* a flushed overwrite survives power loss */
	bool has_addr;			/* memory sources have addr or a dma-buf (verbs needs it) */
};

struct backing_ops {
	const char *kind;

	/*
	 * Start-up; refuses what cannot be safe, naming it: path missing or not a
	 * directory, not XFS with DAX on an iopmem device, module missing or of an
	 * incompatible version, no memory capability, leases off or not breaking,
	 * recall_ms not below lease-break-time (dir), state_dir inside the export.
	 */
	int (*export_open)(const struct backing_attr *attr, struct backing_export **exp,
			   struct iopmem_err *err);
	/* Of a running export: would another recall_ms be refused?  Only @attr's name counts besides.  NULL: none. */
	int (*check_limits)(const struct backing_attr *attr, struct iopmem_err *err);
	void (*export_info)(const struct backing_export *exp, struct backing_info *info);
	/* Assumes: no file is open. */
	void (*export_close)(struct backing_export *exp);
	/* Orphans of a dead server are still alive: no grant yet.  0 or a count. */
	int (*orphans)(struct backing_export *exp);

	/*
	 * The one descriptor of an inode in this server.  @path_fd is O_PATH of a
	 * regular file and stays the caller's.  Opens read-write where possible.
	 * @cookie is handed to on_break.
	 */
	int (*file_open)(struct backing_export *exp, int path_fd, void *cookie,
			 struct backing_file **file, struct iopmem_err *err);
	void (*file_close)(struct backing_file *file);	/* Assumes: no layout open */
	/* For what takes a descriptor and changes no bytes; stays the file's. */
	int (*file_fd)(const struct backing_file *file);
	/* st_size is the committed size. */
	int (*file_stat)(struct backing_file *file, struct stat *st);
	/*
	 * I/O through the server, at any byte.  set_size, allocate and write assume that no
	 * layout is open (-EBUSY).  set_size and allocate are durable when they return.
	 */
	int (*set_size)(struct backing_file *file, uint64_t size, struct iopmem_err *err);
	/* Blocks for @range, growing the file; or (@punch) none, its bytes zero. */
	int (*allocate)(struct backing_file *file, struct range range, bool punch,
			struct iopmem_err *err);
	/* *@n: asked, then got.  Nothing past the committed size, which is *@eof. */
	int (*read)(struct backing_file *file, void *buf, size_t *n, uint64_t offset, bool *eof,
		    struct iopmem_err *err);
	/* *@n: asked, then written, at least one byte; grows the file. */
	int (*write)(struct backing_file *file, const void *buf, size_t *n, uint64_t offset,
		     struct iopmem_err *err);
	/* What was written through the server is durable. */
	int (*sync)(struct backing_file *file, struct iopmem_err *err);

	/* Takes the kernel lease.  After a break it must be closed and opened again. */
	int (*layout_open)(struct backing_file *file, struct iopmem_err *err);
	/* Drops the lease; a file grown for grants is trimmed to its committed size. */
	void (*layout_close)(struct backing_file *file);

	/*
	 * Makes @range usable: RW makes blocks real and zeroed, READ changes nothing.
	 * Fills up to *@n extents, ascending, without gaps, clipped to @range (READ:
	 * also to EOF rounded up); sets *@n.  When they do not fit, the extents cover a
	 * prefix of the range.  *@size: the committed size.
	 * Errors besides: -ENOSPC, -EDQUOT, -EFBIG, -EROFS, -EBADF not writable, -EIO.
	 */
	int (*map)(struct backing_file *file, struct range range, enum backing_iomode mode,
		   struct backing_extent *ext, size_t *n, uint64_t *size,
		   struct iopmem_err *err);
	/* Memory of a mapped data range.  RW: writable. */
	int (*mem_get)(struct backing_file *file, struct range range,
		       enum backing_iomode mode, struct memsrc *src, struct iopmem_err *err);
	void (*mem_put)(struct backing_file *file, struct memsrc *src);
	/*
	 * Forgets a mapped range.  Assumes: its memory regions are dead.  NULL: there is
	 * nothing to forget when the memory is put.
	 */
	int (*unmap)(struct backing_file *file, struct range range, struct iopmem_err *err);

	/*
	 * Durable when it returns 0: @ranges (granule-aligned, ascending, disjoint,
	 * RW-mapped) and the file size, which becomes at least @new_size (0 = as it
	 * is).  Works on a broken layout and after the memory of the ranges was put.
	 * *@size: the size now.  Errors besides: -ERANGE, -ENOSPC, -EIO.
	 */
	int (*commit)(struct backing_file *file, const struct range *ranges, size_t n,
		      uint64_t new_size, uint64_t *size, struct iopmem_err *err);
};

extern const struct backing_ops backing_xfs_ops;
extern const struct backing_ops backing_dir_ops;

/*
 * Called first in main(), before any thread exists: blocks the lease-break signals
 * of "dir" (SIGRTMIN+4, and SIGIO when its queue overflows) and ignores SIGXFSZ, so
 * that a file size limit is an error and not a death.  Threads inherit both.
 */
void backing_block_signals(void);

/* Where the descriptor's file is now, "" when nobody knows.  NULL: out of memory. */
char *backing_fd_path(int fd);

/* "auto" picks xfs when the path is on an iopmem device, else dir.  NULL: unknown. */
const struct backing_ops *backing_find(const char *kind, const char *path);

#endif
