/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tcp fabric on the wire.  Big-endian, fixed sizes.
 *
 * Client: hello.  Server: welcome.  Then requests, a WRITE followed by its bytes;
 * replies come in the order of the requests, a successful READ's followed by its
 * bytes.  A WRITE is answered when its bytes are in memory.  A reply that is not
 * TCP_OK carries no bytes and is the last thing the server sends.
 */
#ifndef IOPMEM_FABRIC_TCP_H
#define IOPMEM_FABRIC_TCP_H

#include <stdint.h>

#include "fabric/provider.h"

#define TCP_MAGIC	0x696f7066U	/* "iopf" */
#define TCP_VERSION	1

enum tcp_status {
	TCP_OK,
	TCP_ACCESS,		/* token; key, bounds or rights */
	TCP_IO,			/* the server's memory failed */
	TCP_VERSION_UNKNOWN,	/* welcome only; its version is the server's */
};

enum tcp_op { TCP_READ = 1, TCP_WRITE = 2 };

struct tcp_hello {
	uint32_t magic;
	uint16_t version;
	uint16_t zero;
	uint8_t token[FABRIC_TOKEN_SIZE];
};

struct tcp_welcome {
	uint32_t magic;
	uint16_t version;
	uint16_t status;
};

struct tcp_request {
	uint32_t op;
	uint32_t rkey;
	uint64_t raddr;
	uint64_t id;
	uint32_t len;
	uint32_t zero;
};

struct tcp_reply {
	uint64_t id;
	uint32_t status;
	uint32_t zero;
};

_Static_assert(sizeof(struct tcp_hello) == 24, "padding on the wire");
_Static_assert(sizeof(struct tcp_welcome) == 8, "padding on the wire");
_Static_assert(sizeof(struct tcp_request) == 32, "padding on the wire");
_Static_assert(sizeof(struct tcp_reply) == 16, "padding on the wire");

/* Both ends: no delay, and a peer that has vanished is noticed within TCP_DEAD_MS. */
#define TCP_DEAD_MS 20000
int tcp_socket_tune(int fd);

/* tcp_client.c */
int tcp_connect(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		struct iopmem_err *err);
void tcp_disconnect(struct fabric_conn *conn);
int tcp_buf_reg(struct fabric_conn *conn, void *addr, size_t len, struct fabric_buf **buf,
		struct iopmem_err *err);
void tcp_buf_dereg(struct fabric_buf *buf);
int tcp_post(struct fabric_conn *conn, const struct fabric_wr *wr);
void tcp_kick(struct fabric_conn *conn);
int tcp_fds(struct fabric_conn *conn, int fds[FABRIC_FDS], short events[FABRIC_FDS]);
bool tcp_arm(struct fabric_conn *conn);
int tcp_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms);

#endif
