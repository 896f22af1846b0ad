// SPDX-License-Identifier: BSD-3-Clause
/* What the start of an "xfs" export refuses, and why the module refuses a layout. */
#include "backing_xfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../kmod/uapi/iopmem.h"
#include "base/log.h"

#define DEVICE		"/dev/iopmem"
/* The oldest module that this server can work with. */
#define MODULE_MIN	1

static const char *const refusals[] = {
	[IOPMEM_REFUSED_NOT_XFS] = "not a regular file on XFS",
	[IOPMEM_REFUSED_NOT_DAX] = "the file is not in DAX mode",
	[IOPMEM_REFUSED_NOT_IOPMEM] = "its block device is not an iopmem card",
	[IOPMEM_REFUSED_PARTITION] = "the file system is on a partition",
	[IOPMEM_REFUSED_NO_BLOCK_OPS] = "the kernel has no CONFIG_EXPORTFS_BLOCK_OPS",
	[IOPMEM_REFUSED_LEASES] = "leases are off (/proc/sys/fs/leases-enable is 0)",
	[IOPMEM_REFUSED_REFLINK] = "the file shares blocks with another (reflink)",
	[IOPMEM_REFUSED_REALTIME] = "the file is on the realtime device",
	[IOPMEM_REFUSED_SHUTDOWN] = "the file system is shut down or the card is gone",
	[IOPMEM_REFUSED_WRITEBACK] = "the card is mapped write-back and not declared coherent",
	[IOPMEM_REFUSED_NO_MEMORY] = "this kernel offers no memory for a NIC",
};

static const char *refusal(uint32_t reason)
{
	if (reason < sizeof(refusals) / sizeof(refusals[0]) && refusals[reason])
		return refusals[reason];
	return "the module does not say why";
}

int xfs_layout_ioctl(struct backing_export *exp, int fd, const char *path,
		     struct iopmem_err *err)
{
	struct iopmem_layout_open arg = { .size = sizeof(arg), .file_fd = fd };

	while (ioctl(exp->dev_fd, IOPMEM_IOC_LAYOUT_OPEN, &arg)) {
		switch (errno) {
		case EINTR:
			continue;
		case EBUSY:
			return err_msg(err, EAGAIN, "'%s': another layout is alive, maybe of a"
				       " server that died", path);
		case EAGAIN:
			return err_msg(err, EAGAIN, "'%s': a break is pending", path);
		case ETXTBSY:
			return err_msg(err, EAGAIN, "'%s': a local program has it mapped writable",
				       path);
		case EOPNOTSUPP:
			return err_msg(err, EOPNOTSUPP, "'%s': %s", path, refusal(arg.reason));
		default:
			return err_set(err, errno, "'%s': open a layout", path);
		}
	}
	return arg.layout_fd;
}

int xfs_check_module(struct backing_export *exp, struct iopmem_err *err)
{
	struct iopmem_info info = { .size = sizeof(info), .version = IOPMEM_UAPI_VERSION };

	exp->dev_fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (exp->dev_fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return err_set(err, errno, "the iopmem module is not loaded: " DEVICE);
	if (exp->dev_fd < 0)
		return err_set(err, errno, "open " DEVICE);
	if (ioctl(exp->dev_fd, IOPMEM_IOC_GET_INFO, &info)) {
		if (errno == EPROTONOSUPPORT)
			return err_msg(err, EPROTONOSUPPORT, "the iopmem module is too new: it"
				       " no longer serves API version %d", IOPMEM_UAPI_VERSION);
		return err_set(err, errno, DEVICE ": get info");
	}
	if (info.version_min > IOPMEM_UAPI_VERSION || info.version < MODULE_MIN)
		return err_msg(err, EPROTONOSUPPORT, "iopmem module %.32s speaks API versions %u"
			       " to %u, this server %d to %d", info.module, info.version_min,
			       info.version, MODULE_MIN, IOPMEM_UAPI_VERSION);
	if (!info.granule || info.granule > UINT32_MAX || (info.granule & (info.granule - 1)))
		return err_msg(err, EPROTO, "iopmem module %.32s: granule %llu", info.module,
			       (unsigned long long)info.granule);
	exp->granule = (uint32_t)info.granule;
	exp->caps = info.caps;
	snprintf(exp->module, sizeof(exp->module), "%.32s", info.module);
	return 0;
}

static int check_partition(const struct backing_export *exp, struct iopmem_err *err)
{
	char path[64];
	struct stat st;

	if (fstat(exp->root_fd, &st))
		return err_set(err, errno, "stat '%s'", exp->attr.path);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(st.st_dev),
		 minor(st.st_dev));
	if (!access(path, F_OK))
		return err_msg(err, EOPNOTSUPP, "export '%s': '%s' is on a partition: make the"
			       " file system on the whole card", exp->attr.name, exp->attr.path);
	return 0;
}

static int check_dax(const struct backing_export *exp, int fd, struct iopmem_err *err)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx))
		return err_set(err, errno, "export '%s': statx", exp->attr.name);
	if (!(stx.stx_attributes_mask & STATX_ATTR_DAX) ||
	    !(stx.stx_attributes & STATX_ATTR_DAX))
		return err_msg(err, EOPNOTSUPP, "export '%s': a new file in '%s' is not in DAX"
			       " mode (mount option dax=always, or xfs_io -c 'chattr +x' on the"
			       " directory)", exp->attr.name, exp->attr.path);
	return 0;
}

/*
 * A new file tells what the mount options do not: is it DAX, is it ours to lease?  And what
 * memory its layout can be.
 */
int xfs_check_files(struct backing_export *exp, struct iopmem_err *err)
{
	int fd, layout_fd, ret;

	ret = check_partition(exp, err);
	if (ret)
		return ret;
	if (!backing_on_iopmem(exp->attr.path))
		return err_msg(err, EOPNOTSUPP, "export '%s': the block device of '%s' is not an"
			       " iopmem card", exp->attr.name, exp->attr.path);
	fd = open(exp->attr.path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* What is there can be served all the same. */
	if (fd < 0 && (errno == EROFS || errno == ENOSPC || errno == EDQUOT)) {
		log_info("export '%s': layouts not tested: %s", exp->attr.name, strerror(errno));
		return xfs_choose_memory(exp, -1, err);
	}
	if (fd < 0)
		return err_set(err, errno, "export '%s': create a test file in '%s'",
			       exp->attr.name, exp->attr.path);
	ret = check_dax(exp, fd, err);
	if (!ret) {
		layout_fd = xfs_layout_ioctl(exp, fd, exp->attr.path, err);
		ret = layout_fd < 0 ? layout_fd : xfs_choose_memory(exp, layout_fd, err);
		if (layout_fd >= 0)
			close(layout_fd);
	}
	close(fd);
	return ret;
}
