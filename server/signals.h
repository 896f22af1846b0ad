/* SPDX-License-Identifier: BSD-3-Clause */
/* TERM and INT stop the server in order, the second time without patience; HUP reads the configuration again. */
#ifndef IOPMEM_SERVER_SIGNALS_H
#define IOPMEM_SERVER_SIGNALS_H

#include "server.h"

/* Before any thread: all inherit the mask. */
void signals_block(void);
/* A thread of its own takes them from here on.  Assumes: srv->reload is there. */
int signals_start(struct server *srv, struct iopmem_err *err);

#endif
