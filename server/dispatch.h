/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The RPC side: which operation a record asks for, who calls, the slot table's replay cache.
 * Records and connections are conn.h's.
 */
#ifndef IOPMEM_SERVER_DISPATCH_H
#define IOPMEM_SERVER_DISPATCH_H

#include "server.h"

/* Listens on cfg.listen; a second server in the same process is not possible. */
int dispatch_open(struct server *srv, uint16_t *port, struct iopmem_err *err);
void dispatch_close(void);

#endif
