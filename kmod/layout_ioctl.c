// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a layout fd.
 */
#include "dmabuf.h"

#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/* More room than this for extents or ranges in one call is not used. */
#define IOPMEM_MAX_EXTENTS	16384U

/* A file range: aligned, not empty, within what an offset can say. */
static bool iopmem_range_valid(u64 offset, u64 length)
{
	return PAGE_ALIGNED(offset) && PAGE_ALIGNED(length) && length &&
	       offset <= MAX_LFS_FILESIZE && length <= MAX_LFS_FILESIZE - offset;
}

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

static long iopmem_ioc_extend(struct iopmem_layout *l, void __user *arg)
{
	struct iopmem_extend extend;
	struct iopmem_call *call;
	u32 size;
	int err;

	err = iopmem_copy_in(&extend, sizeof(extend), arg, &size);
	if (err)
		return err;
	if (extend.flags || !iopmem_range_valid(extend.offset, extend.length))
		return -EINVAL;

	call = iopmem_call_new(l, iopmem_extend_run);
	if (!call)
		return -ENOMEM;
	call->offset = extend.offset;
	call->length = extend.length;
	err = iopmem_call_wait(call);
	iopmem_call_put(call);
	return err;
}

static long iopmem_ioc_trim(struct iopmem_layout *l, void __user *arg)
{
	struct iopmem_call *call;
	struct iopmem_trim trim;
	u32 size;
	int err;

	err = iopmem_copy_in(&trim, sizeof(trim), arg, &size);
	if (err)
		return err;
	if (trim.flags || trim.new_size > MAX_LFS_FILESIZE)
		return -EINVAL;

	call = iopmem_call_new(l, iopmem_trim_run);
	if (!call)
		return -ENOMEM;
	call->new_size = trim.new_size;
	err = iopmem_call_wait(call);
	iopmem_call_put(call);
	return err;
}

static long iopmem_ioc_unmap(struct file *file, void __user *arg)
{
	struct iopmem_unmap unmap;
	u32 size;
	int err;

	err = iopmem_copy_in(&unmap, sizeof(unmap), arg, &size);
	if (err)
		return err;
	if (unmap.flags || !iopmem_range_valid(unmap.offset, unmap.length))
		return -EINVAL;
	return iopmem_unmap(file, unmap.offset, unmap.offset + unmap.length);
}

static long iopmem_ioc_dmabuf(struct iopmem_layout *l, void __user *arg)
{
	struct iopmem_dmabuf buf;
	struct file *file;
	u32 size;
	int err;

	err = iopmem_copy_in(&buf, sizeof(buf), arg, &size);
	if (err)
		return err;
	if (buf.flags || buf.reserved ||
	    (buf.iomode != IOPMEM_IOMODE_READ && buf.iomode != IOPMEM_IOMODE_RW) ||
	    !iopmem_range_valid(buf.offset, buf.length))
		return -EINVAL;

	buf.fd = get_unused_fd_flags(O_CLOEXEC);
	if (buf.fd < 0)
		return buf.fd;
	file = iopmem_dmabuf_export(l, buf.offset, buf.offset + buf.length,
				    buf.iomode == IOPMEM_IOMODE_RW);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_fd;
	}
	err = iopmem_copy_out(arg, &buf, sizeof(buf));
	if (err)
		goto err_file;
	fd_install(buf.fd, file);
	return 0;

err_file:
	fput(file);
err_fd:
	put_unused_fd(buf.fd);
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
	case _IOC_NR(IOPMEM_IOC_DMABUF):
		return iopmem_ioc_dmabuf(file->private_data, p);
	case _IOC_NR(IOPMEM_IOC_EXTEND):
		return iopmem_ioc_extend(file->private_data, p);
	case _IOC_NR(IOPMEM_IOC_TRIM):
		return iopmem_ioc_trim(file->private_data, p);
	default:
		return -ENOTTY;
	}
}
