/* SPDX-License-Identifier: BSD-3-Clause */
/* The RPC listener's socket. */
#ifndef IOPMEM_SERVER_LISTENER_H
#define IOPMEM_SERVER_LISTENER_H

#include <stdint.h>

#include "base/err.h"

/*
 * Listens on "address[:port]" (numeric); *@port: the default, and then the one in use.
 * @option names it in messages.  Returns the descriptor.
 */
int listener_open(const char *option, const char *text, uint16_t *port, struct iopmem_err *err);

/* The connections of a host that crashed end in about a minute. */
void listener_keepalive(int fd);

#endif
