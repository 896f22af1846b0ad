// SPDX-License-Identifier: BSD-3-Clause
/* Serving one request of a tcp connection: bytes between socket and region. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fabric/tcp_server.h"

#define BOUNCE_SIZE	(512U << 10)
#define PIECE_MAX	(4U << 20)	/* moved between two looks at ->cut */

int tcp_send_all(struct tcp_conn *conn, struct iovec *iov, size_t n, int flags)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };

	while (msg.msg_iovlen) {
		ssize_t done;

		if (conn->cut)
			return -ECONNRESET;
		done = sendmsg(conn->fd, &msg, flags | MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		while (msg.msg_iovlen && (size_t)done >= msg.msg_iov->iov_len) {
			done -= (ssize_t)msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen) {
			msg.msg_iov->iov_base = (uint8_t *)msg.msg_iov->iov_base + done;
			msg.msg_iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int flush_acks(struct tcp_conn *conn)
{
	struct iovec iov = { conn->acks, conn->nr_acks * sizeof(conn->acks[0]) };

	conn->nr_acks = 0;
	return iov.iov_len ? tcp_send_all(conn, &iov, 1, 0) : 0;
}

static struct tcp_reply reply_of(uint64_t id, enum tcp_status status)
{
	return (struct tcp_reply){ .id = htobe64(id), .status = htobe32(status) };
}

static int ack(struct tcp_conn *conn, uint64_t id, enum tcp_status status)
{
	int ret = conn->nr_acks == TCP_ACKS_MAX ? flush_acks(conn) : 0;

	conn->acks[conn->nr_acks++] = reply_of(id, status);
	return ret;
}

/* Some bytes, waiting for the first; acks go out before it sleeps.  -ECONNRESET at the end. */
static ssize_t receive(struct tcp_conn *conn, struct iovec *iov, size_t n)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	int flags = MSG_DONTWAIT;

	for (;;) {
		ssize_t got;
		int ret;

		if (conn->cut)
			return -ECONNRESET;
		got = recvmsg(conn->fd, &msg, conn->nr_acks ? flags : 0);
		if (got > 0)
			return got;
		if (!got)
			return -ECONNRESET;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			ret = flush_acks(conn);
			if (ret)
				return ret;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

/*
 * Receives @len bytes of a request's payload to @dst; the next request's header
 * comes along when @last.
 */
static int receive_payload(struct tcp_conn *conn, uint8_t *dst, size_t len, bool last)
{
	while (len) {
		size_t piece = len < PIECE_MAX ? len : PIECE_MAX;
		struct iovec iov[2] = { { dst, piece },
					{ &conn->in, sizeof(conn->in) } };
		ssize_t got = receive(conn, iov, last && piece == len ? 2 : 1);

		if (got < 0)
			return (int)got;
		if ((size_t)got > piece) {
			conn->in_have = (size_t)got - piece;
			got = (ssize_t)piece;
		}
		dst += got;
		len -= (size_t)got;
	}
	return 0;
}

static int bounce_make(struct tcp_conn *conn)
{
	if (!conn->bounce)
		conn->bounce = malloc(BOUNCE_SIZE);
	return conn->bounce ? 0 : -ENOMEM;
}

static int write_bounced(struct tcp_conn *conn, uint64_t offset, uint32_t len)
{
	int ret = bounce_make(conn);

	while (!ret && len) {
		uint32_t piece = len < BOUNCE_SIZE ? len : BOUNCE_SIZE;

		ret = receive_payload(conn, conn->bounce, piece, piece == len);
		for (uint32_t at = 0; !ret && at < piece;) {
			ssize_t n = pwrite(conn->mr->src.fd, conn->bounce + at, piece - at,
					   (off_t)(offset + at));

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				ret = n ? -EIO : -ENOSPC;
			else
				at += (uint32_t)n;
		}
		offset += piece;
		len -= piece;
	}
	return ret;
}

static int read_piece(struct tcp_conn *conn, uint64_t offset, uint32_t len)
{
	uint32_t at = 0;

	while (at < len) {
		ssize_t n = pread(conn->mr->src.fd, conn->bounce + at, len - at,
				  (off_t)(offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;	/* the file has shrunk, or its device fails */
		at += (uint32_t)n;
	}
	return 0;
}

/* @iov[1..2] are acks and header, sent with the first piece: until then a failure can be told. */
static int read_bounced(struct tcp_conn *conn, struct iovec *head, uint64_t offset,
			uint32_t len)
{
	bool promised = false;
	int ret = bounce_make(conn);

	while (!ret && len) {
		uint32_t piece = len < BOUNCE_SIZE ? len : BOUNCE_SIZE;
		struct iovec iov[3] = { head[0], head[1], { conn->bounce, piece } };

		ret = read_piece(conn, offset, piece);
		if (ret)
			return promised ? -ECONNRESET : ret;
		ret = tcp_send_all(conn, promised ? iov + 2 : iov, promised ? 1 : 3,
			       piece < len ? MSG_MORE : 0);
		if (ret)
			return -ECONNRESET;
		promised = true;
		offset += piece;
		len -= piece;
	}
	return ret;
}

/* 0, -EACCES or -EIO when the client is to be told, else the connection is gone. */
static int do_read(struct tcp_conn *conn, uint64_t id, uint64_t raddr, uint32_t len)
{
	const struct memsrc *src = &conn->mr->src;
	struct tcp_reply reply = reply_of(id, TCP_OK);
	struct iovec iov[3] = { { conn->acks, conn->nr_acks * sizeof(conn->acks[0]) },
				{ &reply, sizeof(reply) } };
	uint8_t *from;
	int ret;

	if (!src->addr) {
		ret = read_bounced(conn, iov, raddr, len);
		if (!ret)
			conn->nr_acks = 0;
		return ret;
	}
	conn->nr_acks = 0;
	from = (uint8_t *)src->addr + (raddr - src->file_offset);
	for (size_t first = 0; len; first = 2) {
		uint32_t piece = len < PIECE_MAX ? len : PIECE_MAX;

		iov[2] = (struct iovec){ from, piece };
		/* -EFAULT, when the file has shrunk, comes after the promise: cut. */
		if (tcp_send_all(conn, iov + first, 3 - first, 0))
			return -ECONNRESET;
		from += piece;
		len -= piece;
	}
	return 0;
}

static int do_write(struct tcp_conn *conn, uint64_t id, uint64_t raddr, uint32_t len)
{
	const struct memsrc *src = &conn->mr->src;
	int ret;

	if (src->addr)
		ret = receive_payload(conn,
				      (uint8_t *)src->addr + (raddr - src->file_offset),
				      len, true);
	else
		ret = write_bounced(conn, raddr, len);
	if (ret == -EFAULT)
		return -EACCES;		/* truncated under the mapping, or mapped read-only */
	return ret ? ret : ack(conn, id, TCP_OK);
}

int tcp_serve_one(struct tcp_conn *conn)
{
	struct tcp_request req;
	uint64_t id, raddr;
	uint32_t len, op;
	int ret = -EACCES;

	while (conn->in_have < sizeof(conn->in)) {
		struct iovec iov = { (uint8_t *)&conn->in + conn->in_have,
				     sizeof(conn->in) - conn->in_have };
		ssize_t got = receive(conn, &iov, 1);

		if (got < 0)
			return (int)got;
		conn->in_have += (size_t)got;
	}
	req = conn->in;
	conn->in_have = 0;
	id = be64toh(req.id);
	raddr = be64toh(req.raddr);
	len = be32toh(req.len);
	op = be32toh(req.op);

	if ((op == TCP_READ || op == TCP_WRITE) && len && len <= FABRIC_LEN_MAX && !req.zero)
		ret = tcp_mr_enter(conn, be32toh(req.rkey), raddr, len,
				   op == TCP_READ ? FABRIC_READ : FABRIC_WRITE);
	if (!ret) {
		ret = op == TCP_READ ? do_read(conn, id, raddr, len) :
				       do_write(conn, id, raddr, len);
		tcp_mr_leave(conn);
	} else {
		tcp_conn_tell(conn, FABRIC_PEER_VIOLATION);
	}
	if ((ret == -EACCES || ret == -EIO || ret == -ENOSPC || ret == -ENOMEM) &&
	    !ack(conn, id, ret == -EACCES ? TCP_ACCESS : TCP_IO) && !flush_acks(conn))
		tcp_conn_linger(conn);
	return ret;
}
