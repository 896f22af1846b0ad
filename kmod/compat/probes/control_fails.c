// SPDX-License-Identifier: GPL-2.0-only
/* Must not compile: calls what no kernel has. */
#include <linux/fs.h>

int probe(struct inode *inode);
int probe(struct inode *inode)
{
	return iopmem_no_such_function(inode);
}
