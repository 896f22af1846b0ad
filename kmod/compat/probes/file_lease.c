// SPDX-License-Identifier: GPL-2.0-only
/* 6.9: leases are a type of their own */
#include <linux/fs.h>
#include <linux/filelock.h>

void *probe(struct file_lease *fl);
void *probe(struct file_lease *fl)
{
	return fl->c.flc_owner;
}
