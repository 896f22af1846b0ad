// SPDX-License-Identifier: GPL-2.0-only
/* 6.11: blk_alloc_disk() takes queue limits with feature flags */
#include <linux/blkdev.h>

struct gendisk *probe(int node);
struct gendisk *probe(int node)
{
	struct queue_limits lim = { .features = BLK_FEAT_DAX };

	return blk_alloc_disk(&lim, node);
}
