// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iopmem and all ioctls: copy in, validate, act, copy out.
 */
#include "iopmem.h"

#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* More room than this for extents or ranges in one call is not used. */
#define IOPMEM_MAX_EXTENTS	16384U

/*
 * Every argument structure begins with its size.  A larger one than we know may
 * only have zeroes behind; a smaller one was never valid, version 1 being the
 * first.
 */
static int iopmem_copy_in(void *to, size_t known, const void __user *arg,
			  u32 *size)
{
	int err;

	if (get_user(*size, (const u32 __user *)arg))
		return -EFAULT;
	if (*size < known)
		return -EINVAL;
	if (*size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(to, known, arg, *size);
	/* The size may have been changed under us. */
	*(u32 *)to = *size;
	return err;
}

static int iopmem_copy_out(void __user *arg, const void *from, size_t known)
{
	return copy_to_user(arg, from, known) ? -EFAULT : 0;
}

/* A file range: aligned, not empty, within what an offset can say. */
static bool iopmem_range_valid(u64 offset, u64 length)
{
	return PAGE_ALIGNED(offset) && PAGE_ALIGNED(length) && length &&
	       offset <= MAX_LFS_FILESIZE && length <= MAX_LFS_FILESIZE - offset;
}

/* ---- /dev/iopmem ---------------------------------------------------------- */

static long iopmem_ioc_get_info(void __user *arg)
{
	struct iopmem_counts counts;
	struct iopmem_info info;
	bool too_old;
	u32 size;
	int err;

	err = iopmem_copy_in(&info, sizeof(info), arg, &size);
	if (err)
		return err;
	if (info.flags || info.reserved)
		return -EINVAL;
	too_old = info.version < IOPMEM_UAPI_VERSION;

	iopmem_layout_count(NULL, &counts);
	info = (struct iopmem_info) {
		.size = sizeof(info),
		.version = IOPMEM_UAPI_VERSION,
		.version_min = IOPMEM_UAPI_VERSION,
		.granule = PAGE_SIZE,
		.devices = iopmem_dev_count(),
		.layouts = counts.layouts,
		.orphans = counts.orphans,
		.module = IOPMEM_VERSION,
	};
	if (iopmem_can_pin())
		info.caps |= IOPMEM_CAP_PIN | IOPMEM_CAP_BUSY_HOOK;
	/* Told to a caller that is too old as well, for its message. */
	err = iopmem_copy_out(arg, &info, sizeof(info));
	if (err)
		return err;
	return too_old ? -EPROTONOSUPPORT : 0;
}

static long iopmem_ioc_layout_open(void __user *arg)
{
	struct iopmem_layout_open open;
	struct iopmem_layout *l;
	struct file *xfs_file, *file;
	u32 size;
	int err, fd;

	err = iopmem_copy_in(&open, sizeof(open), arg, &size);
	if (err)
		return err;
	if (open.flags || open.reserved)
		return -EINVAL;

	xfs_file = fget(open.file_fd);
	if (!xfs_file)
		return -EBADF;
	open.layout_fd = -1;
	open.reason = IOPMEM_REFUSED_NOT;
	err = iopmem_layout_open(xfs_file, &open.reason, &l);
	fput(xfs_file);
	if (err)
		goto out;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto err_layout;
	}
	file = iopmem_file_new(l);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_fd;
	}
	open.layout_fd = fd;
	err = iopmem_copy_out(arg, &open, sizeof(open));
	if (err) {
		put_unused_fd(fd);
		fput(file);	/* closes the layout */
		return err;
	}
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_layout:
	iopmem_layout_close(l);
out:
	return iopmem_copy_out(arg, &open, sizeof(open)) ?: err;
}

/* By number, not by whole command: the size in it changes with versions. */
static bool iopmem_ioctl_ours(unsigned int cmd)
{
	return _IOC_TYPE(cmd) == IOPMEM_IOC_MAGIC &&
	       _IOC_DIR(cmd) == (_IOC_READ | _IOC_WRITE);
}

static long iopmem_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	if (!iopmem_ioctl_ours(cmd))
		return -ENOTTY;
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(IOPMEM_IOC_GET_INFO):
		return iopmem_ioc_get_info(p);
	case _IOC_NR(IOPMEM_IOC_LAYOUT_OPEN):
		return iopmem_ioc_layout_open(p);
	default:
		return -ENOTTY;
	}
}

/* ---- layout fd ------------------------------------------------------------ */

