/* SPDX-License-Identifier: BSD-3-Clause */
/* What a fabric provider implements; registry.c dispatches fabric.h to it. */
#ifndef IOPMEM_FABRIC_PROVIDER_H
#define IOPMEM_FABRIC_PROVIDER_H

#include "fabric/fabric.h"

#define FABRIC_LEN_MAX (1U << 30)	/* bytes of one operation */

/* Each is the first member of the provider's own struct. */
struct fabric_server {
	const struct fabric_provider *ops;
};

struct fabric_peer {
	const struct fabric_provider *ops;
};

struct fabric_mr {
	const struct fabric_provider *ops;
	uint32_t rkey;
	uint64_t raddr;
};

struct fabric_conn {
	const struct fabric_provider *ops;
};

struct fabric_buf {
	struct fabric_conn *conn;
	void *addr;
	size_t len;
};

/* One operation. */
struct fabric_wr {
	enum fabric_op op;
	struct fabric_buf *buf;
	void *addr;
	uint32_t len;
	uint32_t rkey;
	uint64_t raddr;
	void *ctx;
	bool more;			/* another one follows: starting it can wait */
};

/* As the functions of the same name; arguments have been checked by registry.c. */
struct fabric_provider {
	const char *name;
	int (*server_open)(const struct fabric_server_attr *attr,
			   struct fabric_server **server, struct iopmem_err *err);
	int (*demand)(struct fabric_demand *demand, struct iopmem_err *err);
	/* NULL: the provider imports none. */
	int (*dmabuf)(int fd, uint64_t length, struct iopmem_err *err);
	void (*server_info)(const struct fabric_server *server, struct fabric_info *info);
	void (*server_close)(struct fabric_server *server);
	/* NULL: no devices */
	int (*server_ports)(const struct fabric_server *server, struct fabric_port *ports,
			    size_t room, struct iopmem_err *err);

	int (*peer_new)(struct fabric_server *server, uint64_t clientid,
			struct fabric_peer **peer, struct iopmem_err *err);
	int (*peer_token)(struct fabric_peer *peer, uint8_t token[FABRIC_TOKEN_SIZE]);
	void (*peer_disconnect)(struct fabric_peer *peer);
	void (*peer_free)(struct fabric_peer *peer);

	int (*mr_reg)(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
		      struct fabric_mr **mr, struct iopmem_err *err);
	int (*mr_dereg)(struct fabric_mr *mr);

	int (*connect)(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		       struct iopmem_err *err);
	void (*disconnect)(struct fabric_conn *conn);
	int (*buf_reg)(struct fabric_conn *conn, void *addr, size_t len,
		       struct fabric_buf **buf, struct iopmem_err *err);
	void (*buf_dereg)(struct fabric_buf *buf);
	int (*post)(struct fabric_conn *conn, const struct fabric_wr *wr);
	void (*kick)(struct fabric_conn *conn);
	int (*poll)(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms);
	int (*fds)(struct fabric_conn *conn, int fds[FABRIC_FDS], short events[FABRIC_FDS]);
	bool (*arm)(struct fabric_conn *conn);
	bool buf_is_free;
};

extern const struct fabric_provider fabric_tcp;
extern const struct fabric_provider fabric_verbs;

#endif
