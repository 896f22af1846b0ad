// SPDX-License-Identifier: GPL-2.0-only
/*
 * Layouts: one per inode, from LAYOUT_OPEN until the last pin is gone.
 *
 * A layout is ended by nobody but iopmem_layout_end(), when its fd is closed,
 * no call of it is on the way, no page of it is referenced and no dma-buf of it
 * is mapped.  Until then the lease holds the file system off, and the file, the
 * card and the module stay.
 *
 * While the lease is held the size of the file can change only by our own
 * COMMIT and EXTEND: every other operation that changes it breaks layouts first, under
 * IOLOCK.  Operations that had passed that point before the lease was there
 * are waited for by the map_blocks() call at the end of LAYOUT_OPEN, which
 * takes IOLOCK_EXCL.
 */
#include "dmabuf.h"

#include <linux/file.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <uapi/linux/fs.h>

#include "trace.h"

/* How soon a closed layout with pins is looked at again, doubling. */
#define IOPMEM_REAP_MIN_MS	5
#define IOPMEM_REAP_MAX_MS	500

/* Not the call workqueue: a reaper must never queue behind what it releases. */
static struct workqueue_struct *iopmem_reap_wq;

static void iopmem_layout_notify(struct irq_work *work)
{
	struct iopmem_layout *l = container_of(work, struct iopmem_layout, notify);

	wake_up_all(&l->wait);
}

/* ---- opening -------------------------------------------------------------- */

/* What can be said about a file without asking XFS to do anything. */
static u32 iopmem_layout_refusal(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct block_device *bdev = inode->i_sb->s_bdev;

	if (!S_ISREG(inode->i_mode) ||
	    inode->i_sb->s_magic != XFS_SUPER_MAGIC || !bdev)
		return IOPMEM_REFUSED_NOT_XFS;
	/* Without them XFS does not break layouts either. */
	if (!iopmem_has_block_ops(inode->i_sb))
		return IOPMEM_REFUSED_NO_BLOCK_OPS;
	if (bdev->bd_disk->fops != &iopmem_bdops)
		return IOPMEM_REFUSED_NOT_IOPMEM;
	/* map_blocks answers in bytes of the partition, not of the BAR. */
	if (bdev_is_partition(bdev))
		return IOPMEM_REFUSED_PARTITION;
	return IOPMEM_REFUSED_NOT;
}

/*
 * xfs_fsr leaves the file alone from now on, also where it cannot be kept from it
 * (see swap_hook.c).  For files open for writing: what is read is not changed.
 * That it cannot be marked (frozen, immutable) is no reason to refuse a layout.
 */
static void iopmem_layout_nodefrag(struct file *file, struct file_kattr *fa)
{
	if (!(file->f_mode & FMODE_WRITE) || fa->fsx_xflags & FS_XFLAG_NODEFRAG ||
	    !file_start_write_trylock(file))
		return;
	fa->fsx_xflags |= FS_XFLAG_NODEFRAG;
	iopmem_fileattr_set(file, fa);
	file_end_write(file);
}

/*
 * The realtime flag is XFS's own; map_blocks says ENXIO for reflink, too.
 *
 * Return: IOPMEM_REFUSED_*
 */
static u32 iopmem_layout_attributes(struct file *file)
{
	struct file_kattr fa = {};

	if (vfs_fileattr_get(file->f_path.dentry, &fa))
		return IOPMEM_REFUSED_NOT;
	if (fa.fsx_xflags & FS_XFLAG_REALTIME)
		return IOPMEM_REFUSED_REALTIME;
	iopmem_layout_nodefrag(file, &fa);
	return IOPMEM_REFUSED_NOT;
}

