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

/*
 * Asked before anything else about a conflict.  True only for the module's own
 * worker while it extends the file or looks for other holders: used on a
 * shrink it would free blocks under live rkeys.
 */
static bool iopmem_lm_breaker_owns_lease(struct file_lease *fl)
{
	struct iopmem_layout *l = iopmem_lease_owner(fl);

	return READ_ONCE(l->insider) == current;
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
	struct file_lease *fl;
	int err;

	fl = locks_alloc_lease();
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

	old = override_creds(iopmem_lease_cred);
	err = vfs_setlease(l->file, F_UNLCK, NULL, &owner);
	revert_creds(old);
	/* Local operations on the file would hang: this must be seen. */
	if (err)
		pr_err(IOPMEM_NAME ": inode %lu: lease not dropped: %d\n",
		       l->inode->i_ino, err);
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
