/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the tcp server: tcp_server.c (listener, peers), tcp_conn.c, tcp_mr.c. */
#ifndef IOPMEM_FABRIC_TCP_SERVER_H
#define IOPMEM_FABRIC_TCP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "fabric/key.h"
#include "fabric/provider.h"
#include "fabric/tcp.h"
#include "fabric/token.h"

struct tcp_server {
	struct fabric_server base;
	struct fabric_server_attr attr;		/* event and arg only */
	int listen_fd, stop_fd;
	pthread_t listener;
	char address[64];
	uint16_t port;

	pthread_mutex_t lock;	/* all below, and what peers, connections, regions mark with (l) */
	pthread_cond_t changed;	/* a reference or a connection has gone; CLOCK_MONOTONIC */
	struct key_table keys;
	TAILQ_HEAD(, tcp_peer) peers;
	TAILQ_HEAD(, tcp_conn) conns;		/* oldest first */
	unsigned int nr_conns, nr_strangers;	/* strangers: no hello yet */
};

struct tcp_peer {
	struct fabric_peer base;
	struct tcp_server *server;
	uint64_t clientid;
	struct token token;		/* (l) */
	unsigned int nr_conns;		/* (l) */
	TAILQ_ENTRY(tcp_peer) link;	/* (l) */
};

struct tcp_mr {
	struct fabric_mr base;
	struct tcp_peer *peer;
	struct memsrc src;
	uint32_t rights;
	struct key *key;		/* (l) */
	unsigned int refs;		/* (l) connections inside the memory */
};

#define TCP_ACKS_MAX 64

struct tcp_conn {
	struct tcp_server *server;
	int fd;
	struct tcp_peer *peer;		/* (l) to write; set once */
	struct tcp_mr *mr;		/* (l) to write; the region it is inside, holds a reference */
	atomic_bool cut;		/* shut down: stop at the next piece */
	unsigned int holds;		/* (l) who shuts it down without the lock */
	TAILQ_ENTRY(tcp_conn) link;	/* (l) */

	/* its thread's own */
	struct tcp_request in;		/* next request, @in_have bytes of it */
	size_t in_have;
	struct tcp_reply acks[TCP_ACKS_MAX];
	unsigned int nr_acks;		/* not sent yet */
	uint8_t *bounce;		/* for regions without addr; made when needed */
};

int tcp_server_open(const struct fabric_server_attr *attr, struct fabric_server **server,
		    struct iopmem_err *err);
void tcp_server_info(const struct fabric_server *server, struct fabric_info *info);
void tcp_server_close(struct fabric_server *server);

int tcp_peer_new(struct fabric_server *server, uint64_t clientid, struct fabric_peer **peer,
		 struct iopmem_err *err);
int tcp_peer_token(struct fabric_peer *peer, uint8_t token[FABRIC_TOKEN_SIZE]);
void tcp_peer_disconnect(struct fabric_peer *peer);
void tcp_peer_free(struct fabric_peer *peer);

/* Starts the connection's thread; owns @fd on success. */
int tcp_conn_start(struct tcp_server *server, int fd);
/*
 * The connections that @match soon end, whatever their clients do.  Assumes:
 * server->lock held; drops it for each shutdown(2), which waits while a page fault
 * of the connection's thread, inside recvmsg(2), does: nobody else shall.
 */
typedef bool (*tcp_conn_match)(const struct tcp_conn *conn, const void *arg);
void tcp_conns_cut(struct tcp_server *server, tcp_conn_match match, const void *arg);

/* Assumes: ->peer is set. */
void tcp_conn_tell(struct tcp_conn *conn, enum fabric_event event);
/* Reads away what the client still sends: closing over it would be a reset that eats the reply. */
void tcp_conn_linger(struct tcp_conn *conn);

/* Sends all of it, changing @iov. */
int tcp_send_all(struct tcp_conn *conn, struct iovec *iov, size_t n, int flags);
/* Waits for a request and serves it.  Not 0: the connection is over. */
int tcp_serve_one(struct tcp_conn *conn);

int tcp_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
	       struct fabric_mr **mr, struct iopmem_err *err);
int tcp_mr_dereg(struct fabric_mr *mr);
/* Enters the region that @req may touch; 0, or -EACCES. */
int tcp_mr_enter(struct tcp_conn *conn, uint32_t rkey, uint64_t raddr, uint32_t len,
		 uint32_t right);
void tcp_mr_leave(struct tcp_conn *conn);

#endif
