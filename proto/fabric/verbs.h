/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the verbs provider: verbs.c (open, close), verbs_peer.c, verbs_cm.c (events
 * and connections of the server), verbs_mr.c, verbs_client.c.
 *
 * Protection: the device chooses the keys, so there is no quarantine (mlx5 reissues
 * a key at once, rxe's can be guessed).  What keeps peers apart is one protection
 * domain per peer; what ends access is ibv_dereg_mr(), which returns when no access
 * is under way.
 *
 * Threads: one thread per server takes CM and asynchronous events, accepts, and
 * alone destroys connections, always after the event is acknowledged: destroying
 * waits for unacknowledged events.  ->lock is not held over accept and destroy.
 */
#ifndef IOPMEM_FABRIC_VERBS_H
#define IOPMEM_FABRIC_VERBS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include <rdma/rdma_cma.h>

#include "fabric/provider.h"
#include "fabric/token.h"

#define VERBS_MAGIC	0x696f7076U	/* "iopv", in the CM's private data */
#define VERBS_VERSION	1
#define VERBS_DEVICES	16
#define VERBS_RETRY	6		/* 7 would be for ever (RNR) */

struct verbs_hello {			/* private data of the connect request */
	uint32_t magic;
	uint8_t version;
	uint8_t zero[3];
	uint8_t token[FABRIC_TOKEN_SIZE];
};

enum verbs_reason {
	VERBS_TOKEN = 1,		/* not admitted */
	VERBS_VERSION_UNKNOWN,
	VERBS_DEVICE,			/* the client's regions are on another device */
	VERBS_RESOURCES,
};

struct verbs_refusal {			/* private data of the reject */
	uint32_t magic;
	uint8_t reason;
	uint8_t version;		/* the server's */
	uint8_t zero[2];
};

_Static_assert(sizeof(struct verbs_hello) == 24, "at most 56 bytes of private data");
_Static_assert(sizeof(struct verbs_refusal) == 8, "padding on the wire");

struct verbs_server {
	struct fabric_server base;
	struct fabric_server_attr attr;		/* event and arg only */
	struct fabric_demand demand;		/* not able: regions are pinned */
	char address[64];
	uint16_t port;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *listen;
	int wake_fd;
	pthread_t thread;
	struct ibv_context *devices[VERBS_DEVICES];	/* whose events we take; the thread's own */
	unsigned int nr_devices;

	pthread_mutex_t lock;	/* all below, and what is marked (l) */
	pthread_cond_t changed;	/* a connection has gone */
	bool stop;
	TAILQ_HEAD(, verbs_peer) peers;
	TAILQ_HEAD(, verbs_conn) conns;
};

struct verbs_peer {
	struct fabric_peer base;
	struct verbs_server *server;
	uint64_t clientid;
	struct token token;		/* (l) */
	struct ibv_pd *pd;		/* (l) NULL until the first connection */
	struct ibv_cq *cq;		/* queue pairs want one; nothing ever completes */
	unsigned int nr_mrs;		/* (l) on ->pd */
	unsigned int nr_conns;		/* (l) */
	TAILQ_ENTRY(verbs_peer) link;	/* (l) */
};

struct verbs_conn {
	struct verbs_peer *peer;
	struct rdma_cm_id *id;
	struct ibv_qp *qp;		/* (l) NULL: not made yet */
	bool announced;			/* PEER_CONNECTED was told; the thread's own */
	bool violated;			/* PEER_VIOLATION was told; the thread's own */
	bool cut;			/* (l) to be ended */
	TAILQ_ENTRY(verbs_conn) link;	/* (l) listed: ->qp may be touched under the lock */
};

/* Bytes of IB MTU of a connected queue pair, 0 if it cannot be told. */
uint32_t verbs_path_mtu(struct ibv_qp *qp);

/* The server's thread. */
void *verbs_cm_main(void *arg);
/* Makes the thread look at ->stop and ->cut. */
void verbs_wake(struct verbs_server *server);

int verbs_ports(const struct fabric_server *server, struct fabric_port *ports, size_t room,
		struct iopmem_err *err);

int verbs_peer_new(struct fabric_server *server, uint64_t clientid, struct fabric_peer **peer,
		   struct iopmem_err *err);
int verbs_peer_token(struct fabric_peer *peer, uint8_t token[FABRIC_TOKEN_SIZE]);
void verbs_peer_disconnect(struct fabric_peer *peer);
void verbs_peer_free(struct fabric_peer *peer);
/* Gives @peer a protection domain on @device; 0 or -errno.  The server's thread only. */
int verbs_peer_use(struct verbs_peer *peer, struct ibv_context *device);

int verbs_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
		 struct fabric_mr **mr, struct iopmem_err *err);
int verbs_mr_dereg(struct fabric_mr *mr);
int verbs_dmabuf(int fd, uint64_t length, struct iopmem_err *err);

int verbs_connect(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		  struct iopmem_err *err);
void verbs_disconnect(struct fabric_conn *conn);
int verbs_buf_reg(struct fabric_conn *conn, void *addr, size_t len, struct fabric_buf **buf,
		  struct iopmem_err *err);
void verbs_buf_dereg(struct fabric_buf *buf);
int verbs_post(struct fabric_conn *conn, const struct fabric_wr *wr);
void verbs_kick(struct fabric_conn *conn);
int verbs_fds(struct fabric_conn *conn, int fds[FABRIC_FDS], short events[FABRIC_FDS]);
bool verbs_arm(struct fabric_conn *conn);
int verbs_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms);

/* O_NONBLOCK and FD_CLOEXEC; 0 or -errno. */
int verbs_fd_setup(int fd);

#endif
