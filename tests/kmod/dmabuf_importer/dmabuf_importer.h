/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/dmabuf_importer: a "NIC" that imports dma-bufs and moves bytes by the CPU.  Each open file is one importer.
 */
#ifndef DMABUF_IMPORTER_H
#define DMABUF_IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* How it behaves. */
#define IMPORT_STATIC		(1U << 0)	/* attaches without operations */
#define IMPORT_NO_PEER		(1U << 1)	/* does not take peer memory */
#define IMPORT_PINS		(1U << 2)	/* pins before it maps */
#define IMPORT_KEEPS		(1U << 3)	/* does not unmap when it is told to */
#define IMPORT_DEAF		(1U << 4)	/* has no invalidate callback (7.x; until then it must have) */

struct import_attach {
	__s32 fd;
	__u32 flags;		/* IMPORT_* */
	char device[32];	/* a PCI function, or empty: a device of its own */
};

struct import_io {
	__u64 offset;
	__u64 length;
	__u64 buf;
	__u32 write;
	__u32 reserved;
};

struct import_state {
	__u32 entries;		/* of the scatterlist; 0: not mapped */
	__u32 told;		/* calls of the invalidate callback */
	__u64 first;		/* DMA address of the first byte */
	__u64 length;		/* sum of the entries' */
	__u32 pages;		/* entries that have a struct page */
	__u32 reserved;
};

#define IMPORT_ATTACH	_IOW('i', 0, struct import_attach)
#define IMPORT_MAP	_IO('i', 1)		/* the argument is the direction: enum dma_data_direction */
#define IMPORT_UNMAP	_IO('i', 2)
#define IMPORT_DETACH	_IO('i', 3)
#define IMPORT_IO	_IOW('i', 4, struct import_io)
#define IMPORT_FENCE	_IO('i', 5)		/* an operation begins that ends with ... */
#define IMPORT_SIGNAL	_IO('i', 6)
#define IMPORT_STATE	_IOR('i', 7, struct import_state)

#endif
