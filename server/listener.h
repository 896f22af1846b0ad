/* SPDX-License-Identifier: BSD-3-Clause */
/* The RPC listener's socket. */
#ifndef IOPMEM_SERVER_LISTENER_H
#define IOPMEM_SERVER_LISTENER_H

#include <stdint.h>

#include "base/err.h"

/* Listens on "address[:port]" (numeric).  Returns the descriptor; *@port is in use. */
int listener_open(const char *text, uint16_t *port, struct iopmem_err *err);

/* The connections of a host that crashed end in about a minute. */
void listener_keepalive(int fd);

#endif
