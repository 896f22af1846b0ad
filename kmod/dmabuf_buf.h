/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of dma-bufs: dmabuf.c is what the module does with them, dmabuf_ops.c
 * what importers call.
 *
 * Locks: the reservation lock of a dma-buf guards what may be mapped (@revoked,
 * @mappings, @dmabuf); iopmem_bufs_mutex guards lists and counts, for reading by
 * others.  map_lock -> iopmem_bufs_mutex; iopmem_layouts_mutex ->
 * iopmem_bufs_mutex.  Neither of these is ever held together with a reservation
 * lock, in which importers' code runs.
 */
#ifndef IOPMEM_DMABUF_BUF_H
#define IOPMEM_DMABUF_BUF_H

#include "dmabuf.h"
#include "compat/dmabuf.h"

#include <linux/dma-resv.h>
#include <linux/kref.h>

/**
 * struct iopmem_buf - a dma-buf of a mapped range
 * @ref:	the dma-buf's, the layout's list's, and who works on it
 * @node:	in iopmem_layout.bufs
 * @layout:	NULL: forgotten, nothing can be mapped any more
 * @dev:	the card; only while @layout or a mapping is there
 * @dmabuf:	NULL once released
 * @resv:	its reservation object; ours, because it must outlive the release
 * @ino:	of the file, for messages
 * @start:	first file byte
 * @end:	one past the last
 * @rw:		for writing
 * @revoked:	nothing is mapped any more, never cleared
 * @mappings:	importers' mappings alive
 * @attachments: of importers, struct iopmem_importer
 * @nr_runs:	how many pieces
 * @runs:	where the bytes are
 */
struct iopmem_buf {
	struct kref ref;
	struct list_head node;
	struct iopmem_layout *layout;
	struct iopmem_dev *dev;
	struct dma_buf *dmabuf;
	struct dma_resv resv;
	unsigned long ino;
	u64 start;
	u64 end;
	bool rw;
	bool revoked;
	unsigned int mappings;
	struct list_head attachments;
	size_t nr_runs;
	struct iopmem_phys runs[];
};

/**
 * struct iopmem_importer - an attachment
 * @node:	in iopmem_buf.attachments
 * @name:	of the device
 * @p2p:	the kernel maps the card for it
 * @pins:	under the reservation lock
 * @mappings:	under the reservation lock
 */
struct iopmem_importer {
	struct list_head node;
	char name[32];
	bool p2p;
	unsigned int pins;
	unsigned int mappings;
};

extern struct mutex iopmem_bufs_mutex;
extern const struct dma_buf_ops iopmem_buf_ops;

bool iopmem_buf_idle(struct iopmem_buf *b);
void iopmem_buf_unlink(struct iopmem_buf *b);
void iopmem_buf_put(struct iopmem_buf *b);

#endif /* IOPMEM_DMABUF_BUF_H */