static int iopmem_layout_take(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	struct iomap iomap;
	int err;

	/* EBUSY comes before all else: an orphan of this inode may live. */
	err = iopmem_table_add(l);
	if (err)
		return err;

	call->reason = iopmem_layout_attributes(l->file);
	if (call->reason) {
		err = -EOPNOTSUPP;
		goto err_table;
	}
	if (!IS_DAX(l->inode)) {
		call->reason = IOPMEM_REFUSED_NOT_DAX;
		err = -EOPNOTSUPP;
		goto err_table;
	}

	if (!iopmem_map_arbitrated(l)) {
		err = -ETXTBSY;
		goto err_table;
	}

	err = iopmem_lease_take(l);
	if (err) {
		if (err == -EINVAL) {
			call->reason = IOPMEM_REFUSED_LEASES;
			err = -EOPNOTSUPP;
		}
		goto err_table;
	}

	WRITE_ONCE(l->insider, current);
	err = iopmem_lease_break_others(l);
	WRITE_ONCE(l->insider, NULL);
	if (err)
		goto err_lease;

	/* Harmless, asks XFS for its opinion and waits for IOLOCK (see top). */
	err = iopmem_map_lookup(l, 0, PAGE_SIZE, false, &iomap);
	if (err == -ENXIO || err == -EIO) {
		call->reason = err == -EIO ? IOPMEM_REFUSED_SHUTDOWN :
					     IOPMEM_REFUSED_REFLINK;
		err = -EOPNOTSUPP;
	}
	if (!err && iopmem_layout_broken(l))
		err = -EAGAIN;
	if (err)
		goto err_lease;

	return 0;

err_lease:
	iopmem_lease_drop(l);
err_table:
	iopmem_table_del(l);
	return err;
}

/* LAYOUT_OPEN, in a worker. */
static int iopmem_layout_open_run(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err = iopmem_layout_take(call);

	trace_iopmem_open(l->inode->i_ino, l->file->f_mode & FMODE_WRITE,
			  call->reason, err);
	return err;
}

/**
 * iopmem_layout_free - forget a layout that is not (or no longer) in the table
 * @l: the layout; the card and the module may be gone on return
 */
void iopmem_layout_free(struct iopmem_layout *l)
{
	cancel_delayed_work_sync(&l->asked);
	irq_work_sync(&l->notify);
	cancel_work_sync(&l->cut);
	mtree_destroy(&l->maps);
	mtree_destroy(&l->zeroed);
	fput(l->file);
	put_pid(l->owner);
	iopmem_dev_put(l->dev);
	kfree(l);
	/*
	 * This code is still running: the caller is a worker, which unloading
	 * waits for, or has a file of the module open.
	 */
	module_put(THIS_MODULE);
}

/*
 * Ends a layout.  Assumes: no fd, no call, no busy page, no dma-buf, and nobody
 * else ending it.
 */
static void iopmem_layout_end(struct iopmem_layout *l)
{
	trace_iopmem_release(l->inode->i_ino,
			     test_bit(IOPMEM_ORPHAN, &l->state));
	/* The lease first: until then the table must answer EBUSY. */
	iopmem_lease_drop(l);
	iopmem_table_del(l);
	iopmem_layout_free(l);
}

static bool iopmem_layout_idle(struct iopmem_layout *l)
{
	return !atomic_read(&l->calls) && !iopmem_extent_busy(l, 0, U64_MAX) &&
	       !iopmem_dmabuf_busy(l, 0, U64_MAX);
}

static void iopmem_layout_reap(struct work_struct *work)
{
	struct iopmem_layout *l = container_of(to_delayed_work(work),
					       struct iopmem_layout, reap);

	iopmem_dmabuf_revoke(l, 0, U64_MAX);
	if (iopmem_layout_idle(l)) {
		iopmem_layout_end(l);
		return;
	}
	l->reap_ms = min(l->reap_ms * 2, (unsigned int)IOPMEM_REAP_MAX_MS);
	queue_delayed_work(iopmem_reap_wq, &l->reap, msecs_to_jiffies(l->reap_ms));
}

static void iopmem_layout_cut_work(struct work_struct *work)
{
	iopmem_dmabuf_revoke(container_of(work, struct iopmem_layout, cut), 0, U64_MAX);
}

/**
 * iopmem_layout_cut - have all dma-bufs of a layout revoked
 * @l: the layout
 *
 * Not here: importers' code runs then, which may take its time.
 */
