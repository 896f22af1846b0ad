// SPDX-License-Identifier: GPL-2.0-only
/* 7.x: tells importers that can be revoked from others; move_notify was renamed */
#include <linux/dma-buf.h>

bool probe(struct dma_buf_attachment *attach);
bool probe(struct dma_buf_attachment *attach)
{
	dma_buf_invalidate_mappings(attach->dmabuf);
	return dma_buf_attach_revocable(attach);
}
