/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and writes through the server, without a layout (RFC 8434 section 3.1): for files
 * that can have none, or none now.  Writes are unstable until server_sync(); what the
 * server may have forgotten in between is in file->lost.
 */
#ifndef CLIENT_SERVER_IO_H
#define CLIENT_SERVER_IO_H

#include "client.h"

/*
 * Up to @len bytes at @addr, as many as go into one call; their number (a read: 0 at the
 * end of file).  Asks again while layouts are in the way, until @until_ms.
 */
ssize_t server_read(struct file *file, void *addr, size_t len, uint64_t offset,
		    uint64_t until_ms, struct iopmem_err *err);
ssize_t server_write(struct file *file, const void *addr, size_t len, uint64_t offset,
		     uint64_t until_ms, struct iopmem_err *err);

/* Makes all of them survive power loss; 0 at once when there were none. */
int server_sync(struct file *file, struct iopmem_err *err);
/* All that was unstable may be gone.  Assumes: file->lock. */
void server_io_lost(struct file *file);

#endif
