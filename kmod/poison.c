// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a card with memory errors.
 *
 * memory_failure() names them, after a machine check or by injection; x86 has
 * then taken the page out of the kernel's own mapping, and touching it there
 * would be an oops.  So every access of the kernel asks here first: a read
 * fails, and so does a write of a part; a write of the whole page makes it good
 * again, because the card computes its check bits anew.
 */
#include "iopmem.h"

#include <linux/dax.h>
#include <linux/set_memory.h>
#include <linux/uio.h>

/* The tree holds page numbers in the card's memory, all with the same entry. */
#define IOPMEM_BAD	xa_mk_value(1)

static void iopmem_poison_free(void *data)
{
	mtree_destroy(data);
}

/**
 * iopmem_poison_init - no page is bad yet
 * @dev: the card, not mapped; devres ends it after the pages are gone
 */
int iopmem_poison_init(struct iopmem_dev *dev)
{
	/* Looked at without its lock while another page goes bad. */
	mt_init_flags(&dev->bad, MT_FLAGS_USE_RCU);
	return devm_add_action_or_reset(&dev->pdev->dev, iopmem_poison_free, &dev->bad);
}

/**
 * iopmem_poison_in - is there a bad page in a range?
 * @dev:    the card
 * @offset: of the range
 * @len:    bytes, not 0
 */
bool iopmem_poison_in(struct iopmem_dev *dev, u64 offset, u64 len)
{
	unsigned long index = PHYS_PFN(offset);

	return unlikely(!mtree_empty(&dev->bad)) &&
	       mt_find(&dev->bad, &index, PHYS_PFN(offset + len - 1));
}

/**
 * iopmem_poison_heal - bad pages are about to be overwritten
 * @dev:    the card
 * @offset: of what will be written
 * @len:    bytes
 *
 * Return: 0 when it may be written, iopmem_poison_forget() is to follow; -EIO
 * when a bad page would be written in part.
 */
int iopmem_poison_heal(struct iopmem_dev *dev, u64 offset, u64 len)
{
	pgoff_t i, end = PHYS_PFN(offset + len);

	if (!len || !iopmem_poison_in(dev, offset, len))
		return 0;
	if (!PAGE_ALIGNED(offset) && mtree_load(&dev->bad, PHYS_PFN(offset)))
		return -EIO;
	if (!PAGE_ALIGNED(offset + len) && mtree_load(&dev->bad, end))
		return -EIO;
	for (i = PFN_UP(offset); i < end; i++) {
		unsigned long pfn = PHYS_PFN(dev->phys) + i;

		if (mtree_load(&dev->bad, i) && iopmem_clear_hwpoison(pfn_to_page(pfn)))
			clear_mce_nospec(pfn);
	}
	return 0;
}

/**
 * iopmem_poison_forget - whole pages have been overwritten
 * @dev:    the card
 * @offset: of what was written
 * @len:    bytes
 */
void iopmem_poison_forget(struct iopmem_dev *dev, u64 offset, u64 len)
{
	pgoff_t first = PFN_UP(offset), end = PHYS_PFN(offset + len);

	/* On failure they stay bad.  This may be what reclaim waits for. */
	if (!mtree_empty(&dev->bad) && first < end)
		mtree_store_range(&dev->bad, first, end - 1, NULL, GFP_NOIO);
}

/**
 * iopmem_poison_good - a place that can be read
 * @dev:    the card
 * @offset: result: of the first page without a memory error
 *
 * Return: whether there is one.
 */
bool iopmem_poison_good(struct iopmem_dev *dev, u64 *offset)
{
	MA_STATE(mas, &dev->bad, 0, 0);
	unsigned long page = 0;

	if (unlikely(!mtree_empty(&dev->bad))) {
		rcu_read_lock();
		while (mas_walk(&mas)) {
			page = mas.last + 1;
			mas_set(&mas, page);
		}
		rcu_read_unlock();
	}
	*offset = (u64)page << PAGE_SHIFT;
	return *offset < dev->size;
}

/* Bytes of bad pages, for sysfs. */
u64 iopmem_poison_bytes(struct iopmem_dev *dev)
{
	MA_STATE(mas, &dev->bad, 0, 0);
	u64 pages = 0;
	void *entry;

	rcu_read_lock();
	mas_for_each(&mas, entry, ULONG_MAX)
		pages += mas.last - mas.index + 1;
	rcu_read_unlock();
	return pages << PAGE_SHIFT;
}

/**
 * iopmem_poison_failure - dev_pagemap_ops.memory_failure
 * @pgmap:    of the card
 * @pfn:      first bad page
 * @nr_pages: how many
 * @mf_flags: for the file system
 *
 * Return: of the file system; -EOPNOTSUPP lets the kernel look for the processes
 * itself, as for XFS without a reverse map.
 */
int iopmem_poison_failure(struct dev_pagemap *pgmap, unsigned long pfn,
			  unsigned long nr_pages, int mf_flags)
{
	struct iopmem_dev *dev = container_of(pgmap, struct iopmem_dev, pgmap);
	u64 offset = PFN_PHYS(pfn) - dev->phys;
	int err;

	err = mtree_store_range(&dev->bad, PHYS_PFN(offset),
				PHYS_PFN(offset) + nr_pages - 1, IOPMEM_BAD, GFP_KERNEL);
	pci_err(dev->pdev, "memory error at offset %#llx, %lu pages%s\n", offset, nr_pages,
		err ? ", which could not be noted" : "; writing them whole makes them good");
	return dax_holder_notify_failure(dev->dax, offset, PFN_PHYS(nr_pages), mf_flags);
}

/**
 * iopmem_poison_recovery_write - dax_operations.recovery_write
 * @dax:   of the card
 * @pgoff: page
 * @addr:  where, in the kernel's mapping
 * @bytes: how many
 * @iter:  what
 *
 * Return: bytes written, 0 when a bad page would be written in part.
 */
size_t iopmem_poison_recovery_write(struct dax_device *dax, pgoff_t pgoff, void *addr,
				    size_t bytes, struct iov_iter *iter)
{
	struct iopmem_dev *dev = dax_get_private(dax);
	u64 offset = PFN_PHYS(pgoff) + offset_in_page(addr);
	size_t done;

	if (iopmem_poison_heal(dev, offset, bytes))
		return 0;
	done = _copy_from_iter_flushcache(addr, bytes, iter);
	iopmem_poison_forget(dev, offset, done);
	return done;
}
