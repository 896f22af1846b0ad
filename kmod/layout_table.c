// SPDX-License-Identifier: GPL-2.0-only
/*
 * All layouts by inode: finding, breaking, revoking and counting them.
 */
#include "dmabuf.h"

#include <linux/hashtable.h>
#include <linux/pid.h>
#include <linux/sysfs.h>

#include "trace.h"

/*
 * All layouts by inode.  Looked up from lm_break's and the kprobe's context,
 * hence raw; who sleeps while walking takes iopmem_layouts_mutex, which every
 * change takes as well.
 */
static DEFINE_HASHTABLE(iopmem_table, 10);
static DEFINE_RAW_SPINLOCK(iopmem_table_lock);
static DEFINE_MUTEX(iopmem_layouts_mutex);

static struct iopmem_layout *iopmem_table_find(const struct inode *inode)
{
	struct iopmem_layout *l;

	hash_for_each_possible(iopmem_table, l, hash, (unsigned long)inode)
		if (l->inode == inode)
			return l;
	return NULL;
}

int iopmem_table_add(struct iopmem_layout *l)
{
	unsigned long flags;
	int err = 0;

	mutex_lock(&iopmem_layouts_mutex);
	raw_spin_lock_irqsave(&iopmem_table_lock, flags);
	if (iopmem_table_find(l->inode))
		err = -EBUSY;
	else
		hash_add(iopmem_table, &l->hash, (unsigned long)l->inode);
	raw_spin_unlock_irqrestore(&iopmem_table_lock, flags);
	mutex_unlock(&iopmem_layouts_mutex);
	return err;
}

void iopmem_table_del(struct iopmem_layout *l)
{
	unsigned long flags;

	mutex_lock(&iopmem_layouts_mutex);
	raw_spin_lock_irqsave(&iopmem_table_lock, flags);
	hash_del(&l->hash);
	raw_spin_unlock_irqrestore(&iopmem_table_lock, flags);
	mutex_unlock(&iopmem_layouts_mutex);
}

/**
 * iopmem_layout_break - recall a layout
 * @l:	 the layout
 * @why: for the trace
 *
 * Any context but NMI, spinlocks held: sets a flag and wakes poll().
 */
void iopmem_layout_break(struct iopmem_layout *l, enum iopmem_break why)
{
	if (test_and_set_bit(IOPMEM_BROKEN, &l->state))
		return;
	trace_iopmem_break(l->inode->i_ino, why);
	irq_work_queue(&l->notify);
}

/**
 * iopmem_layout_break_inode - somebody looks for busy pages of a file
 * @inode: of the file, with or without a layout
 *
 * Our own extend is not a break: it looks for busy pages itself, beforehand.
 */
void iopmem_layout_break_inode(struct inode *inode)
{
	struct iopmem_layout *l;
	unsigned long flags;

	raw_spin_lock_irqsave(&iopmem_table_lock, flags);
	l = iopmem_table_find(inode);
	if (l && READ_ONCE(l->insider) != current)
		iopmem_layout_break(l, IOPMEM_BREAK_BUSY_PAGE);
	raw_spin_unlock_irqrestore(&iopmem_table_lock, flags);
}

/**
 * iopmem_layout_within - has the file of a file system's inode a layout?
 * @object: address of the file system's inode, which holds the VFS inode
 *
 * For kprobes.  The VFS inode is somewhere in the object, and less than its own
 * size behind the beginning, which tests hold for each kernel; the VFS inode of
 * the next object in memory is farther away than that.
 */
bool iopmem_layout_within(unsigned long object)
{
	struct iopmem_layout *l;
	unsigned long flags;
	bool within = false;
	int bucket;

	raw_spin_lock_irqsave(&iopmem_table_lock, flags);
	hash_for_each(iopmem_table, bucket, l, hash)
		if ((unsigned long)l->inode - object < sizeof(struct inode))
			within = true;
	raw_spin_unlock_irqrestore(&iopmem_table_lock, flags);
	return within;
}

/**
 * iopmem_layout_revoke - a card goes away: recall and cut off its layouts
 * @dev: the card, no longer found by LAYOUT_OPEN
 *
 * User mappings are zapped and do not come back, dma-bufs are revoked.  Pins stay
 * until their owner gives them up; iopmem_dev_drain() waits for that, and for
 * importers to unmap.
 */
