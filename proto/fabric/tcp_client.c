// SPDX-License-Identifier: BSD-3-Clause
/*
 * The tcp client: a ring of operations that are sent and answered in order.
 * Counters only grow: taken <= done <= sent <= posted; operation n lives in
 * ops[n % depth].
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fabric/provider.h"
#include "fabric/sockaddr.h"
#include "fabric/tcp.h"

#define DEPTH_MAX	65536
#define GATHER		16	/* operations in one system call */

struct op {
	struct tcp_request request;
	struct tcp_reply reply;
	void *addr;
	uint32_t len;
	enum fabric_op op;
	int status;
	void *ctx;
};

struct tcp_client {
	struct fabric_conn base;
	int fd;			/* -1: dead */
	int send_error;		/* not 0: what the server said before is still to be read */
	uint32_t depth;
	uint64_t taken, done, sent, posted;
	size_t sent_bytes;	/* of operation ->sent */
	size_t got_bytes;	/* of the reply to operation ->done */
	struct op ops[];
};

static struct op *op_at(struct tcp_client *c, uint64_t n)
{
	return &c->ops[n % c->depth];
}

static uint32_t sends(const struct op *op)
{
	return op->op == FABRIC_OP_WRITE ? op->len : 0;
}

static uint32_t gets(const struct op *op)
{
	return op->op == FABRIC_OP_READ ? op->len : 0;
}

/* The connection is over; the oldest operation in flight gets @status. */
static void die(struct tcp_client *c, int status)
{
	for (uint64_t n = c->done; n < c->posted; n++)
		op_at(c, n)->status = n == c->done ? status : -ECONNRESET;
	c->done = c->sent = c->posted;
	close(c->fd);
	c->fd = -1;
}

static size_t iov_add(struct iovec *iov, size_t n, void *base, size_t len, size_t *skip)
{
	if (*skip >= len) {
		*skip -= len;
		return n;
	}
	iov[n] = (struct iovec){ (uint8_t *)base + *skip, len - *skip };
	*skip = 0;
	return n + 1;
}

/* True: something was sent. */
static bool try_send(struct tcp_client *c)
{
	struct iovec iov[2 * GATHER];
	struct msghdr msg = { .msg_iov = iov };
	size_t skip = c->sent_bytes, bytes;
	ssize_t ret;

	if (c->send_error || c->sent == c->posted)
		return false;
	for (uint64_t n = c->sent; n < c->posted && n < c->sent + GATHER; n++) {
		struct op *op = op_at(c, n);

		msg.msg_iovlen = iov_add(iov, msg.msg_iovlen, &op->request,
					 sizeof(op->request), &skip);
		msg.msg_iovlen = iov_add(iov, msg.msg_iovlen, op->addr, sends(op), &skip);
	}
	ret = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (ret < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			c->send_error = errno;
		if (c->send_error && c->send_error != EPIPE &&
		    c->send_error != ECONNRESET && c->send_error != ETIMEDOUT)
			die(c, -EIO);	/* ours: the caller's memory is not there */
		return false;
	}
	bytes = (size_t)ret + c->sent_bytes;
	while (c->sent < c->posted) {
		size_t whole = sizeof(struct tcp_request) + sends(op_at(c, c->sent));

		if (bytes < whole)
			break;
		bytes -= whole;
		c->sent++;
	}
	c->sent_bytes = bytes;
	return true;
}

/* The reply to the oldest operation has its header.  False: the connection is over. */
static bool check_reply(struct tcp_client *c, const struct op *op)
{
	uint32_t status = be32toh(op->reply.status);

	if (op->reply.id != op->request.id || (status == TCP_OK && c->done >= c->sent))
		die(c, -ECONNRESET);	/* no server of ours says that */
	else if (status == TCP_ACCESS)
		die(c, -EACCES);
	else if (status != TCP_OK)
		die(c, -EIO);
	return c->fd >= 0;
}

