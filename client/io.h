/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One-sided I/O under a lease: cut at segments, at pieces of the caller's memory and at
 * IO_CHUNK, pipelined to the connection's depth.  It holds the lease "in flight" (by
 * slices of IO_SLICE when it waits): a recall waits for that and no longer.
 */
#ifndef CLIENT_IO_H
#define CLIENT_IO_H

#include <sys/uio.h>

#include "client.h"

#define IO_CHUNK (1U << 20)
#define IO_SLICE (64U << 20)

/* What is left to be moved. */
struct io {
	struct iopmem_lease *lease;
	struct iopmem_buf *buf;
	const struct iovec *iov;	/* the first @skip bytes of iov[0] are done */
	size_t skip;
	bool write;
	uint64_t offset;
	size_t len;
};

/* Takes the lease "in flight" and gives it back; @done: all of @r was moved. */
int io_begin(struct iopmem_lease *lease, struct iopmem_err *err);
/* Without waiting: false when the lease has ended or its segments are being replaced. */
bool io_try_begin(struct iopmem_lease *lease);
void io_end(struct iopmem_lease *lease, bool write, bool done, struct range r);

/*
 * Queues what there is room for; conn_kick() starts it.  1: everything; 0: no room; -ENOTBLK the next bytes are not
 * aligned as the fabric wants; -ESTALE the lease has ended; or another -errno.
 * Assumes: conn locked, lease in flight.
 */
int io_post(struct io *io, struct conn_wait *w);

/* All of @io, again over a new connection when the old one breaks.  The lease's rules apply. */
int io_run(struct io *io, struct iopmem_err *err);

/* Sum of the lengths; -EINVAL: too much, or no memory named. */
ssize_t io_iov_len(const struct iovec *iov, int iovcnt);
/* Is all of it in @buf? */
bool io_in_buf(const struct iopmem_buf *buf, const struct iovec *iov, int iovcnt);
/* Is [offset, offset + len) inside the lease, and may it be written? */
int io_check(const struct iopmem_lease *lease, bool write, size_t len, uint64_t offset,
	     struct iopmem_err *err);

#endif