void iopmem_layout_revoke(struct iopmem_dev *dev)
{
	struct iopmem_layout *l;
	int bucket;

	mutex_lock(&iopmem_layouts_mutex);
	hash_for_each(iopmem_table, bucket, l, hash) {
		if (l->dev != dev)
			continue;
		/* Under map_lock, or a fault on the way would slip past. */
		down_write(&l->map_lock);
		set_bit(IOPMEM_REVOKED, &l->state);
		up_write(&l->map_lock);
		trace_iopmem_revoke(l->inode->i_ino);
		iopmem_layout_break(l, IOPMEM_BREAK_REMOVAL);
		irq_work_queue(&l->notify);
		if (l->mapping)
			unmap_mapping_range(l->mapping, 0, 0, 1);
		iopmem_layout_cut(l);
	}
	mutex_unlock(&iopmem_layouts_mutex);
}

/* So many holders are named in one message. */
#define IOPMEM_REPORT_HOLDERS	8

/**
 * iopmem_layout_report - say in the log who keeps a card from being removed
 * @dev: the card
 */
void iopmem_layout_report(struct iopmem_dev *dev)
{
	unsigned int n = 0, more = 0;
	struct iopmem_layout *l;
	int bucket;

	mutex_lock(&iopmem_layouts_mutex);
	hash_for_each(iopmem_table, bucket, l, hash) {
		struct iopmem_counts c = {};
		char holder[32];

		if (l->dev != dev)
			continue;
		if (n == IOPMEM_REPORT_HOLDERS) {
			more++;
			continue;
		}
		n++;
		iopmem_extent_count(l, &c.mapped, &c.pinned);
		iopmem_dmabuf_count(l, &c);
		iopmem_dmabuf_holder(l, holder, sizeof(holder));
		pci_warn(dev->pdev, "removal waits for %s[%d]: inode %llu, %llu bytes mapped, %llu pinned%s\n",
			 l->comm, pid_nr(l->owner), (u64)l->inode->i_ino, c.mapped, c.pinned,
			 test_bit(IOPMEM_ORPHAN, &l->state) ? ", descriptor closed" : "");
		if (c.dma_mappings)
			pci_warn(dev->pdev, "removal waits for %s: has dma-bufs of inode %llu mapped (%u mappings in all)\n",
				 *holder ? holder : "an importer that is gone",
				 (u64)l->inode->i_ino, c.dma_mappings);
	}
	mutex_unlock(&iopmem_layouts_mutex);
	if (more)
		pci_warn(dev->pdev, "removal waits for %u more layouts\n", more);
}

/* ---- the fd's mapping ----------------------------------------------------- */

void iopmem_layout_attach(struct iopmem_layout *l, struct address_space *m)
{
	mutex_lock(&iopmem_layouts_mutex);
	l->mapping = m;
	mutex_unlock(&iopmem_layouts_mutex);
}

void iopmem_layout_detach(struct iopmem_layout *l)
{
	iopmem_layout_attach(l, NULL);
}

/**
 * iopmem_layout_count - what is out
 * @dev:    only on this card, or NULL for all
 * @counts: result; bytes and dma-bufs only with @dev
 */
void iopmem_layout_count(struct iopmem_dev *dev, struct iopmem_counts *counts)
{
	struct iopmem_layout *l;
	int bucket;

	memset(counts, 0, sizeof(*counts));
	mutex_lock(&iopmem_layouts_mutex);
	hash_for_each(iopmem_table, bucket, l, hash) {
		if (dev && l->dev != dev)
			continue;
		counts->layouts++;
		counts->orphans += test_bit(IOPMEM_ORPHAN, &l->state);
		if (!dev)
			continue;
		iopmem_extent_count(l, &counts->mapped, &counts->pinned);
		iopmem_dmabuf_count(l, counts);
	}
	mutex_unlock(&iopmem_layouts_mutex);
}

/**
 * iopmem_layout_importers - who has dma-bufs of a card, one line each
 * @dev: the card
 * @buf: of a sysfs attribute
 */
int iopmem_layout_importers(struct iopmem_dev *dev, char *buf)
{
	struct iopmem_layout *l;
	unsigned int more = 0;
	int bucket, at = 0;

	mutex_lock(&iopmem_layouts_mutex);
	hash_for_each(iopmem_table, bucket, l, hash)
		if (l->dev == dev)
			at = iopmem_dmabuf_importers(l, buf, at, &more);
	mutex_unlock(&iopmem_layouts_mutex);
	if (more)
		at += sysfs_emit_at(buf, at, "and %u more\n", more);
	return at;
}
