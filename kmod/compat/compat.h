/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything the module knows about kernel versions.
 *
 * The module is written against the newest API; what an older kernel lacks is
 * made up here.  Each shim names the release that made it unnecessary and can
 * go with the last supported kernel before that one.  HAVE_* come from
 * compat/conftest.sh, never from a version number.
 */
#ifndef IOPMEM_COMPAT_H
#define IOPMEM_COMPAT_H

#include "compat/conftest.h"

#include <linux/blkdev.h>
#include <linux/dax.h>
#include <linux/exportfs.h>
#include <linux/fileattr.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/memremap.h>
#include <linux/mm.h>

/* ---- leases: <linux/filelock.h> since 6.3, struct file_lease since 6.9 ---- */

#ifdef HAVE_FILELOCK_H
#include <linux/filelock.h>
#endif

#ifdef HAVE_FILE_LEASE
#define iopmem_lease_owner(fl)	((fl)->c.flc_owner)
#define iopmem_lease_waiters(fl)	(&(fl)->c.flc_blocked_requests)

static inline void iopmem_lease_fill(struct file_lease *fl, struct file *file,
				     void *owner)
{
	fl->c.flc_flags = FL_LAYOUT;
	fl->c.flc_type = F_RDLCK;
	fl->c.flc_owner = owner;
	fl->c.flc_pid = current->tgid;
	fl->c.flc_file = file;
}
#else
#define file_lease			file_lock
#define lease_manager_operations	lock_manager_operations
#define locks_alloc_lease		locks_alloc_lock
#define locks_free_lease		locks_free_lock
#define iopmem_lease_owner(fl)		((fl)->fl_owner)
#define iopmem_lease_waiters(fl)	(&(fl)->fl_blocked_requests)

static inline void iopmem_lease_fill(struct file_lock *fl, struct file *file,
				     void *owner)
{
	fl->fl_flags = FL_LAYOUT;
	fl->fl_type = F_RDLCK;
	fl->fl_end = OFFSET_MAX;
	fl->fl_owner = owner;
	fl->fl_pid = current->tgid;
	fl->fl_file = file;
}
#endif

/*
 * 7.x asks the lease manager about opens, without a NULL check.  A layout never
 * conflicts with an open.
 */
#ifdef HAVE_LM_OPEN_CONFLICT
static inline int iopmem_lm_open_conflict(struct file *file, int arg)
{
	return 0;
}

#define IOPMEM_LM_OPEN_CONFLICT	.lm_open_conflict = iopmem_lm_open_conflict,
#else
#define IOPMEM_LM_OPEN_CONFLICT
#endif

/*
 * A break must never time the lease out: the NIC would go on writing into
 * blocks that the file system has freed.  7.x asks lm_breaker_timedout();
 * before that a break time of 0 says never, set in lm_break.
 */
#ifdef HAVE_LM_BREAKER_TIMEDOUT
static inline bool iopmem_lm_breaker_timedout(struct file_lease *fl)
{
	return false;
}

#define IOPMEM_LM_TIMEDOUT	.lm_breaker_timedout = iopmem_lm_breaker_timedout,

static inline void iopmem_lease_never_expires(struct file_lease *fl) { }
#else
#define IOPMEM_LM_TIMEDOUT
static inline void iopmem_lease_never_expires(struct file_lease *fl)
{
	fl->fl_break_time = 0;
}
#endif

/* ---- block layouts: struct exportfs_block_ops since 7.x ------------------- */

#ifdef HAVE_EXPORTFS_BLOCK_OPS
#include <linux/exportfs_block.h>

static inline bool iopmem_has_block_ops(struct super_block *sb)
{
	return sb->s_export_op && sb->s_export_op->block_ops &&
	       sb->s_export_op->block_ops->map_blocks &&
	       sb->s_export_op->block_ops->commit_blocks;
}

static inline int iopmem_map_blocks(struct inode *inode, u64 offset, u64 length,
				    struct iomap *iomap, bool write)
{
	u32 generation;

	return inode->i_sb->s_export_op->block_ops->map_blocks(inode, offset,
				length, iomap, write, &generation);
}

static inline int iopmem_commit_blocks(struct inode *inode, struct iomap *maps,
				       int nr, u64 new_size)
{
	return inode->i_sb->s_export_op->block_ops->commit_blocks(inode, maps,
				nr, new_size);
}
#else
static inline bool iopmem_has_block_ops(struct super_block *sb)
{
	return sb->s_export_op && sb->s_export_op->map_blocks &&
	       sb->s_export_op->commit_blocks;
}

static inline int iopmem_map_blocks(struct inode *inode, u64 offset, u64 length,
				    struct iomap *iomap, bool write)
{
	u32 generation;

	return inode->i_sb->s_export_op->map_blocks(inode, offset, length,
				iomap, write, &generation);
}

/*
 * Until 7.x the caller names the times, and must: without a time update XFS
 * makes no transaction, and the transaction is what flushes.  Owner and group
 * may never be in there.
 */
static inline int iopmem_commit_blocks(struct inode *inode, struct iomap *maps,
				       int nr, u64 new_size)
{
	struct iattr attr = {
		.ia_valid = ATTR_ATIME | ATTR_MTIME | ATTR_CTIME,
	};

	attr.ia_atime = current_time(inode);
	attr.ia_mtime = attr.ia_atime;
	attr.ia_ctime = attr.ia_atime;
	if (new_size) {
		attr.ia_valid |= ATTR_SIZE;
		attr.ia_size = new_size;
	}
	return inode->i_sb->s_export_op->commit_blocks(inode, maps, nr, &attr);
}
#endif

