/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Do bytes arrive?  Nothing but an attempt tells whether a NIC reaches the memory of a card:
 * before a fabric serves, each of its ports writes a pattern into each export's card that the
 * CPU must read, and reads one that the CPU wrote.
 */
#ifndef IOPMEM_SERVER_PROBE_H
#define IOPMEM_SERVER_PROBE_H

#include "server.h"

/* The fabric's peer and this process's client of it have this id; no client has. */
#define PROBE_CLIENTID 0

/*
 * Probes srv->fabric with every export as srv->cfg.probe says.  Fails with the first port and
 * export that do not pass (probe=warn: says so and goes on).  Assumes: the fabric serves, no
 * client has been admitted.
 */
int probe_exports(struct server *srv, struct iopmem_err *err);

#endif
