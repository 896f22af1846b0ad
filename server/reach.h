/* SPDX-License-Identifier: BSD-3-Clause */
/* What the module says about an RDMA device and the card below a directory. */
#ifndef IOPMEM_SERVER_REACH_H
#define IOPMEM_SERVER_REACH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The module's line (see "p2p" in iopmem(4)), without its end of line.  False: it has none,
 * for a device that is no PCI function's (rxe, siw).
 */
bool reach_verdict(const char *path, const char *rdma, char *line, size_t size);

#endif
