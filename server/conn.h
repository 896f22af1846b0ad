/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections: TCP streams of ONC RPC records (RFC 5531 section 11), and the listener.
 * Loop thread only.  A connection has one call in progress; what a peer sends behind it
 * waits in the socket.
 */
#ifndef IOPMEM_SERVER_CONN_H
#define IOPMEM_SERVER_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "loop.h"
#include "server.h"

#define CONN_RECORD_MAX (64 * 1024)	/* a request */

struct call;

struct conn {
	int fd;
	struct fd_watch watch;
	struct sockaddr_storage peer;
	struct call *call;		/* in progress */
	bool dead;			/* to be closed */
	bool delivering;		/* its records are being handed out */
	char *in;			/* [base, base + rec) assembled, [raw, have) as it came */
	size_t size, base, rec, raw, have;
	char *out;			/* what the socket did not take */
	size_t out_at, out_len;
	struct conn *prev, *next;
};

struct conn_handler {
	/* A whole record, valid during the call. */
	void (*record)(struct conn *conn, const char *data, size_t len);
	/* It goes; conn->call may be there still. */
	void (*closed)(struct conn *conn);
};

/* Listens on cfg.listen.  One server in a process. */
int conns_open(struct server *srv, const struct conn_handler *handler, uint16_t *port,
	       struct iopmem_err *err);
void conns_close(void);
unsigned int conns_count(void);

/* Sends a record.  False: the connection is as good as gone.  A peer with too much unread is cut off. */
bool conn_send(struct conn *conn, const void *data, size_t len);
/* A call ended outside of record(): hands out what came meanwhile. */
void conn_resume(struct conn *conn);
/* The peer breaks the rules. */
void conn_kill(struct conn *conn, const char *why);

#endif
