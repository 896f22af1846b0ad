// SPDX-License-Identifier: BSD-3-Clause
/* The tcp client: connecting. */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fabric/sockaddr.h"
#include "fabric/tcp_client.h"

#define DEPTH_MAX	65536

uint64_t tcp_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What is left of @timeout_ms (-1 = for ever) that began at @start. */
int tcp_left_ms(int timeout_ms, uint64_t start)
{
	uint64_t gone;

	if (timeout_ms <= 0)
		return timeout_ms < 0 ? -1 : 0;
	gone = tcp_now_ms() - start;
	return gone >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)gone;
}

/* Waits for @events until the time is up. */
static int await(int fd, short events, int timeout_ms, uint64_t start)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int left, ret;

	do {
		left = tcp_left_ms(timeout_ms, start);
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
	uint64_t start = tcp_now_ms();
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

