/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the tcp client: tcp_dial.c makes it, tcp_client.c uses it. */
#ifndef IOPMEM_FABRIC_TCP_CLIENT_H
#define IOPMEM_FABRIC_TCP_CLIENT_H

#include <stdbool.h>

#include "fabric/tcp.h"

struct tcp_call {
	struct tcp_request request;
	struct tcp_reply reply;
	void *addr;
	uint32_t len;
	enum fabric_op op;
	int status;
	void *ctx;
};

/*
 * A ring of operations that are sent and answered in order.  Counters only grow:
 * taken <= done <= sent <= posted; operation n lives in ops[n % depth].
 */
struct tcp_client {
	struct fabric_conn base;
	int fd;			/* -1: dead */
	int send_error;		/* not 0: what the server said before is still to be read */
	uint32_t depth;
	uint64_t taken, done, sent, posted;
	size_t sent_bytes;	/* of operation ->sent */
	size_t got_bytes;	/* of the reply to operation ->done */
	struct tcp_call ops[];
};

uint64_t tcp_now_ms(void);
/* What is left of @timeout_ms (-1 = for ever) that began at @start. */
int tcp_left_ms(int timeout_ms, uint64_t start);

#endif
