/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fabric contract: one-sided access to a server's memory regions.
 *
 * Providers: "verbs" (RDMA) and "tcp" (the same semantics over a stream).  Both obey:
 *  - A key (rkey) is valid for one peer only, exactly for the bytes and rights
 *    it was registered with; every other access fails and, as with an RC queue
 *    pair, ends that connection (the offender sees -EACCES, what was queued
 *    behind it -ECONNRESET; over verbs the news of the end may overtake the answer,
 *    then all that is open sees -ECONNRESET).  The peer's other keys stay valid: it
 *    reconnects.
 *  - fabric_mr_dereg() is a revoke: after it has returned 0 no byte of the
 *    region is written or read by any peer.  It does not depend on the peer's help.
 *  - A completed read sees all writes completed before it was posted on the same
 *    connection, in the target's memory (that makes a read of the last bytes a flush).
 *  - Keys are not reused within FABRIC_KEY_QUARANTINE_MS of their dereg where the
 *    provider chooses them (tcp).  verbs devices choose their own, and some reissue
 *    them at once: there the peer's protection domain is what keeps others out.
 *
 * Threads: server calls may come from any thread; reg, dereg, disconnect, free may
 * block.  A client connection belongs to one thread at a time (the caller locks).
 */
#ifndef IOPMEM_FABRIC_H
#define IOPMEM_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fabric/memsrc.h"

#define FABRIC_TOKEN_SIZE 16
#define FABRIC_KEY_QUARANTINE_MS 20000

#define FABRIC_READ	(1U << 0)	/* peer may read */
#define FABRIC_WRITE	(1U << 1)	/* peer may write */

/* ---- server ---- */

struct fabric_server;
struct fabric_peer;
struct fabric_mr;

/*
 * For each connection: CONNECTED, before the client can use it; at most one VIOLATION;
 * then DISCONNECTED, always.  A VIOLATION is never invented, but verbs misses some
 * where the device does not report them (rxe): for metrics and logs only.
 */
enum fabric_event {
	FABRIC_PEER_CONNECTED,
	FABRIC_PEER_DISCONNECTED,
	FABRIC_PEER_VIOLATION,		/* bad key, bounds or rights; the connection is dead */
};

/* Memory that is faulted in when a peer touches it (MEMSRC_ON_DEMAND). */
struct fabric_demand {
	bool able;
	bool nic;			/* a device does it, not this host's CPU */
	bool own_addr;			/* remote addresses are the server's own, not file offsets */
	uint32_t io_align;		/* what such regions ask of peers: 1 = nothing */
	uint32_t min_path_mtu;		/* bytes of IB MTU, 0 = none */
};

/*
 * Can every device of a provider do it?  -ENODEV: there is no device.
 * rxe (up to Linux 7.3) takes remote addresses for the server's own, and copies wrongly when
 * a packet does not begin on a page: peers must align, and use an IB MTU of a page.
 */
int fabric_demand(const char *provider, struct fabric_demand *demand, struct iopmem_err *err);

/*
 * Does every device of a provider import a dma-buf that its exporter can take back?  Registers
 * @length bytes of @fd on each and deregisters them; with @fd -1 only the drivers are asked,
 * some of which import others only.  Errors: -EOPNOTSUPP naming the first that does not, -ENODEV
 * there is no device, and what the device says.
 */
int fabric_dmabuf(const char *provider, int fd, uint64_t length, struct iopmem_err *err);

struct fabric_server_attr {
	const char *provider;		/* "tcp" or "verbs" */
	const struct fabric_demand *demand;	/* regions will be on demand; or NULL */
	const char *address;		/* numeric, NULL = all */
	uint16_t port;			/* 0 = any; the one in use is in fabric_info */
	/* Called from provider threads; must not call back into the fabric. */
	void (*event)(void *arg, enum fabric_event ev, uint64_t clientid);
	void *arg;
};

struct fabric_info {
	const char *provider;
	char address[64];		/* "" = the one the client already uses */
	uint16_t port;
	uint32_t io_align;		/* 1 = none */
	uint32_t min_path_mtu;		/* bytes of IB MTU, 0 = none */
	uint32_t needs_addr;		/* memory sources must have addr or be a dma-buf */
};

/* Refuses by name what cannot work: no RDMA device, port in use, RLIMIT_MEMLOCK. */
int fabric_server_open(const struct fabric_server_attr *attr,
		       struct fabric_server **server, struct iopmem_err *err);
void fabric_server_info(const struct fabric_server *server, struct fabric_info *info);
/* Assumes: no peer is left. */
void fabric_server_close(struct fabric_server *server);

/* A way in for clients. */
struct fabric_port {
	char device[64];
	unsigned int port;		/* of the device, from 1 */
	char address[64];		/* numeric, one of those it has */
};

/*
 * The ports of devices through which clients can come now, each once.  Their number, at most
 * @room (0: no device is involved, or none has an address), or -errno.
 */
int fabric_server_ports(const struct fabric_server *server, struct fabric_port *ports, size_t room,
			struct iopmem_err *err);

/*
 * One peer per client: its protection domain and connections.  A token admits one
 * connection of that client, once; issuing a new one voids the unused last.
 */
