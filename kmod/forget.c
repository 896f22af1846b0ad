// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making file systems forget a card that goes away.
 *
 * The entries of fs/dax point to struct pages of the BAR, page tables to the
 * BAR itself, and neither kill_dax() nor del_gendisk() takes them away (XFS does
 * it for MF_MEM_PRE_REMOVE, but only with a reverse map).  Left behind, programs
 * go on storing to memory that nobody owns, and the unmount that follows walks
 * over struct pages that are gone.
 */
#include "iopmem.h"

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/pagemap.h>

struct iopmem_forget {
	struct iopmem_dev *dev;
	void (*visit)(struct inode *inode);
};

static void iopmem_forget_unmap(struct inode *inode)
{
	unmap_mapping_range(inode->i_mapping, 0, 0, 0);
}

/* Faults hold the lock shared and find the DAX device dead from now on. */
static void iopmem_forget_entries(struct inode *inode)
{
	filemap_invalidate_lock(inode->i_mapping);
	unmap_mapping_range(inode->i_mapping, 0, 0, 0);
	/* Busy on 7.x: the caller looks again. */
	iopmem_drop_dax_entries(inode);
	filemap_invalidate_unlock(inode->i_mapping);
}

/* Assumes: s_umount is held, so no inode of the walk is the last one. */
static void iopmem_forget_super(struct super_block *sb, void *arg)
{
	struct inode *inode, *last = NULL;
	struct iopmem_forget *f = arg;

	if (!sb->s_bdev || sb->s_bdev->bd_disk != f->dev->disk)
		return;
	if (!f->visit) {
		sync_filesystem(sb);
		return;
	}
	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (mapping_empty(inode->i_mapping) || !IS_DAX(inode) ||
		    !igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		f->visit(inode);
		/* The reference keeps our place in the list. */
		iput(last);
		last = inode;
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(last);
}

static void iopmem_forget_walk(struct iopmem_dev *dev,
			       void (*visit)(struct inode *inode))
{
	struct iopmem_forget f = { .dev = dev, .visit = visit };
	/* Others that do DAX have to be unmounted by hand: see iopmem_forget(). */
	struct file_system_type *type = get_fs_type("xfs");

	if (!type)
		return;
	iterate_supers_type(type, iopmem_forget_super, &f);
	module_put(type->owner);
}

/**
 * iopmem_forget_sync - what programs have written reaches the card
 * @dev: the card, its disk still there
 */
void iopmem_forget_sync(struct iopmem_dev *dev)
{
	if (pci_device_is_present(dev->pdev))
		iopmem_forget_walk(dev, NULL);
}

/**
 * iopmem_forget - no page table and no DAX entry points to the card any more
 * @dev: the card, without layouts and with its disk and DAX device dead
 *
 * Also waits until nobody holds a page of it.
 */
void iopmem_forget(struct iopmem_dev *dev)
{
	unsigned long report = jiffies + IOPMEM_REPORT_FIRST;
	u64 offset;

	iopmem_forget_walk(dev, iopmem_forget_unmap);
	iopmem_bar_wait_idle(dev);
	while (iopmem_bar_in_file(dev, &offset)) {
		iopmem_forget_walk(dev, iopmem_forget_entries);
		if (time_after(jiffies, report)) {
			pci_warn(dev->pdev, "removal waits for a file system that still maps offset %#llx: unmount it\n",
				 offset);
			report = jiffies + IOPMEM_REPORT_MAX;
		}
		msleep(20);
	}
}
