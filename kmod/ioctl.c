// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iopmem, and what all ioctls share: copy in, validate, act, copy out.
 */
#include "dmabuf.h"

#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

/*
 * Every argument structure begins with its size.  A larger one than we know may
 * only have zeroes behind; a smaller one was never valid, version 1 being the
 * first.
 */
int iopmem_copy_in(void *to, size_t known, const void __user *arg, u32 *size)
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

int iopmem_copy_out(void __user *arg, const void *from, size_t known)
{
	return copy_to_user(arg, from, known) ? -EFAULT : 0;
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
	/* The MR is over the file's own mapping: nothing of ours is needed but EXTEND. */
	info.caps = IOPMEM_CAP_ODP;
	if (iopmem_can_pin())
		info.caps |= IOPMEM_CAP_PIN | IOPMEM_CAP_BUSY_HOOK;
	if (IOPMEM_CAN_DMABUF)
		info.caps |= IOPMEM_CAP_DMABUF;
	if (iopmem_swap_hook_works())
		info.caps |= IOPMEM_CAP_SWAP_HOOK;
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
bool iopmem_ioctl_ours(unsigned int cmd)
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
