// SPDX-License-Identifier: BSD-3-Clause
/* The provider table, and the public functions: check what all providers check, dispatch. */
#include <errno.h>
#include <string.h>

#include "fabric/fabric.h"
#include "fabric/provider.h"

static const struct fabric_provider *const providers[] = {
	&fabric_tcp,
	&fabric_verbs,
};

static const struct fabric_provider *find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(providers) / sizeof(providers[0]); i++)
		if (!strcmp(providers[i]->name, name))
			return providers[i];
	return NULL;
}

static int unknown(const char *name, struct iopmem_err *err)
{
	return err_msg(err, EINVAL, "no fabric provider is named '%s' (there are: tcp, verbs)",
		       name ? name : "");
}

int fabric_demand(const char *provider, struct fabric_demand *demand, struct iopmem_err *err)
{
	const struct fabric_provider *ops = find(provider);

	return ops ? ops->demand(demand, err) : unknown(provider, err);
}

int fabric_dmabuf(const char *provider, int fd, uint64_t length, struct iopmem_err *err)
{
	const struct fabric_provider *ops = find(provider);

	if (!ops)
		return unknown(provider, err);
	return ops->dmabuf ? ops->dmabuf(fd, length, err) :
	       err_msg(err, EOPNOTSUPP, "fabric %s: no device is involved that could import a dma-buf",
		       provider);
}

int fabric_server_open(const struct fabric_server_attr *attr,
		       struct fabric_server **server, struct iopmem_err *err)
{
	const struct fabric_provider *ops = find(attr->provider);

	return ops ? ops->server_open(attr, server, err) : unknown(attr->provider, err);
}

void fabric_server_info(const struct fabric_server *server, struct fabric_info *info)
{
	*info = (struct fabric_info){ .provider = server->ops->name, .io_align = 1 };
	server->ops->server_info(server, info);
}

void fabric_server_close(struct fabric_server *server)
{
	if (server)
		server->ops->server_close(server);
}

int fabric_server_ports(const struct fabric_server *server, struct fabric_port *ports, size_t room,
			struct iopmem_err *err)
{
	return server->ops->server_ports ? server->ops->server_ports(server, ports, room, err) : 0;
}

int fabric_peer_new(struct fabric_server *server, uint64_t clientid,
		    struct fabric_peer **peer, struct iopmem_err *err)
{
	return server->ops->peer_new(server, clientid, peer, err);
}

int fabric_peer_token(struct fabric_peer *peer, uint8_t token[FABRIC_TOKEN_SIZE])
{
	return peer->ops->peer_token(peer, token);
}

void fabric_peer_disconnect(struct fabric_peer *peer)
{
	peer->ops->peer_disconnect(peer);
}

void fabric_peer_free(struct fabric_peer *peer)
{
	if (peer)
		peer->ops->peer_free(peer);
}

int fabric_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
		  struct fabric_mr **mr, struct iopmem_err *err)
{
	if (!src->length || src->length - 1 > UINT64_MAX - src->file_offset ||
	    (!src->addr && src->fd < 0 && src->kind != MEMSRC_DMABUF) ||
	    !rights || (rights & ~(FABRIC_READ | FABRIC_WRITE)))
		return err_msg(err, EINVAL, "register %llu bytes at %#llx, rights %#x: no such region",
			       (unsigned long long)src->length,
			       (unsigned long long)src->file_offset, rights);
	return peer->ops->mr_reg(peer, src, rights, mr, err);
}

uint32_t fabric_mr_rkey(const struct fabric_mr *mr)
{
	return mr->rkey;
}

uint64_t fabric_mr_addr(const struct fabric_mr *mr)
{
	return mr->raddr;
}

int fabric_mr_dereg(struct fabric_mr *mr)
{
	return mr ? mr->ops->mr_dereg(mr) : 0;
}

int fabric_connect(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		   struct iopmem_err *err)
{
	const struct fabric_provider *ops = find(attr->provider);

	if (!ops)
		return unknown(attr->provider, err);
	if (!attr->depth || !attr->address || !attr->port || !attr->token)
		return err_msg(err, EINVAL, "fabric_connect: address, port, token and depth are needed");
	return ops->connect(attr, conn, err);
}

void fabric_disconnect(struct fabric_conn *conn)
{
	if (conn)
		conn->ops->disconnect(conn);
}

int fabric_buf_reg(struct fabric_conn *conn, void *addr, size_t len,
		   struct fabric_buf **buf, struct iopmem_err *err)
{
	return conn->ops->buf_reg(conn, addr, len, buf, err);
}

void fabric_buf_dereg(struct fabric_buf *buf)
{
	if (buf)
		buf->conn->ops->buf_dereg(buf);
}

static int post(struct fabric_conn *conn, const struct fabric_wr *wr)
{
	const struct fabric_buf *buf = wr->buf;
	uintptr_t start = (uintptr_t)buf->addr, first = (uintptr_t)wr->addr;

	if (!wr->len || wr->len > FABRIC_LEN_MAX ||
	    (wr->op != FABRIC_OP_READ && wr->op != FABRIC_OP_WRITE) ||
	    buf->conn != conn || first < start || first - start > buf->len ||
	    wr->len > buf->len - (first - start))
		return -EINVAL;
	return conn->ops->post(conn, wr);
}

int fabric_post(struct fabric_conn *conn, enum fabric_op op, struct fabric_buf *buf,
		void *addr, uint32_t len, uint32_t rkey, uint64_t raddr, void *ctx)
{
	struct fabric_wr wr = { op, buf, addr, len, rkey, raddr, ctx, false };

	return post(conn, &wr);
}

int fabric_post_more(struct fabric_conn *conn, enum fabric_op op, struct fabric_buf *buf,
		     void *addr, uint32_t len, uint32_t rkey, uint64_t raddr, void *ctx)
{
	struct fabric_wr wr = { op, buf, addr, len, rkey, raddr, ctx, true };

	return post(conn, &wr);
}

void fabric_kick(struct fabric_conn *conn)
{
	conn->ops->kick(conn);
}

int fabric_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms)
{
	if (n <= 0)
		return -EINVAL;
	return conn->ops->poll(conn, wc, n, timeout_ms);
}

int fabric_fds(struct fabric_conn *conn, int fds[FABRIC_FDS], short events[FABRIC_FDS])
{
	return conn->ops->fds(conn, fds, events);
}

bool fabric_arm(struct fabric_conn *conn)
{
	return conn->ops->arm(conn);
}

bool fabric_buf_is_free(const struct fabric_conn *conn)
{
	return conn->ops->buf_is_free;
}
