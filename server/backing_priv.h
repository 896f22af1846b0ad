/* SPDX-License-Identifier: BSD-3-Clause */
/* What the backings share among themselves (backing.c).  Others use backing.h. */
#ifndef IOPMEM_BACKING_PRIV_H
#define IOPMEM_BACKING_PRIV_H

#include <signal.h>
#include <stdbool.h>

#include "backing.h"

/* Lease breaks come as this, with the descriptor; as SIGIO when its queue is full. */
#define BACKING_BREAK_SIGNAL	(SIGRTMIN + 4)

void backing_signals(sigset_t *set);

/* Deep copy of the strings; false: out of memory, @to may be passed to _free. */
bool backing_attr_copy(struct backing_attr *to, const struct backing_attr *from);
void backing_attr_free(struct backing_attr *attr);

/* @path is on XFS on an iopmem card (or a partition of one). */
bool backing_on_iopmem(const char *path);

/*
 * Opens the inode behind @path_fd, read-write where possible.  Never waits for another
 * process's lease (-EAGAIN).  @path is for messages.
 */
int backing_open_inode(int path_fd, const char *path, int *fd, bool *writable,
		       struct iopmem_err *err);

/* backing_io.c: backing.h's I/O through the server, on a descriptor. */
int backing_read(int fd, const char *path, uint64_t size, void *buf, size_t *n, uint64_t offset,
		 bool *eof, struct iopmem_err *err);
int backing_write(int fd, const char *path, const void *buf, size_t *n, uint64_t offset,
		  struct iopmem_err *err);
int backing_sync(int fd, const char *path, struct iopmem_err *err);
int backing_set_size(int fd, const char *path, uint64_t size, struct iopmem_err *err);
int backing_allocate(int fd, const char *path, struct range r, bool punch, struct iopmem_err *err);

/* A backing that stores its state inside what it exports would wait for itself. */
int backing_check_state_dir(const struct backing_attr *attr, int root_fd,
			    struct iopmem_err *err);

#endif