/* Accounts for @bytes more of the replies. */
static void advance(struct tcp_client *c, size_t bytes)
{
	bytes += c->got_bytes;
	while (c->done < c->posted && bytes >= sizeof(struct tcp_reply)) {
		struct op *op = op_at(c, c->done);
		size_t whole = sizeof(struct tcp_reply) + gets(op);

		if (c->got_bytes < sizeof(struct tcp_reply) && !check_reply(c, op))
			return;
		if (bytes < whole)
			break;
		bytes -= whole;
		c->got_bytes = 0;
		op->status = 0;
		c->done++;
	}
	c->got_bytes = bytes;
}

/*
 * Receives straight into headers and buffers of the next operations: replies come
 * in order, and after one that is an error, which has no bytes, nothing comes.
 * True: something has happened.
 */
static bool try_receive(struct tcp_client *c)
{
	struct iovec iov[2 * GATHER + 1];
	struct msghdr msg = { .msg_iov = iov };
	size_t skip = c->got_bytes;
	uint8_t stray;
	ssize_t ret;

	for (uint64_t n = c->done; n < c->posted && n < c->done + GATHER; n++) {
		struct op *op = op_at(c, n);

		msg.msg_iovlen = iov_add(iov, msg.msg_iovlen, &op->reply,
					 sizeof(op->reply), &skip);
		msg.msg_iovlen = iov_add(iov, msg.msg_iovlen, op->addr, gets(op), &skip);
	}
	if (!msg.msg_iovlen)	/* idle: only to hear of the end */
		msg.msg_iovlen = iov_add(iov, 0, &stray, 1, &skip);
	ret = recvmsg(c->fd, &msg, MSG_DONTWAIT);
	if (ret < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return false;
		die(c, errno == ETIMEDOUT ? -ETIMEDOUT : -ECONNRESET);
	} else if (!ret || c->done == c->posted) {
		die(c, c->send_error == ETIMEDOUT ? -ETIMEDOUT : -ECONNRESET);
	} else {
		advance(c, (size_t)ret);
	}
	return true;
}

int tcp_post(struct fabric_conn *conn, enum fabric_op op, struct fabric_buf *buf, void *addr,
	     uint32_t len, uint32_t rkey, uint64_t raddr, void *ctx)
{
	struct tcp_client *c = (struct tcp_client *)conn;
	struct op *o;

	(void)buf;
	if (c->fd < 0)
		return -ECONNRESET;
	if (c->posted - c->taken >= c->depth)
		return -EAGAIN;
	o = op_at(c, c->posted);
	*o = (struct op){
		.request = { .op = htobe32(op == FABRIC_OP_READ ? TCP_READ : TCP_WRITE),
			     .rkey = htobe32(rkey), .raddr = htobe64(raddr),
			     .id = htobe64(c->posted), .len = htobe32(len) },
		.addr = addr, .len = len, .op = op, .ctx = ctx,
	};
	c->posted++;
	try_send(c);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What is left of @timeout_ms (-1 = for ever) that began at @start. */
static int left_ms(int timeout_ms, uint64_t start)
{
	uint64_t gone;

	if (timeout_ms <= 0)
		return timeout_ms < 0 ? -1 : 0;
	gone = now_ms() - start;
	return gone >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)gone;
}

int tcp_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms)
{
	struct tcp_client *c = (struct tcp_client *)conn;
	uint64_t start = timeout_ms > 0 ? now_ms() : 0;
	int taken = 0;

	for (;;) {
		struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
		bool moved = false;
		int left;

		if (c->fd >= 0) {
			moved = try_send(c);
			moved |= c->fd >= 0 && try_receive(c);
		}
		if (c->taken < c->done)
			break;
		if (c->fd < 0)
			return -ECONNRESET;
		left = left_ms(timeout_ms, start);
		if (moved && left)
			continue;
		if (!left)
			return 0;
		if (!c->send_error && c->sent < c->posted)
			pfd.events |= POLLOUT;
		poll(&pfd, 1, left);
	}
	for (; taken < n && c->taken < c->done; taken++, c->taken++) {
		const struct op *op = op_at(c, c->taken);

		wc[taken] = (struct fabric_wc){ .ctx = op->ctx, .status = op->status };
	}
	return taken;
}

