// SPDX-License-Identifier: GPL-2.0-only
/* until 6.13: a symbol namespace is a token, not a string */
#include <linux/module.h>

MODULE_IMPORT_NS(DMA_BUF);
