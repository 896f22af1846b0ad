/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients that forget their layouts (RFC 8881 section 12.5.5.1): the server does not. */
#ifndef IOPMEM_SERVER_FORGET_H
#define IOPMEM_SERVER_FORGET_H

#include <stdbool.h>

struct call;
struct file;

/*
 * For a LAYOUTGET.  Who was granted a layout by an open stateid, has the reply, and uses
 * the open stateid once more, has forgotten it: the old keys die first, then the call is
 * run again.  True: @call is taken care of.
 */
bool forget_layout(struct call *call, struct file *f);

#endif
