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
	if (likely(mtree_empty(&dev->bad)))
		return PHYS_PFN(dev->size - offset);

	nr_pages = min_t(long, nr_pages, PHYS_PFN(dev->size - offset));
	if (nr_pages > 0 && iopmem_poison_in(dev, offset, PFN_PHYS(nr_pages))) {
		if (mode != DAX_RECOVERY_WRITE)
			return IOPMEM_DAX_POISONED;
		/* Page by page: good and bad ones change places quickly. */
		return 1;
	}
	return nr_pages;
}

static int iopmem_dax_zero_page_range(struct dax_device *dax, pgoff_t pgoff,
				      size_t nr_pages)
{
	struct iopmem_dev *dev = dax_get_private(dax);
	u64 offset = PFN_PHYS(pgoff), len = PFN_PHYS(nr_pages);

	if (offset > dev->size || len > dev->size - offset)
		return -ERANGE;
	return iopmem_bar_zero(dev, offset, len);
}

static const struct dax_operations iopmem_dax_ops = {
	.direct_access = iopmem_dax_direct_access,
	.zero_page_range = iopmem_dax_zero_page_range,
	.recovery_write = iopmem_poison_recovery_write,
};

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
	cached = iopmem_cache_hides(dev->cache) || iopmem_cache_hides(dev->cache_user);
	dax_write_cache(dev->dax, cached);
	return 0;
}
