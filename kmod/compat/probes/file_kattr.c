// SPDX-License-Identifier: GPL-2.0-only
/* 6.17: struct fileattr was renamed */
#include <linux/fs.h>
#include <linux/fileattr.h>

u32 probe(struct file_kattr *fa);
u32 probe(struct file_kattr *fa)
{
	return fa->fsx_xflags;
}
