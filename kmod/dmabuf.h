/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-bufs of mapped ranges: memory for NICs that import it and let it be taken
 * away again.
 */
#ifndef IOPMEM_DMABUF_H
#define IOPMEM_DMABUF_H

#include "layout.h"

#ifdef CONFIG_DMA_SHARED_BUFFER
#define IOPMEM_CAN_DMABUF	true
struct file *iopmem_dmabuf_export(struct iopmem_layout *l, u64 start, u64 end, bool rw);
void iopmem_dmabuf_revoke(struct iopmem_layout *l, u64 start, u64 end);
bool iopmem_dmabuf_busy(struct iopmem_layout *l, u64 start, u64 end);
int iopmem_dmabuf_retire(struct iopmem_layout *l, u64 start, u64 end);
void iopmem_dmabuf_count(struct iopmem_layout *l, struct iopmem_counts *counts);
int iopmem_dmabuf_importers(struct iopmem_layout *l, char *buf, int at,
			    unsigned int *more);
void iopmem_dmabuf_holder(struct iopmem_layout *l, char *name, size_t size);
#else
#define IOPMEM_CAN_DMABUF	false
static inline struct file *iopmem_dmabuf_export(struct iopmem_layout *l, u64 start,
						u64 end, bool rw)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iopmem_dmabuf_revoke(struct iopmem_layout *l, u64 start, u64 end) { }

static inline bool iopmem_dmabuf_busy(struct iopmem_layout *l, u64 start, u64 end)
{
	return false;
}

static inline int iopmem_dmabuf_retire(struct iopmem_layout *l, u64 start, u64 end)
{
	return 0;
}

static inline void iopmem_dmabuf_count(struct iopmem_layout *l,
				       struct iopmem_counts *counts) { }

static inline int iopmem_dmabuf_importers(struct iopmem_layout *l, char *buf, int at,
					  unsigned int *more)
{
	return at;
}

static inline void iopmem_dmabuf_holder(struct iopmem_layout *l, char *name, size_t size)
{
	*name = '\0';
}
#endif

#endif /* IOPMEM_DMABUF_H */
