/* SPDX-License-Identifier: BSD-3-Clause */
/* Between conn.c and conn_io.c.  Everything assumes the connection's lock. */
#ifndef CLIENT_CONN_IO_H
#define CLIENT_CONN_IO_H

#include "conn.h"

/* The oldest operation in flight is over. */
void conn_done(struct iopmem_client *client, int status);
/* Ends the connection; what is in flight gets @status. */
void conn_disconnect(struct iopmem_client *client, int status);
/* Posts what there is room for; without a connection all of it fails. */
void conn_run_backlog(struct iopmem_client *client);

#endif