void iopmem_layout_cut(struct iopmem_layout *l)
{
	queue_work(iopmem_reap_wq, &l->cut);
}

/**
 * iopmem_layout_close - the fd is closed: end the layout as soon as possible
 * @l: the layout; not the caller's any more
 *
 * Runs in the exit path of killed servers and waits for nothing.  After an
 * orderly return of all memory regions no page is referenced and the lease goes
 * at once; after a death the verbs devices may be closed later than this fd,
 * and until then the NIC writes.  dma-bufs are revoked by the reaper.
 */
void iopmem_layout_close(struct iopmem_layout *l)
{
	if (iopmem_layout_idle(l)) {
		iopmem_layout_end(l);
		return;
	}
	set_bit(IOPMEM_ORPHAN, &l->state);
	l->reap_ms = IOPMEM_REAP_MIN_MS;
	queue_delayed_work(iopmem_reap_wq, &l->reap, msecs_to_jiffies(l->reap_ms));
}

static struct iopmem_layout *iopmem_layout_alloc(struct file *file,
						 struct iopmem_dev *dev)
{
	struct iopmem_layout *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return NULL;
	__module_get(THIS_MODULE);
	l->dev = dev;
	l->file = get_file(file);
	l->owner = get_pid(task_tgid(current));
	get_task_comm(l->comm, current->group_leader);
	l->inode = file_inode(file);
	init_waitqueue_head(&l->wait);
	init_irq_work(&l->notify, iopmem_layout_notify);
	mutex_init(&l->lease_lock);
	INIT_DELAYED_WORK(&l->asked, iopmem_lease_asked);
	mutex_init(&l->op_lock);
	init_rwsem(&l->map_lock);
	mt_init(&l->maps);
	mt_init(&l->zeroed);
	INIT_LIST_HEAD(&l->bufs);
	INIT_WORK(&l->cut, iopmem_layout_cut_work);
	INIT_DELAYED_WORK(&l->reap, iopmem_layout_reap);
	INIT_DELAYED_WORK(&l->stuck, iopmem_extend_stuck);
	return l;
}

/**
 * iopmem_layout_open - take the layout of a file
 * @file:   the file
 * @reason: IOPMEM_REFUSED_* when -EOPNOTSUPP is returned
 * @layout: the layout
 */
int iopmem_layout_open(struct file *file, u32 *reason,
		       struct iopmem_layout **layout)
{
	struct iopmem_call *call;
	struct iopmem_layout *l;
	struct iopmem_dev *dev;
	int err;

	*reason = iopmem_layout_refusal(file);
	if (*reason)
		return -EOPNOTSUPP;
	dev = iopmem_dev_get(file_inode(file)->i_sb->s_bdev);
	if (!dev) {
		*reason = IOPMEM_REFUSED_SHUTDOWN;
		return -EOPNOTSUPP;
	}
	if (!iopmem_cache_safe(dev)) {
		*reason = IOPMEM_REFUSED_WRITEBACK;
		err = -EOPNOTSUPP;
		goto err_dev;
	}
	l = iopmem_layout_alloc(file, dev);
	if (!l) {
		err = -ENOMEM;
		goto err_dev;
	}
	call = iopmem_call_new(l, iopmem_layout_open_run);
	if (!call) {
		iopmem_layout_free(l);
		return -ENOMEM;
	}

	call->owns_layout = true;
	err = iopmem_call_wait(call);
	if (!err) {
		call->owns_layout = false;
		*layout = l;
	} else if (err != -EINTR) {
		*reason = call->reason;
	}
	iopmem_call_put(call);
	return err;

err_dev:
	iopmem_dev_put(dev);
	return err;
}

int iopmem_layout_init(void)
{
	iopmem_reap_wq = alloc_workqueue("iopmem_reap", WQ_UNBOUND, 0);
	return iopmem_reap_wq ? 0 : -ENOMEM;
}

void iopmem_layout_exit(void)
{
	destroy_workqueue(iopmem_reap_wq);
}