/* ---- struct file_kattr since 6.17 ----------------------------------------- */

#ifndef HAVE_FILE_KATTR
#define file_kattr	fileattr
#endif

/* Mounts have a struct mnt_idmap since 6.3. */
static inline int iopmem_fileattr_set(struct file *file, struct file_kattr *fa)
{
#ifdef HAVE_MNT_IDMAP
	return vfs_fileattr_set(file_mnt_idmap(file), file->f_path.dentry, fa);
#else
	return vfs_fileattr_set(file_mnt_user_ns(file), file->f_path.dentry, fa);
#endif
}

/* ---- disk: queue limits with features since 6.11 -------------------------- */

/**
 * iopmem_alloc_disk - a bio-based DAX disk with a volatile cache and FUA
 *
 * The "cache" are the posted writes on their way to the card; FLUSH and FUA
 * push them out (see iopmem_bar_flush()).
 */
#ifdef HAVE_QUEUE_FEATURES
static inline struct gendisk *iopmem_alloc_disk(int node)
{
	struct queue_limits lim = {
		.logical_block_size = SECTOR_SIZE,
		.physical_block_size = PAGE_SIZE,
		.max_hw_sectors = UINT_MAX,
		.features = BLK_FEAT_DAX | BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA |
			    BLK_FEAT_SYNCHRONOUS | BLK_FEAT_IO_STAT |
			    BLK_FEAT_NOWAIT,
	};

	return blk_alloc_disk(&lim, node);
}
#else
static inline struct gendisk *iopmem_alloc_disk(int node)
{
	struct gendisk *disk = blk_alloc_disk(node);

	if (!disk)
		return ERR_PTR(-ENOMEM);
	blk_queue_logical_block_size(disk->queue, SECTOR_SIZE);
	blk_queue_physical_block_size(disk->queue, PAGE_SIZE);
	blk_queue_max_hw_sectors(disk->queue, UINT_MAX);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, disk->queue);
	blk_queue_flag_set(QUEUE_FLAG_DAX, disk->queue);
	blk_queue_flag_set(QUEUE_FLAG_IO_STAT, disk->queue);
	blk_queue_flag_set(QUEUE_FLAG_NOWAIT, disk->queue);
	blk_queue_write_cache(disk->queue, true, true);
	return disk;
}
#endif

/* ---- vma flags: helpers since 6.3 ----------------------------------------- */

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* ---- pfns: plain numbers since 6.17 --------------------------------------- */

#ifdef HAVE_PFN_T
#include <linux/pfn_t.h>
#define iopmem_pfn_t		pfn_t
#define iopmem_pfn(phys)	phys_to_pfn_t(phys, PFN_DEV | PFN_MAP)
#else
#define iopmem_pfn_t		unsigned long
#define iopmem_pfn(phys)	PHYS_PFN(phys)
#endif

/* ---- memory errors: EHWPOISON since 6.5 ----------------------------------- */

#ifdef HAVE_DAX_EHWPOISON
#define IOPMEM_DAX_POISONED	(-EHWPOISON)
#else
#define IOPMEM_DAX_POISONED	(-EIO)
#endif

/* Was it set?  It can be with CONFIG_MEMORY_FAILURE only. */
static inline bool iopmem_clear_hwpoison(struct page *page)
{
#ifdef CONFIG_MEMORY_FAILURE
	return TestClearPageHWPoison(page);
#else
	return false;
#endif
}

/* ---- fsdax pages: reference counts since 6.15 ----------------------------- */

#ifdef HAVE_FOLIO_IS_FSDAX
/*
 * pin_user_pages(FOLL_LONGTERM) refuses these folios by trying again for ever,
 * and a second mapping of them breaks fs/dax: no mmap of a layout fd here.
 */
#define IOPMEM_FSDAX_PINNABLE	false
/* User mappings are write-back by page table, whatever memtype is reserved. */
#define IOPMEM_FSDAX_USER_WB	true

static inline bool iopmem_page_busy(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_ref_count(folio) > folio_mapcount(folio);
}

/* truncate_inode_pages() warns: whoever frees blocks breaks the layout first. */
static inline int iopmem_drop_dax_entries(struct inode *inode)
{
	return dax_break_layout(inode, 0, LLONG_MAX, NULL);
}
#else
#define IOPMEM_FSDAX_PINNABLE	true
#define IOPMEM_FSDAX_USER_WB	false

/* An fsdax page at rest has one reference; mappings take none. */
static inline bool iopmem_page_busy(struct page *page)
{
	return page_ref_count(page) > 1;
}

static inline int iopmem_drop_dax_entries(struct inode *inode)
{
	truncate_inode_pages(inode->i_mapping, 0);
	return 0;
}
#endif

/* Would an operation that unmaps blocks of this file wait for a pin? */
static inline bool iopmem_inode_pinned(struct inode *inode)
{
	return IOPMEM_FSDAX_PINNABLE && dax_layout_busy_page(inode->i_mapping);
}

#endif /* IOPMEM_COMPAT_H */
