/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module knows about kernel versions and dma-bufs; see compat.h.
 */
#ifndef IOPMEM_COMPAT_DMABUF_H
#define IOPMEM_COMPAT_DMABUF_H

#include "compat/conftest.h"

#include <linux/dma-buf.h>
#include <linux/module.h>
#include <linux/pci-p2pdma.h>

/* ---- symbol namespaces: strings since 6.13 -------------------------------- */

#ifdef HAVE_IMPORT_NS_TOKEN
#define IOPMEM_IMPORT_DMA_BUF	MODULE_IMPORT_NS(DMA_BUF)
#else
#define IOPMEM_IMPORT_DMA_BUF	MODULE_IMPORT_NS("DMA_BUF")
#endif

/* ---- revocable importers: dma_buf_attach_revocable() since 7.x ------------ */

#ifdef HAVE_DMA_BUF_ATTACH_REVOCABLE
/* An importer that pins and can be revoked all the same is told apart. */
#define IOPMEM_PINS_REVOCABLE	true
/* Does the kernel itself pin for each mapping? */
#define IOPMEM_MAP_PINS		false

static inline bool iopmem_attach_revocable(struct dma_buf_attachment *attach)
{
	return dma_buf_attach_revocable(attach);
}

static inline void iopmem_invalidate(struct dma_buf *dmabuf)
{
	dma_buf_invalidate_mappings(dmabuf);
}
#else
/* Every importer with operations must have move_notify; one that pins ignores it. */
#define IOPMEM_PINS_REVOCABLE	false
#define IOPMEM_MAP_PINS		(!IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY))

static inline bool iopmem_attach_revocable(struct dma_buf_attachment *attach)
{
	return attach->importer_ops;
}

static inline void iopmem_invalidate(struct dma_buf *dmabuf)
{
	dma_buf_move_notify(dmabuf);
}
#endif

/* ---- ranges of a BAR for an importer: dma_buf_phys_vec_to_sgt() since 7.x -- */

#ifdef HAVE_DMA_BUF_PHYS_VEC_TO_SGT
#include <linux/dma-buf-mapping.h>

#define iopmem_phys		phys_vec

/* Does the kernel know a way from the importer to the card? */
static inline bool iopmem_p2p_mappable(struct pci_dev *card, struct device *importer)
{
	return IS_ENABLED(CONFIG_PCI_P2PDMA) && !pcim_p2pdma_init(card) &&
	       pci_p2pdma_distance(card, importer, false) >= 0;
}

static inline struct sg_table *
iopmem_p2p_map(struct dma_buf_attachment *attach, struct pci_dev *card, int bar,
	       struct iopmem_phys *runs, size_t nr, size_t size,
	       enum dma_data_direction dir)
{
	return dma_buf_phys_vec_to_sgt(attach, pcim_p2pdma_provider(card, bar), runs,
				       nr, size, dir);
}

static inline void iopmem_p2p_unmap(struct dma_buf_attachment *attach,
				    struct sg_table *sgt, enum dma_data_direction dir)
{
	dma_buf_free_sgt(attach, sgt, dir);
}
#else
struct iopmem_phys {
	phys_addr_t paddr;
	size_t len;
};

static inline bool iopmem_p2p_mappable(struct pci_dev *card, struct device *importer)
{
	return false;
}

static inline struct sg_table *
iopmem_p2p_map(struct dma_buf_attachment *attach, struct pci_dev *card, int bar,
	       struct iopmem_phys *runs, size_t nr, size_t size,
	       enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iopmem_p2p_unmap(struct dma_buf_attachment *attach,
				    struct sg_table *sgt, enum dma_data_direction dir)
{
}
#endif

#endif /* IOPMEM_COMPAT_DMABUF_H */
