// SPDX-License-Identifier: BSD-3-Clause
/* The tcp client after connecting. */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fabric/tcp_client.h"

#define GATHER		16	/* operations in one system call */

static struct tcp_call *op_at(struct tcp_client *c, uint64_t n)
{
	return &c->ops[n % c->depth];
}

static uint32_t sends(const struct tcp_call *op)
{
	return op->op == FABRIC_OP_WRITE ? op->len : 0;
}

static uint32_t gets(const struct tcp_call *op)
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
		struct tcp_call *op = op_at(c, n);

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
static bool check_reply(struct tcp_client *c, const struct tcp_call *op)
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
		struct tcp_call *op = op_at(c, c->done);
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
		struct tcp_call *op = op_at(c, n);

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

int tcp_post(struct fabric_conn *conn, const struct fabric_wr *wr)
{
	struct tcp_client *c = (struct tcp_client *)conn;
	struct tcp_call *o;

	if (c->fd < 0)
		return -ECONNRESET;
	if (c->posted - c->taken >= c->depth)
		return -EAGAIN;
	o = op_at(c, c->posted);
	*o = (struct tcp_call){
		.request = { .op = htobe32(wr->op == FABRIC_OP_READ ? TCP_READ : TCP_WRITE),
			     .rkey = htobe32(wr->rkey), .raddr = htobe64(wr->raddr),
			     .id = htobe64(c->posted), .len = htobe32(wr->len) },
		.addr = wr->addr, .len = wr->len, .op = wr->op, .ctx = wr->ctx,
	};
	c->posted++;
	if (!wr->more || c->posted - c->sent >= GATHER)
		try_send(c);
	return 0;
}

void tcp_kick(struct fabric_conn *conn)
{
	struct tcp_client *c = (struct tcp_client *)conn;

	if (c->fd >= 0)
		try_send(c);
}

int tcp_fds(struct fabric_conn *conn, int fds[FABRIC_FDS], short events[FABRIC_FDS])
{
	struct tcp_client *c = (struct tcp_client *)conn;

	fds[0] = c->fd;
	events[0] = POLLIN;
	if (!c->send_error && c->sent < c->posted)
		events[0] |= POLLOUT;
	return c->fd >= 0;
}

bool tcp_arm(struct fabric_conn *conn)
{
	struct tcp_client *c = (struct tcp_client *)conn;

	return c->fd < 0 || c->taken < c->done;
}

int tcp_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms)
{
	struct tcp_client *c = (struct tcp_client *)conn;
	uint64_t start = timeout_ms > 0 ? tcp_now_ms() : 0;
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
		left = tcp_left_ms(timeout_ms, start);
		if (moved && left)
			continue;
		if (!left)
			return 0;
		if (!c->send_error && c->sent < c->posted)
			pfd.events |= POLLOUT;
		poll(&pfd, 1, left);
	}
	for (; taken < n && c->taken < c->done; taken++, c->taken++) {
		const struct tcp_call *op = op_at(c, c->taken);

		wc[taken] = (struct fabric_wc){ .ctx = op->ctx, .status = op->status };
	}
	return taken;
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