int fabric_peer_new(struct fabric_server *server, uint64_t clientid,
		    struct fabric_peer **peer, struct iopmem_err *err);
int fabric_peer_token(struct fabric_peer *peer, uint8_t token[FABRIC_TOKEN_SIZE]);
/*
 * Ends its connections and voids its token; both are gone, and every event has been
 * told, when it returns.  Keys stay until deregistered.
 */
void fabric_peer_disconnect(struct fabric_peer *peer);
/* Disconnects, and frees.  Assumes: no region of the peer is left. */
void fabric_peer_free(struct fabric_peer *peer);

/*
 * Registers @src for @peer.  Errors: -ENOTCONN the peer has not connected yet
 * (verbs: its device is unknown before), -ENOMEM (RLIMIT_MEMLOCK or NIC limits),
 * -EINVAL (empty, no rights, no memory), -EIO and what the device says.
 */
int fabric_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
		  struct fabric_mr **mr, struct iopmem_err *err);
uint32_t fabric_mr_rkey(const struct fabric_mr *mr);
uint64_t fabric_mr_addr(const struct fabric_mr *mr);	/* remote address of the first byte */
/* 0: revoked, @mr is gone.  Negative: nothing changed, call again. */
int fabric_mr_dereg(struct fabric_mr *mr);

/* ---- client ---- */

struct fabric_conn;
struct fabric_buf;

enum fabric_op { FABRIC_OP_READ, FABRIC_OP_WRITE };

struct fabric_conn_attr {
	const char *provider;
	const char *address;		/* numeric */
	uint16_t port;
	const uint8_t *token;
	uint32_t depth;			/* operations in flight at most */
	uint32_t timeout_ms;		/* to connect */
	uint32_t min_path_mtu;		/* fails with -EPROTONOSUPPORT below it; 0 = none */
};

struct fabric_wc {
	void *ctx;			/* as posted */
	int status;			/* 0, -EACCES (key, bounds, rights), -ECONNRESET, -ETIMEDOUT, -EIO */
};

/*
 * Errors: -EACCES the token was refused, -EPROTONOSUPPORT version or path MTU,
 * -ETIMEDOUT, -ECONNREFUSED and other errnos of the network, -EXDEV (verbs: the
 * peer's regions are on another device of the server), -EINVAL.
 */
int fabric_connect(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		   struct iopmem_err *err);
/*
 * Ends the connection.  Operations without completion are lost: poll first.
 * Assumes: no buf is left.
 */
void fabric_disconnect(struct fabric_conn *conn);

/*
 * Caller's memory for I/O; stays the caller's, must outlive the buf.  A buf belongs
 * to its connection and is deregistered before fabric_disconnect(); operations may be
 * in flight on it only if that comes next.
 */
int fabric_buf_reg(struct fabric_conn *conn, void *addr, size_t len,
		   struct fabric_buf **buf, struct iopmem_err *err);
void fabric_buf_dereg(struct fabric_buf *buf);

/*
 * Queues one operation.  Errors: -EAGAIN depth reached (poll, then again),
 * -ECONNRESET the connection is dead, -EINVAL outside @buf, len 0 or > 1 GiB.
 * Depth counts what has not been taken by fabric_poll() yet.
 * WRITEs of one connection are placed in order of posting.
 */
int fabric_post(struct fabric_conn *conn, enum fabric_op op, struct fabric_buf *buf,
		void *addr, uint32_t len, uint32_t rkey, uint64_t raddr, void *ctx);
/*
 * The same for one of several: it may stay with the provider until the next fabric_post(),
 * fabric_kick() or fabric_poll(), which start all of them at once (one doorbell, one
 * system call).  An error that starting meets comes as the operations' completions.
 */
int fabric_post_more(struct fabric_conn *conn, enum fabric_op op, struct fabric_buf *buf,
		     void *addr, uint32_t len, uint32_t rkey, uint64_t raddr, void *ctx);
void fabric_kick(struct fabric_conn *conn);
/*
 * Takes up to @n completions, waiting up to @timeout_ms for the first (0 = do not
 * wait, -1 = for ever).  Returns their number, 0 on timeout, -ECONNRESET when the
 * connection is dead and every completion has been taken.  Drives the connection:
 * on tcp nothing moves between the calls but what the socket buffers hold.
 * Completions come in order of posting.
 */
int fabric_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms);

/*
 * For callers that wait in their own loop.  fabric_fds() gives the descriptors (their
 * number, at most FABRIC_FDS; the same ones for the life of the connection) and what to wait
 * for on each now, POLLIN or POLLIN | POLLOUT.  Order: fabric_arm(); while it says true,
 * fabric_poll() first; then sleep until one is ready; then fabric_poll().
 */
#define FABRIC_FDS 2
int fabric_fds(struct fabric_conn *conn, int fds[FABRIC_FDS], short events[FABRIC_FDS]);
/* True: completions may be there already, of which no descriptor will tell. */
bool fabric_arm(struct fabric_conn *conn);

/* Does a buffer cost nothing to register?  (tcp: there is no device that must reach it.) */
bool fabric_buf_is_free(const struct fabric_conn *conn);

#endif
