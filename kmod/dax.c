// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DAX device: file systems reach the BAR directly.
 */
#include "iopmem.h"

static long iopmem_dax_direct_access(struct dax_device *dax, pgoff_t pgoff,
				     long nr_pages, enum dax_access_mode mode,
				     void **kaddr, iopmem_pfn_t *pfn)
{
	struct iopmem_dev *dev = dax_get_private(dax);
	u64 offset = PFN_PHYS(pgoff);

	if (offset >= dev->size)
		return -ERANGE;
	if (kaddr)
		*kaddr = dev->va + offset;
	if (pfn)
		*pfn = iopmem_pfn(dev->phys + offset);
	return PHYS_PFN(dev->size - offset);
}

static int iopmem_dax_zero_page_range(struct dax_device *dax, pgoff_t pgoff,
				      size_t nr_pages)
{
	struct iopmem_dev *dev = dax_get_private(dax);
	u64 offset = PFN_PHYS(pgoff), len = PFN_PHYS(nr_pages);

	if (offset > dev->size || len > dev->size - offset)
		return -ERANGE;
	iopmem_bar_zero(dev, offset, len);
	return 0;
}

/* No recovery_write: direct_access never reports poison, so none can follow. */
static const struct dax_operations iopmem_dax_ops = {
	.direct_access = iopmem_dax_direct_access,
	.zero_page_range = iopmem_dax_zero_page_range,
};

/* dev_pagemap_ops.memory_failure: tell the file system about bad pages. */
int iopmem_dax_memory_failure(struct dev_pagemap *pgmap, unsigned long pfn,
			      unsigned long nr_pages, int mf_flags)
{
	struct iopmem_dev *dev = container_of(pgmap, struct iopmem_dev, pgmap);

	return dax_holder_notify_failure(dev->dax, PFN_PHYS(pfn) - dev->phys,
					 PFN_PHYS(nr_pages), mf_flags);
}

/**
 * iopmem_dax_add - make the DAX device
 * @dev: the card, mapped
 *
 * MAP_SYNC is not offered (set_dax_synchronous()): a program's fence does not
 * make posted writes arrive, only iopmem_bar_flush() does.
 */
int iopmem_dax_add(struct iopmem_dev *dev)
{
	bool cached;

	dev->dax = alloc_dax(dev, &iopmem_dax_ops);
	if (IS_ERR_OR_NULL(dev->dax)) {
		/* NULL is how 6.1 says CONFIG_DAX=n */
		pci_err(dev->pdev, "alloc_dax: %ld\n",
			dev->dax ? PTR_ERR(dev->dax) : -EOPNOTSUPP);
		return dev->dax ? PTR_ERR(dev->dax) : -EOPNOTSUPP;
	}
	set_dax_nocache(dev->dax);
	set_dax_nomc(dev->dax);
	/* Only a cached mapping has cache lines to write back. */
	cached = dev->cache == IOPMEM_CACHE_WB || dev->cache == IOPMEM_CACHE_UNKNOWN;
	dax_write_cache(dev->dax, cached);
	return 0;
}
