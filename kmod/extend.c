// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's own changes of a file's size: the only operations that pass its
 * own lease (lm_breaker_owns_lease).  An extension frees and moves nothing; the
 * trim frees what only EXTEND has added, when no region of the caller reaches
 * it any more.
 */
#include "layout.h"

#include <linux/dax.h>
#include <linux/falloc.h>

#include "trace.h"

/* An extend that takes longer than this recalls the layout (see below). */
#define IOPMEM_STUCK_MS		1000

/**
 * iopmem_extend_stuck - an extend takes too long
 * @work: of the layout
 *
 * It may wait for pages that this very layout keeps pinned.
 */
void iopmem_extend_stuck(struct work_struct *work)
{
	iopmem_layout_break(container_of(to_delayed_work(work),
					 struct iopmem_layout, stuck),
			    IOPMEM_BREAK_STUCK);
}

/**
 * iopmem_extend - allocate blocks past EOF
 * @l:	  the layout, in a worker, under op_lock
 * @mode: FALLOC_FL_KEEP_SIZE, or 0 to make the file @end bytes long
 * @pos:  first byte
 * @end:  one past the last
 *
 * By fallocate, because that marks the blocks as wanted (XFS_DIFLAG_PREALLOC):
 * others are freed by the last close of the file or in the background, without
 * any break.
 *
 * XFS's fallocate waits, with IOLOCK_EXCL, for pinned pages of the file if a
 * program has it mapped.  Those may be our own pins, and the server cannot know
 * that it should give them up.  So look first, with the same function (the hook
 * passes our own look); a pin that comes between the look and the wait is
 * caught by the timer.
 */
int iopmem_extend(struct iopmem_layout *l, int mode, u64 pos, u64 end)
{
	int err;

	WRITE_ONCE(l->insider, current);
	if (iopmem_inode_pinned(l->inode)) {
		iopmem_layout_break(l, IOPMEM_BREAK_BUSY_PAGE);
		err = -EAGAIN;
		goto out;
	}
	schedule_delayed_work(&l->stuck, msecs_to_jiffies(IOPMEM_STUCK_MS));
	err = vfs_fallocate(l->file, mode, pos, end - pos);
	cancel_delayed_work_sync(&l->stuck);
out:
	WRITE_ONCE(l->insider, NULL);
	return err;
}

static int iopmem_extend_locked(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err;

	if (iopmem_layout_revoked(l))
		return -ENODEV;
	if (iopmem_layout_broken(l))
		return -EAGAIN;
	if (!(l->file->f_mode & FMODE_WRITE))
		return -EBADF;
	/* What MAP has zeroed past EOF becomes visible by COMMIT only. */
	if (!mtree_empty(&l->maps) || !mtree_empty(&l->zeroed))
		return -EBUSY;

	WRITE_ONCE(l->insider, current);
	err = iopmem_lease_break_others(l);
	WRITE_ONCE(l->insider, NULL);
	if (err)
		return err;
	return iopmem_extend(l, 0, call->offset, call->offset + call->length);
}

/**
 * iopmem_extend_run - EXTEND, in a worker
 * @call: offset, length
 */
int iopmem_extend_run(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err;

	mutex_lock(&l->op_lock);
	err = iopmem_extend_locked(call);
	mutex_unlock(&l->op_lock);
	trace_iopmem_extend(l->inode->i_ino, call->offset, call->length, err);
	return err;
}

static int iopmem_trim_locked(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err;

	if (iopmem_layout_revoked(l))
		return -ENODEV;
	if (!(l->file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!mtree_empty(&l->maps) || !mtree_empty(&l->zeroed))
		return -EBUSY;
	/* Under the lease nobody else changes the size. */
	if (call->new_size > i_size_read(l->inode))
		return -ERANGE;

	WRITE_ONCE(l->insider, current);
	if (iopmem_inode_pinned(l->inode))
		err = -EBUSY;
	else
		err = vfs_truncate(&l->file->f_path, call->new_size);
	WRITE_ONCE(l->insider, NULL);
	return err;
}

/**
 * iopmem_trim_run - TRIM, in a worker
 * @call: new_size
 */
int iopmem_trim_run(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err;

	mutex_lock(&l->op_lock);
	err = iopmem_trim_locked(call);
	mutex_unlock(&l->op_lock);
	trace_iopmem_trim(l->inode->i_ino, call->new_size, err);
	return err;
}
