// SPDX-License-Identifier: GPL-2.0-only
/* 7.x: maps ranges of a BAR for an importer, by bus address where a switch allows it */
#include <linux/dma-buf-mapping.h>
#include <linux/pci-p2pdma.h>

struct sg_table *probe(struct dma_buf_attachment *attach, struct pci_dev *card);
struct sg_table *probe(struct dma_buf_attachment *attach, struct pci_dev *card)
{
	struct phys_vec vec = { .paddr = 0, .len = PAGE_SIZE };

	if (pcim_p2pdma_init(card))
		return NULL;
	return dma_buf_phys_vec_to_sgt(attach, pcim_p2pdma_provider(card, 0), &vec,
				       1, PAGE_SIZE, DMA_BIDIRECTIONAL);
}
