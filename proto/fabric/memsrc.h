/* SPDX-License-Identifier: BSD-3-Clause */
/* A memory source: file bytes that a fabric is to expose.  Backings make it. */
#ifndef IOPMEM_FABRIC_MEMSRC_H
#define IOPMEM_FABRIC_MEMSRC_H

#include <stdint.h>

/* What keeps the bytes where they are. */
enum memsrc_kind {
	MEMSRC_PLAIN,		/* the region's pins, or nothing needs to */
	MEMSRC_ON_DEMAND,	/* nothing: a page is faulted in when it is accessed (a NIC must do that) */
	MEMSRC_DMABUF,		/* who made the dma-buf; it can be taken back (a NIC must take that) */
};

/*
 * The bytes [file_offset, file_offset + length) of one file.
 * @addr:   where the first byte is mapped (shared), or NULL
 * @fd:	    descriptor whose pread/pwrite take file offsets, or -1
 * @dmabuf: MEMSRC_DMABUF: descriptor of a dma-buf of exactly these bytes
 * At least one of @addr, @fd and @dmabuf.  Valid until the backing's unmap, which comes
 * after fabric_mr_dereg() has returned.
 */
struct memsrc {
	void *addr;
	int fd;
	uint64_t file_offset;
	uint64_t length;
	enum memsrc_kind kind;
	int dmabuf;
};

#endif
