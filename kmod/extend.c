// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's own extension of a file: the only operation that passes its own
 * lease (lm_breaker_owns_lease).
 */
#include "layout.h"

#include <linux/dax.h>
#include <linux/falloc.h>

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

/*
 * Allocates past EOF.  By fallocate, because that marks the blocks as wanted
 * (XFS_DIFLAG_PREALLOC): others are freed by the last close of the file or in
 * the background, without any break.
 *
 * XFS's fallocate waits, with IOLOCK_EXCL, for pinned pages of the file if a
 * program has it mapped.  Those may be our own pins, and the server cannot know
 * that it should give them up.  So look first, with the same function (the hook
 * passes our own look); a pin that comes between the look and the wait is
 * caught by the timer.
 */
int iopmem_extend(struct iopmem_layout *l, u64 pos, u64 end)
{
	int err;

	WRITE_ONCE(l->insider, current);
	if (iopmem_inode_pinned(l->inode)) {
		iopmem_layout_break(l, IOPMEM_BREAK_BUSY_PAGE);
		err = -EAGAIN;
		goto out;
	}
	schedule_delayed_work(&l->stuck, msecs_to_jiffies(IOPMEM_STUCK_MS));
	err = vfs_fallocate(l->file, FALLOC_FL_KEEP_SIZE, pos, end - pos);
	cancel_delayed_work_sync(&l->stuck);
out:
	WRITE_ONCE(l->insider, NULL);
	return err;
}