static long iopmem_ioc_map(struct iopmem_layout *l, void __user *arg)
{
	struct iopmem_call *call;
	struct iopmem_map map;
	u32 size;
	int err;

	err = iopmem_copy_in(&map, sizeof(map), arg, &size);
	if (err)
		return err;
	if (map.flags || map.reserved || !map.nr_extents ||
	    (map.iomode != IOPMEM_IOMODE_READ && map.iomode != IOPMEM_IOMODE_RW) ||
	    !iopmem_range_valid(map.offset, map.length))
		return -EINVAL;

	call = iopmem_call_new(l, iopmem_map_run);
	if (!call)
		return -ENOMEM;
	call->offset = map.offset;
	call->length = map.length;
	call->iomode = map.iomode;
	call->max_extents = min3((u64)map.nr_extents, (u64)IOPMEM_MAX_EXTENTS,
				 map.length >> PAGE_SHIFT);
	call->extents = kvcalloc(call->max_extents, sizeof(*call->extents),
				 GFP_KERNEL_ACCOUNT);
	if (!call->extents) {
		err = -ENOMEM;
		goto out;
	}
	err = iopmem_call_wait(call);
	if (err)
		goto out;

	map.nr_extents = call->nr_extents;
	if (copy_to_user(u64_to_user_ptr(map.extents), call->extents,
			 call->nr_extents * sizeof(*call->extents)))
		err = -EFAULT;
	else
		err = iopmem_copy_out(arg, &map, sizeof(map));
out:
	iopmem_call_put(call);
	return err;
}

/* Ascending and disjoint. */
static bool iopmem_ranges_valid(const struct iopmem_range *r, u32 nr)
{
	u64 end = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (!iopmem_range_valid(r[i].offset, r[i].length) ||
		    r[i].offset < end)
			return false;
		end = r[i].offset + r[i].length;
	}
	return true;
}

static long iopmem_ioc_commit(struct iopmem_layout *l, void __user *arg)
{
	struct iopmem_commit commit;
	struct iopmem_call *call;
	u32 size;
	int err;

	err = iopmem_copy_in(&commit, sizeof(commit), arg, &size);
	if (err)
		return err;
	if (commit.flags || commit.reserved || commit.new_size > MAX_LFS_FILESIZE)
		return -EINVAL;
	if (commit.nr_ranges > IOPMEM_MAX_EXTENTS)
		return -E2BIG;

	call = iopmem_call_new(l, iopmem_commit_run);
	if (!call)
		return -ENOMEM;
	call->new_size = commit.new_size;
	call->nr_ranges = commit.nr_ranges;
	if (commit.nr_ranges) {
		call->ranges = vmemdup_user(u64_to_user_ptr(commit.ranges),
					    commit.nr_ranges *
					    sizeof(*call->ranges));
		if (IS_ERR(call->ranges)) {
			err = PTR_ERR(call->ranges);
			call->ranges = NULL;
			goto out;
		}
	}
	if (!iopmem_ranges_valid(call->ranges, call->nr_ranges)) {
		err = -EINVAL;
		goto out;
	}
	err = iopmem_call_wait(call);
	if (err)
		goto out;
	commit.new_size = call->new_size;
	err = iopmem_copy_out(arg, &commit, sizeof(commit));
out:
	iopmem_call_put(call);
	return err;
}

/*
 * Under map_lock no page comes back: a fault waits for it.  Zap first, then
 * look for pins, so that none can appear between.
 */
static long iopmem_ioc_unmap(struct file *file, void __user *arg)
{
	struct iopmem_layout *l = file->private_data;
	struct iopmem_unmap unmap;
	u64 end;
	u32 size;
	int err;

	err = iopmem_copy_in(&unmap, sizeof(unmap), arg, &size);
	if (err)
		return err;
	if (unmap.flags || !iopmem_range_valid(unmap.offset, unmap.length))
		return -EINVAL;
	end = unmap.offset + unmap.length;

	down_write(&l->map_lock);
	unmap_mapping_range(file->f_mapping, unmap.offset, unmap.length, 1);
	if (iopmem_extent_busy(l, unmap.offset, end))
		err = -EBUSY;
	else
		iopmem_extent_erase(l, unmap.offset, end);
	up_write(&l->map_lock);
	return err;
}

long iopmem_layout_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	if (!iopmem_ioctl_ours(cmd))
		return -ENOTTY;
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(IOPMEM_IOC_MAP):
		return iopmem_ioc_map(file->private_data, p);
	case _IOC_NR(IOPMEM_IOC_COMMIT):
		return iopmem_ioc_commit(file->private_data, p);
	case _IOC_NR(IOPMEM_IOC_UNMAP):
		return iopmem_ioc_unmap(file, p);
	default:
		return -ENOTTY;
	}
}

/* ---- the misc device ------------------------------------------------------ */

static const struct file_operations iopmem_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = iopmem_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice iopmem_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = IOPMEM_NAME,
	.fops = &iopmem_fops,
	.mode = 0600,
};

int iopmem_ioctl_init(void)
{
	return misc_register(&iopmem_misc);
}

void iopmem_ioctl_exit(void)
{
	misc_deregister(&iopmem_misc);
}
