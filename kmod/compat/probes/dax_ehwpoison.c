// SPDX-License-Identifier: GPL-2.0-only
/* 6.5: direct_access says EHWPOISON of bad memory */
#include <linux/dax.h>

int probe(void);
int probe(void)
{
	return dax_mem2blk_err(-EHWPOISON);
}
