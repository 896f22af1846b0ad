// SPDX-License-Identifier: GPL-2.0-only
/* 7.x: decides what happens when a break times out */
#include <linux/fs.h>
#include <linux/filelock.h>

unsigned long probe(struct lease_manager_operations *ops);
unsigned long probe(struct lease_manager_operations *ops)
{
	return (unsigned long)ops->lm_breaker_timedout;
}
