// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FL_LAYOUT lease: how a file system says that it wants its blocks back.
 */
#include "layout.h"

#include <linux/cred.h>
#include <linux/sched/task.h>

/*
 * vfs_setlease() wants the owner of the file or CAP_LEASE, of whoever happens
 * to run.  A lease must go away with the last close of a server without
 * privileges, too.
 */
static const struct cred *iopmem_lease_cred;

/*
 * Called under flc_lock, once a break.  The lease stays until the server has
 * closed the layout and the last pin is gone, however long that takes.
 */
static bool iopmem_lm_break(struct file_lease *fl)
{
	iopmem_lease_never_expires(fl);
	iopmem_layout_break(iopmem_lease_owner(fl), IOPMEM_BREAK_LEASE);
	return false;
}

static int iopmem_lm_change(struct file_lease *fl, int arg,
			    struct list_head *dispose)
{
	return lease_modify(fl, arg, dispose);
}

/* Long enough for whoever has asked to have begun to wait. */
#define IOPMEM_ASKED_MS	5

/*
 * Asked before anything else about a conflict, by every open and every local
 * change of the file.  True only for the module's own worker while it extends
 * the file or looks for other holders: used on a shrink it would free blocks
 * under live rkeys.
 */
static bool iopmem_lm_breaker_owns_lease(struct file_lease *fl)
{
	struct iopmem_layout *l = iopmem_lease_owner(fl);

	if (READ_ONCE(l->insider) == current)
		return true;
	if (!test_bit(IOPMEM_BROKEN, &l->state))
		schedule_delayed_work(&l->asked, msecs_to_jiffies(IOPMEM_ASKED_MS));
	return false;
}

/**
 * iopmem_lease_asked - is somebody waiting for a lease that nobody has broken?
 * @work: of the layout
 *
 * __break_lease() breaks the leases that are there when it begins.  When the one
 * it waits for has gone, and the next one came before it has woken up, it waits
 * for that one too, looking every jiffy, but breaks it not (all kernels so far).
 * Only what conflicts with a layout waits for one.
 */
void iopmem_lease_asked(struct work_struct *work)
{
	struct iopmem_layout *l = container_of(to_delayed_work(work),
					       struct iopmem_layout, asked);

	mutex_lock(&l->lease_lock);
	if (l->lease && !list_empty(iopmem_lease_waiters(l->lease)))
		iopmem_layout_break(l, IOPMEM_BREAK_WAITER);
	mutex_unlock(&l->lease_lock);
}

static const struct lease_manager_operations iopmem_lm_ops = {
	.lm_break = iopmem_lm_break,
	.lm_change = iopmem_lm_change,
	.lm_breaker_owns_lease = iopmem_lm_breaker_owns_lease,
	IOPMEM_LM_OPEN_CONFLICT
	IOPMEM_LM_TIMEDOUT
};

/**
 * iopmem_lease_take - put the lease on the file
 * @l: the layout; from here on breaks reach it
 *
 * Return: 0, -EAGAIN a break is pending, -EINVAL fs.leases-enable is 0,
 * -ENOMEM, or what an LSM says.
 */
int iopmem_lease_take(struct iopmem_layout *l)
{
	const struct cred *old;
	struct file_lease *fl, *lease;
	int err;

	fl = locks_alloc_lease();
	lease = fl;
	if (!fl)
		return -ENOMEM;
	iopmem_lease_fill(fl, l->file, l);
	fl->fl_lmops = &iopmem_lm_ops;

	old = override_creds(iopmem_lease_cred);
	err = vfs_setlease(l->file, F_RDLCK, &fl, NULL);
	revert_creds(old);
	/* On success it belongs to the file, and @fl is NULL. */
	if (fl)
		locks_free_lease(fl);
	if (!err) {
		mutex_lock(&l->lease_lock);
		l->lease = lease;
		mutex_unlock(&l->lease_lock);
	}
	return err;
}

/**
 * iopmem_lease_drop - let whoever waits for the lease go on
 * @l: the layout; no page of it may be reachable for a NIC any more
 */
void iopmem_lease_drop(struct iopmem_layout *l)
{
	const struct cred *old;
	void *owner = l;
	int err;

	mutex_lock(&l->lease_lock);
	l->lease = NULL;
	mutex_unlock(&l->lease_lock);
	old = override_creds(iopmem_lease_cred);
	err = vfs_setlease(l->file, F_UNLCK, NULL, &owner);
	revert_creds(old);
	/* Local operations on the file would hang: this must be seen. */
	if (err)
		pr_err(IOPMEM_NAME ": inode %llu: lease not dropped: %d\n",
		       (u64)l->inode->i_ino, err);
}

/**
 * iopmem_lease_break_others - recall foreign layout holders (nfsd)
 * @l: the layout, @l->insider is current
 *
 * All FL_LAYOUT leases are F_RDLCK and coexist, so the kernel does not keep
 * anybody out.
 *
 * Return: 0 there is none, -EAGAIN somebody has just been asked to go.
 */
int iopmem_lease_break_others(struct iopmem_layout *l)
{
	return break_layout(l->inode, false);
}

int iopmem_lease_init(void)
{
	iopmem_lease_cred = prepare_kernel_cred(&init_task);
	return iopmem_lease_cred ? 0 : -ENOMEM;
}

void iopmem_lease_exit(void)
{
	put_cred(iopmem_lease_cred);
}
