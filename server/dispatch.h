/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The RPC side: libtirpc transports, decoding, the slot table's replay cache.
 * The only file that sees SVCXPRT.
 *
 * A connection has one call in progress; its descriptor leaves the poll set (but
 * for POLLRDHUP) until the reply is sent, because libtirpc keeps the transaction
 * id of the last call only.
 */
#ifndef IOPMEM_SERVER_DISPATCH_H
#define IOPMEM_SERVER_DISPATCH_H

#include "server.h"

/* Listens on cfg.listen; a second server in the same process is not possible. */
int dispatch_open(struct server *srv, uint16_t *port, struct iopmem_err *err);
void dispatch_close(void);

#endif
