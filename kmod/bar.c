// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a card: which BAR, and its pages.
 */
#include "iopmem.h"

#include <linux/delay.h>
#include <linux/sizes.h>

/* The BAR that the administrator names, or -errno after a message. */
static int iopmem_bar_named(struct pci_dev *pdev, int bar)
{
	if (!(pci_resource_flags(pdev, bar) & IORESOURCE_MEM) ||
	    !pci_resource_len(pdev, bar)) {
		pci_err(pdev, "parameter bar: BAR %d is no memory BAR\n", bar);
		return -ENODEV;
	}
	return bar;
}

static int iopmem_bar_largest(struct pci_dev *pdev)
{
	resource_size_t best = 0;
	int i, bar = -ENODEV;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		unsigned long flags = pci_resource_flags(pdev, i);

		if (!(flags & IORESOURCE_MEM) || !(flags & IORESOURCE_PREFETCH) ||
		    pci_resource_len(pdev, i) <= best)
			continue;
		best = pci_resource_len(pdev, i);
		bar = i;
	}
	if (bar < 0)
		pci_err(pdev, "no prefetchable memory BAR; name one with the parameter bar=%s=<n>\n",
			pci_name(pdev));
	return bar;
}

/* A function whose whole BAR is the memory. */
static int iopmem_bar_whole(struct iopmem_dev *dev, int named)
{
	struct pci_dev *pdev = dev->pdev;
	int bar;

	bar = named >= 0 ? iopmem_bar_named(pdev, named) : iopmem_bar_largest(pdev);
	if (bar < 0)
		return bar;
	if (pci_resource_flags(pdev, bar) & IORESOURCE_UNSET) {
		pci_err(pdev, "BAR %d %pR: the platform has given it no address\n", bar,
			&pdev->resource[bar]);
		return -ENODEV;
	}
	/* ZONE_DEVICE works in subsections of 2 MiB */
	if (!IS_ALIGNED(pci_resource_start(pdev, bar), SZ_2M) ||
	    !IS_ALIGNED(pci_resource_len(pdev, bar), SZ_2M)) {
		pci_err(pdev, "BAR %d %pR: begins or ends inside a 2 MiB page\n", bar,
			&pdev->resource[bar]);
		return -EINVAL;
	}
	dev->bar = bar;
	dev->phys = pci_resource_start(pdev, bar);
	dev->size = pci_resource_len(pdev, bar);
	dev->why = named >= 0 ? "parameter bar" : "largest prefetchable";
	return 0;
}

/**
 * iopmem_bar_select - where the memory is
 * @dev: the card, its function enabled
 *
 * Sets bar, phys, size, persistent and why.  An NVMe controller is asked for it,
 * because its BARs hold other things as well.
 *
 * Return: 0, or -errno after a message.
 */
int iopmem_bar_select(struct iopmem_dev *dev)
{
	int named = iopmem_param_bar(dev->pdev);

	if (dev->pdev->class == PCI_CLASS_STORAGE_EXPRESS)
		return iopmem_nvme_select(dev, named);
	return iopmem_bar_whole(dev, named);
}

static const struct dev_pagemap_ops iopmem_pagemap_ops = {
	.memory_failure = iopmem_poison_failure,
};

/**
 * iopmem_bar_map - struct pages and a kernel mapping for the BAR
 * @dev: the card, @dev->bar chosen
 *
 * MEMORY_DEVICE_FS_DAX is the only type that fs/dax works with.  All of it is
 * undone by devres, in reverse order.
 */
int iopmem_bar_map(struct iopmem_dev *dev)
{
	struct device *d = &dev->pdev->dev;
	int err;

	if (!devm_request_mem_region(d, dev->phys, dev->size, IOPMEM_NAME)) {
		pci_err(dev->pdev, "BAR %d %pR is in use by another driver\n",
			dev->bar, &dev->pdev->resource[dev->bar]);
		return -EBUSY;
	}

	dev->cache_user = iopmem_cache_default(dev->phys);
	err = iopmem_cache_reserve(dev);
	if (err)
		return err;

	dev->pgmap.type = MEMORY_DEVICE_FS_DAX;
	dev->pgmap.range.start = dev->phys;
	dev->pgmap.range.end = dev->phys + dev->size - 1;
	dev->pgmap.nr_range = 1;
	dev->pgmap.ops = &iopmem_pagemap_ops;
	dev->pgmap.owner = dev;
	dev->va = devm_memremap_pages(d, &dev->pgmap);
	if (IS_ERR(dev->va)) {
		pci_err(dev->pdev, "BAR %d: devm_memremap_pages: %ld\n",
			dev->bar, PTR_ERR(dev->va));
		return PTR_ERR(dev->va);
	}
	dev->cache = iopmem_cache_of(dev->va);
	if (!IOPMEM_FSDAX_USER_WB)
		dev->cache_user = dev->cache;
	return 0;
}

/**
 * iopmem_bar_wait_idle - wait until nobody holds a page of the BAR
 * @dev: the card, without layouts and with its disk gone
 *
 * What can still be held are pages that a local program pinned through a DAX
 * mapping (direct I/O to another disk, say); such pins are short.
 */
void iopmem_bar_wait_idle(struct iopmem_dev *dev)
{
	unsigned long report = jiffies + IOPMEM_REPORT_FIRST;
	struct page *page = pfn_to_page(PHYS_PFN(dev->phys));
	u64 i, n = dev->size >> PAGE_SHIFT;

	for (i = 0; i < n; i++) {
		while (iopmem_page_busy(page + i)) {
			if (time_after(jiffies, report)) {
				pci_warn(dev->pdev, "removal waits for a pinned page at offset %#llx\n",
					 i << PAGE_SHIFT);
				report = jiffies + IOPMEM_REPORT_MAX;
			}
			msleep(20);
		}
		cond_resched();
	}
}

/**
 * iopmem_bar_in_file - does a file system keep a DAX entry for a page?
 * @dev:    the card
 * @offset: result: of the first such page
 */
bool iopmem_bar_in_file(struct iopmem_dev *dev, u64 *offset)
{
	struct page *page = pfn_to_page(PHYS_PFN(dev->phys));
	u64 i, n = dev->size >> PAGE_SHIFT;

	for (i = 0; i < n; i++) {
		if (READ_ONCE(page_folio(page + i)->mapping)) {
			*offset = i << PAGE_SHIFT;
			return true;
		}
		cond_resched();
	}
	return false;
}
