// SPDX-License-Identifier: GPL-2.0-only
/* 7.x: called without a NULL check when a lease is added */
#include <linux/fs.h>
#include <linux/filelock.h>

unsigned long probe(struct lease_manager_operations *ops);
unsigned long probe(struct lease_manager_operations *ops)
{
	return (unsigned long)ops->lm_open_conflict;
}
