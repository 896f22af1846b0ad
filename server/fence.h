/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fencing (RFC 8881 section 12.5.5.1, draft-hellwig-nfsv4-rdma-layout 2.4.4): the
 * client's keys die without its help; what it has not committed is lost.
 */
#ifndef IOPMEM_SERVER_FENCE_H
#define IOPMEM_SERVER_FENCE_H

#include "layout.h"

/* Segments already being torn down are left to that. */
void fence_layout(struct layout *l, struct range r, const char *why);

#endif
