// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a card: which BAR, how it is mapped, and every CPU access.
 *
 * The CPU touches a BAR by naturally aligned accesses of at most 8 bytes only:
 * cards have restrictions, and plain memcpy() may do anything.
 */
#include "iopmem.h"

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/string.h>
#ifdef CONFIG_X86_64
#include <linux/pgtable.h>
#include <asm/memtype.h>
#endif

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

static const char * const iopmem_cache_names[] = {
	[IOPMEM_CACHE_UNKNOWN] = "unknown",
	[IOPMEM_CACHE_WB] = "write-back",
	[IOPMEM_CACHE_WC] = "write-combining",
	[IOPMEM_CACHE_UC_MINUS] = "uncached-minus",
	[IOPMEM_CACHE_UC] = "uncached",
	[IOPMEM_CACHE_WT] = "write-through",
};

const char *iopmem_bar_cache_name(enum iopmem_cache cache)
{
	return iopmem_cache_names[cache];
}

/**
 * iopmem_bar_safe - may others write this memory while the CPU maps it?
 * @dev: the card
 *
 * A cached mapping of a BAR that does not snoop hides or overwrites what the
 * NIC writes.
 */
bool iopmem_bar_safe(const struct iopmem_dev *dev)
{
	return dev->coherent || dev->cache == IOPMEM_CACHE_WC ||
	       dev->cache == IOPMEM_CACHE_UC_MINUS ||
	       dev->cache == IOPMEM_CACHE_UC;
}

/*
 * The type in force, out of the page table: the kernel may have granted another
 * one than was asked for (MTRRs, or somebody else's mapping).
 */
static enum iopmem_cache iopmem_bar_read_cache(void *va)
{
#ifdef CONFIG_X86_64
	/* As Linux programs the PAT: PAT, PCD and PWT bits -> type. */
	static const u8 types[] = {
		IOPMEM_CACHE_WB, IOPMEM_CACHE_WC,
		IOPMEM_CACHE_UC_MINUS, IOPMEM_CACHE_UC,
		IOPMEM_CACHE_WB, IOPMEM_CACHE_UNKNOWN,
		IOPMEM_CACHE_UC_MINUS, IOPMEM_CACHE_WT,
	};
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)va, &level);
	pteval_t v, pat = level == PG_LEVEL_4K ? _PAGE_PAT : _PAGE_PAT_LARGE;

	if (!pte || !pat_enabled())
		return IOPMEM_CACHE_UNKNOWN;
	v = pte_val(*pte);
	return types[(v & pat ? 4 : 0) | (v & _PAGE_PCD ? 2 : 0) |
		     (v & _PAGE_PWT ? 1 : 0)];
#else
	return IOPMEM_CACHE_UNKNOWN;
#endif
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

static inline u8 __iomem *iopmem_bar_at(struct iopmem_dev *dev, u64 offset)
{
	return (u8 __iomem __force *)dev->va + offset;
}

/**
 * iopmem_bar_read - copy out of the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @to:		ordinary memory
 * @len:	bytes, inside the BAR
 */
void iopmem_bar_read(struct iopmem_dev *dev, u64 offset, void *to, size_t len)
{
	const u8 __iomem *from = iopmem_bar_at(dev, offset);
	u64 word;

	for (; len && !IS_ALIGNED((unsigned long)from, 8); len--)
		*(u8 *)to++ = __raw_readb(from++);
	for (; len >= 8; len -= 8, from += 8, to += 8) {
		word = __raw_readq(from);
		memcpy(to, &word, 8);	/* @to may be unaligned */
	}
	for (; len; len--)
		*(u8 *)to++ = __raw_readb(from++);
}

/**
 * iopmem_bar_write - copy into the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @from:	ordinary memory
 * @len:	bytes, inside the BAR
 *
 * The bytes are on their way; iopmem_bar_flush() makes them arrive.
 */
void iopmem_bar_write(struct iopmem_dev *dev, u64 offset, const void *from,
		      size_t len)
{
	u8 __iomem *to = iopmem_bar_at(dev, offset);
	size_t total = len;
	u64 word;

	for (; len && !IS_ALIGNED((unsigned long)to, 8); len--)
		__raw_writeb(*(const u8 *)from++, to++);
	for (; len >= 8; len -= 8, from += 8, to += 8) {
		memcpy(&word, from, 8);
		__raw_writeq(word, to);
	}
	for (; len; len--)
		__raw_writeb(*(const u8 *)from++, to++);
	iopmem_bar_writeback(dev, offset, total);
}

/**
 * iopmem_bar_zero - zero bytes of the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @len:	bytes, inside the BAR
 *
 * Touches no byte outside the range, not even to write back what was there: a
 * local program may be storing right beside it.  May sleep.
 */
void iopmem_bar_zero(struct iopmem_dev *dev, u64 offset, u64 len)
{
	u8 __iomem *to = iopmem_bar_at(dev, offset);
	u64 total = len;

	for (; len && !IS_ALIGNED((unsigned long)to, 8); len--)
		__raw_writeb(0, to++);
	for (; len >= 8; len -= 8, to += 8) {
		__raw_writeq(0, to);
		if (!(len & (SZ_1M - 1)))
			cond_resched();
	}
	for (; len; len--)
		__raw_writeb(0, to++);
	iopmem_bar_writeback(dev, offset, total);
}

/**
 * iopmem_bar_writeback - push CPU caches out, where the mapping has any
 * @dev:	the card
 * @offset:	in the BAR
 * @len:	bytes
 */
void iopmem_bar_writeback(struct iopmem_dev *dev, u64 offset, u64 len)
{
	/* A no-op unless dax_write_cache() was set, see iopmem_dax_add(). */
	dax_flush(dev->dax, dev->va + offset, len);
}

/**
 * iopmem_bar_flush - make everything that the CPU wrote arrive at the card
 * @dev: the card
 *
 * The fence empties the write-combining buffers; the read cannot overtake the
 * posted writes on the link, so when it is answered they have arrived.  It says
 * nothing about another requester's writes: a NIC's client reads back on its
 * own connection before it commits.
 *
 * Return: 0, or -EIO if the card is no longer there.
 */
int iopmem_bar_flush(struct iopmem_dev *dev)
{
	u32 word;

	wmb();	/* the stores before leave the CPU */
	word = __raw_readl(iopmem_bar_at(dev, 0));
	rmb();	/* the answer before anything that relies on it */
	/* A card that was pulled reads all ones, but so may a healthy one. */
	if (word == ~0U && !pci_device_is_present(dev->pdev))
		return -EIO;
	return 0;
}
