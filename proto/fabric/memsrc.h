/* SPDX-License-Identifier: BSD-3-Clause */
/* A memory source: file bytes that a fabric is to expose.  Backings make it. */
#ifndef IOPMEM_FABRIC_MEMSRC_H
#define IOPMEM_FABRIC_MEMSRC_H

#include <stdint.h>

/*
 * The bytes [file_offset, file_offset + length) of one file.
 * @addr: where the first byte is mapped (shared), or NULL
 * @fd:   descriptor whose pread/pwrite take file offsets, or -1
 * At least one of both.  Valid until the backing's unmap, which comes after
 * fabric_mr_dereg() has returned.
 */
struct memsrc {
	void *addr;
	int fd;
	uint64_t file_offset;
	uint64_t length;
};

#endif
