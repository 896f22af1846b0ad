// SPDX-License-Identifier: GPL-2.0-only
/*
 * UNMAP: file bytes are reachable no more.
 */
#include "dmabuf.h"

#include "trace.h"

/*
 * Under map_lock no page comes back: a fault waits for it.  Zap first, then
 * look for pins, so that none can appear between.
 */
static int iopmem_unmap_locked(struct file *file, u64 start, u64 end)
{
	struct iopmem_layout *l = file->private_data;

	unmap_mapping_range(file->f_mapping, start, end - start, 1);
	/* A dma-buf may have been exported since they were revoked. */
	if (iopmem_extent_busy(l, start, end) || iopmem_dmabuf_busy(l, start, end))
		return -EBUSY;
	iopmem_extent_erase(l, start, end);
	return 0;
}

/**
 * iopmem_unmap - forget a range
 * @file:  a layout fd
 * @start: first byte, page-aligned
 * @end:   one past the last
 *
 * dma-bufs that reach into it are revoked for good, also when it fails.
 *
 * Return: 0, -EBUSY somebody references pages or has a dma-buf mapped, -EINTR.
 */
int iopmem_unmap(struct file *file, u64 start, u64 end)
{
	struct iopmem_layout *l = file->private_data;
	int err = iopmem_dmabuf_retire(l, start, end);

	if (!err) {
		down_write(&l->map_lock);
		err = iopmem_unmap_locked(file, start, end);
		up_write(&l->map_lock);
	}
	trace_iopmem_unmap(l->inode->i_ino, start, end - start, err);
	return err;
}