/* Waits for @events until the time is up. */
static int await(int fd, short events, int timeout_ms, uint64_t start)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int left, ret;

	do {
		left = left_ms(timeout_ms, start);
		ret = left ? poll(&pfd, 1, left) : 0;
	} while (ret < 0 && errno == EINTR);
	return ret > 0 ? 0 : ret ? -errno : -ETIMEDOUT;
}

/* Sends the token and reads what the server says to it: 0, TCP_* or -errno. */
static int shake_hands(int fd, const uint8_t *token, int timeout_ms, uint64_t start)
{
	struct tcp_hello hello = { .magic = htobe32(TCP_MAGIC),
				   .version = htobe16(TCP_VERSION) };
	struct tcp_welcome welcome;
	size_t have = 0;
	int ret;

	memcpy(hello.token, token, sizeof(hello.token));
	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		return -ECONNRESET;	/* an empty socket takes 24 bytes */
	while (have < sizeof(welcome)) {
		ssize_t got;

		ret = await(fd, POLLIN, timeout_ms, start);
		if (ret)
			return ret;
		got = recv(fd, (uint8_t *)&welcome + have, sizeof(welcome) - have, 0);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return got ? -errno : -ECONNRESET;
		have += (size_t)got;
	}
	if (be32toh(welcome.magic) != TCP_MAGIC)
		return -EPROTO;
	return be16toh(welcome.status);
}

static int open_socket(const struct fabric_conn_attr *attr, struct iopmem_err *err)
{
	int timeout_ms = attr->timeout_ms > INT32_MAX ? INT32_MAX : (int)attr->timeout_ms;
	struct sockaddr_storage ss;
	uint64_t start = now_ms();
	socklen_t len;
	int fd, ret;

	ret = sockaddr_parse(attr->address, attr->port, &ss, &len, err);
	if (ret)
		return ret;
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "fabric tcp: socket");
	ret = tcp_socket_tune(fd);
	if (!ret && connect(fd, (struct sockaddr *)&ss, len)) {
		socklen_t size = sizeof(ret);

		ret = errno == EINPROGRESS ? await(fd, POLLOUT, timeout_ms, start) : -errno;
		if (!ret && !getsockopt(fd, SOL_SOCKET, SO_ERROR, &ret, &size))
			ret = -ret;
	}
	if (!ret)
		ret = shake_hands(fd, attr->token, timeout_ms, start);
	if (!ret)
		return fd;
	close(fd);
	if (ret == TCP_ACCESS)
		return err_msg(err, EACCES, "fabric tcp: %s port %u: the connect token was refused",
			       attr->address, attr->port);
	if (ret > 0)
		return err_msg(err, EPROTONOSUPPORT,
			       "fabric tcp: %s port %u: the server speaks another version",
			       attr->address, attr->port);
	return err_set(err, -ret, "fabric tcp: connect to %s port %u", attr->address, attr->port);
}

int tcp_connect(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		struct iopmem_err *err)
{
	uint32_t depth = attr->depth < DEPTH_MAX ? attr->depth : DEPTH_MAX;
	struct tcp_client *c = calloc(1, sizeof(*c) + depth * sizeof(c->ops[0]));

	if (!c)
		return err_set(err, ENOMEM, "fabric tcp: connect");
	c->base.ops = &fabric_tcp;
	c->depth = depth;
	c->fd = open_socket(attr, err);
	if (c->fd < 0) {
		int ret = c->fd;

		free(c);
		return ret;
	}
	*conn = &c->base;
	return 0;
}

void tcp_disconnect(struct fabric_conn *conn)
{
	struct tcp_client *c = (struct tcp_client *)conn;

	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int tcp_buf_reg(struct fabric_conn *conn, void *addr, size_t len, struct fabric_buf **out,
		struct iopmem_err *err)
{
	struct fabric_buf *buf = malloc(sizeof(*buf));

	if (!buf)
		return err_set(err, ENOMEM, "fabric tcp: register buffer");
	*buf = (struct fabric_buf){ .conn = conn, .addr = addr, .len = len };
	*out = buf;
	return 0;
}

void tcp_buf_dereg(struct fabric_buf *buf)
{
	free(buf);
}
