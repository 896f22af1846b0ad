// SPDX-License-Identifier: GPL-2.0-only
/* 7.x: map_blocks and commit_blocks moved to a structure of their own */
#include <linux/exportfs.h>
#include <linux/exportfs_block.h>

const void *probe(struct export_operations *ops);
const void *probe(struct export_operations *ops)
{
	return ops->block_ops;
}
