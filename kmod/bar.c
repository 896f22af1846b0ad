// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a card: which BAR, and its pages.
 */
#include "iopmem.h"

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/string.h>

static char *bar_param;
module_param_named(bar, bar_param, charp, 0444);
MODULE_PARM_DESC(bar, "BAR to use per function, e.g. bar=0000:00:05.0=2,0000:00:06.0=4; else the largest prefetchable memory BAR");

static char *coherent_param;
module_param_named(coherent, coherent_param, charp, 0444);
MODULE_PARM_DESC(coherent, "cards that need no write-combining: 1 (all) or a list of functions. Say so only of emulated or cache-coherent cards");

/*
 * Finds a function in a list of BDF or BDF=VALUE separated by commas.
 * Return: what follows the name ("", ",..." or "=..."), or NULL.
 */
static const char *iopmem_param_find(const char *list, struct pci_dev *pdev)
{
	const char *name = pci_name(pdev);
	size_t len = strlen(name);

	while (list && *list) {
		if (!strncasecmp(list, name, len) &&
		    (!list[len] || strchr(",=\n", list[len])))
			return list + len;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return NULL;
}

/**
 * iopmem_bar_declared_coherent - did the administrator say so on loading?
 * @pdev: the function
 */
bool iopmem_bar_declared_coherent(struct pci_dev *pdev)
{
	return coherent_param && (!strcmp(coherent_param, "1") ||
				  iopmem_param_find(coherent_param, pdev));
}

/**
 * iopmem_bar_select - which BAR holds the memory
 * @pdev: the function, enabled
 *
 * Return: its number, or -errno after a message.
 */
int iopmem_bar_select(struct pci_dev *pdev)
{
	const char *value = iopmem_param_find(bar_param, pdev);
	resource_size_t best = 0;
	int i, bar = -ENODEV;

	if (value) {
		if (value[0] != '=' || value[1] < '0' || value[1] > '5' ||
		    (value[2] && value[2] != ',')) {
			pci_err(pdev, "parameter bar: want %s=<0..5>, got \"%s%s\"\n",
				pci_name(pdev), pci_name(pdev), value);
			return -EINVAL;
		}
		bar = value[1] - '0';
		if (!(pci_resource_flags(pdev, bar) & IORESOURCE_MEM) ||
		    !pci_resource_len(pdev, bar)) {
			pci_err(pdev, "parameter bar: BAR %d is no memory BAR\n", bar);
			return -ENODEV;
		}
	} else {
		for (i = 0; i < PCI_STD_NUM_BARS; i++) {
			unsigned long flags = pci_resource_flags(pdev, i);

			if (!(flags & IORESOURCE_MEM) ||
			    !(flags & IORESOURCE_PREFETCH) ||
			    pci_resource_len(pdev, i) <= best)
				continue;
			best = pci_resource_len(pdev, i);
			bar = i;
		}
		if (bar < 0) {
			pci_err(pdev, "no prefetchable memory BAR; name one with the parameter bar=%s=<n>\n",
				pci_name(pdev));
			return -ENODEV;
		}
	}
	/* ZONE_DEVICE works in subsections of 2 MiB */
	if (!IS_ALIGNED(pci_resource_start(pdev, bar), SZ_2M) ||
	    !IS_ALIGNED(pci_resource_len(pdev, bar), SZ_2M)) {
		pci_err(pdev, "BAR %d %pR: not a multiple of 2 MiB\n", bar,
			&pdev->resource[bar]);
		return -EINVAL;
	}
	return bar;
}

static const struct dev_pagemap_ops iopmem_pagemap_ops = {
	.memory_failure = iopmem_dax_memory_failure,
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

	dev->phys = pci_resource_start(dev->pdev, dev->bar);
	dev->size = pci_resource_len(dev->pdev, dev->bar);

	if (!devm_request_mem_region(d, dev->phys, dev->size, IOPMEM_NAME)) {
		pci_err(dev->pdev, "BAR %d %pR is in use by another driver\n",
			dev->bar, &dev->pdev->resource[dev->bar]);
		return -EBUSY;
	}

	/*
	 * Before the remap: afterwards set_memory_wc() conflicts with the type
	 * that the remap reserved.  A coherent card may be cached.
	 */
	if (!dev->coherent) {
		err = devm_arch_io_reserve_memtype_wc(d, dev->phys, dev->size);
		if (err)
			pci_warn(dev->pdev, "BAR %d: no write-combining (%d)\n",
				 dev->bar, err);
	}

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
	dev->cache = iopmem_bar_read_cache(dev->va);
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
	unsigned long report = jiffies + 30 * HZ;
	struct page *page = pfn_to_page(PHYS_PFN(dev->phys));
	u64 i, n = dev->size >> PAGE_SHIFT;

	for (i = 0; i < n; i++) {
		while (iopmem_page_busy(page + i)) {
			if (time_after(jiffies, report)) {
				pci_warn(dev->pdev, "removal waits for a pinned page at offset %#llx\n",
					 i << PAGE_SHIFT);
				report = jiffies + 30 * HZ;
			}
			msleep(20);
		}
		cond_resched();
	}
}
