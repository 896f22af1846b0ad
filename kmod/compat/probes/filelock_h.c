// SPDX-License-Identifier: GPL-2.0-only
/* 6.3: locks and leases moved out of <linux/fs.h> */
#include <linux/filelock.h>
