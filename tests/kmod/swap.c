// SPDX-License-Identifier: BSD-3-Clause
/* XFS_IOC_SWAPEXT, what xfs_fsr does: it moves blocks and asks no lease, so the module refuses it under layout. */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RW	IOPMEM_IOMODE_RW

/* 0 when the blocks of the two files were exchanged, else what xfs_io said is in @why. */
static bool swapext(const char *target, const char *donor, char *why, size_t room)
{
	char command[512];
	size_t got;
	FILE *out;

	snprintf(command, sizeof(command), "xfs_io -c 'swapext %s/%s' %s/%s 2>&1", lt_mnt, donor, lt_mnt, target);
	out = popen(command, "r");
	CHECK(out);
	got = fread(why, 1, room - 1, out);
	why[got] = 0;
	pclose(out);
	return !got;
}

static void expect_busy(const char *target, const char *donor)
{
	char why[256];

	CHECK(!swapext(target, donor, why, sizeof(why)));
	if (!strstr(why, strerror(EBUSY)))
		printf("# %s", why);
	CHECK(strstr(why, strerror(EBUSY)));
}

static void swap_refused(void)
{
	int target = lt_full_file("target", MIB, 0x11), donor = lt_full_file("donor", MIB, 0x22), fd;
	int other = lt_full_file("other", MIB, 0x33);
	char why[256];

	/* the tool works */
	CHECK(swapext("target", "donor", why, sizeof(why)));
	CHECK(lt_all(target, 0, MIB, 0x22));
	CHECK(lt_all(donor, 0, MIB, 0x11));

	/* either side of it under layout */
	fd = lt_layout(target);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	expect_busy("target", "donor");
	expect_busy("donor", "target");
	CHECK(!lt_poll_break(fd, 0));
	CHECK(lt_all(fd, 0, MIB, 0x22));
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);

	/* other files are not concerned */
	CHECK(swapext("other", "donor", why, sizeof(why)));
	CHECK(lt_all(other, 0, MIB, 0x11));

	/* and this one no longer, once the layout is closed */
	close(fd);
	CHECK(swapext("target", "donor", why, sizeof(why)));
	CHECK(lt_all(target, 0, MIB, 0x33));
}

static unsigned int xflags(int file)
{
	struct fsxattr attr;

	CHECK(!ioctl(file, FS_IOC_FSGETXATTR, &attr));
	return attr.fsx_xflags;
}

/* The file itself tells xfs_fsr to leave it alone; what is only read stays unmarked. */
static void nodefrag(void)
{
	int mine = lt_full_file("nodefrag", MIB, 0x55), reader, fd;
	struct fsxattr attr;
	char path[256];

	snprintf(path, sizeof(path), "%s/nodefrag", lt_mnt);
	CHECK(!ioctl(mine, FS_IOC_FSGETXATTR, &attr));
	attr.fsx_xflags = (attr.fsx_xflags & ~FS_XFLAG_NODEFRAG) | FS_XFLAG_NODUMP | FS_XFLAG_EXTSIZE;
	attr.fsx_extsize = MIB;
	CHECK(!ftruncate(mine, 0));
	CHECK(!ioctl(mine, FS_IOC_FSSETXATTR, &attr));
	reader = open(path, O_RDONLY | O_CLOEXEC);
	fd = lt_layout(reader);
	CHECK_EQ(xflags(mine) & FS_XFLAG_NODEFRAG, 0);
	close(fd);
	fd = lt_layout(mine);
	/* and the rest is what it was */
	CHECK_EQ(xflags(mine), attr.fsx_xflags | FS_XFLAG_NODEFRAG);
	CHECK(!ioctl(mine, FS_IOC_FSGETXATTR, &attr));
	CHECK_EQ(attr.fsx_extsize, MIB);
	close(fd);
}

static void set_allow(const char *value)
{
	FILE *f = fopen("/sys/module/iopmem/parameters/allow_unguarded", "w");

	CHECK(f && fputs(value, f) >= 0 && !fclose(f));
}

/* Run by the scenario while kprobes are switched off. */
static void swap_unguarded(void)
{
	int file = lt_full_file("unguarded", MIB, 0x44), fd;
	struct iopmem_info info;

	CHECK_EQ(lt_info(&info), 0);
	if (info.caps & IOPMEM_CAP_SWAP_HOOK)
		lt_skip("the hook works: run with kernel.ftrace_enabled=0");
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), -EOPNOTSUPP);
	CHECK_EQ(lt_map(fd, 0, MIB, IOPMEM_IOMODE_READ), -EOPNOTSUPP);
	set_allow("1");
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	set_allow("0");
	CHECK_EQ(lt_map(fd, 0, MIB, RW), -EOPNOTSUPP);
}

const struct lt_case lt_swap_cases[] = {
	{ "swap_refused", swap_refused, true, false },
	{ "nodefrag", nodefrag, false, false },
	{ "swap_unguarded", swap_unguarded, false, false },
	{ NULL, NULL, false, false },
};
