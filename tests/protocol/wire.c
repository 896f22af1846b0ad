// SPDX-License-Identifier: BSD-3-Clause
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAST_FRAGMENT 0x80000000U

void wire_open(struct wire *rpc, const struct rig *rig, uint32_t uid)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(rig->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int on = 1;

	rpc->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(rpc->fd >= 0);
	assert_int_equal(connect(rpc->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	setsockopt(rpc->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	rpc->xid = (uint32_t)rpc->fd << 16;
	rpc->uid = uid;
	rpc->gid = uid;
}

void wire_close(struct wire *rpc)
{
	if (rpc->fd >= 0)
		close(rpc->fd);
	rpc->fd = -1;
}

struct wire_head wire_head(uint32_t proc)
{
	return (struct wire_head){ IOPMEM_PROGRAM, IOPMEM_V1, proc, AUTH_SYS };
}

static void put(XDR *xdrs, uint32_t v)
{
	assert_true(xdr_uint32_t(xdrs, &v));
}

static void put_cred(XDR *xdrs, const struct wire *rpc, uint32_t flavor)
{
	put(xdrs, flavor);
	if (flavor == AUTH_NONE) {
		put(xdrs, 0);
		return;
	}
	put(xdrs, 6 * 4);	/* the same body for every flavor */
	put(xdrs, 0);		/* stamp */
	put(xdrs, 1);		/* machine name */
	put(xdrs, 0x74000000);
	put(xdrs, rpc->uid);
	put(xdrs, rpc->gid);
	put(xdrs, 0);		/* further groups */
}

size_t wire_encode(struct wire *rpc, struct wire_head head, xdrproc_t xdr, const void *args,
		  char *buf, size_t size)
{
	uint32_t mark;
	size_t len;
	XDR xdrs;

	xdrmem_create(&xdrs, buf + 4, (u_int)(size - 4), XDR_ENCODE);
	put(&xdrs, ++rpc->xid);
	put(&xdrs, CALL);
	put(&xdrs, 2);
	put(&xdrs, head.prog);
	put(&xdrs, head.vers);
	put(&xdrs, head.proc);
	put_cred(&xdrs, rpc, head.flavor);
	put(&xdrs, AUTH_NONE);
	put(&xdrs, 0);
	if (args)
		assert_true(((bool_t (*)(XDR *, void *))(void (*)(void))xdr)
			    (&xdrs, (void *)(uintptr_t)args));
	len = xdr_getpos(&xdrs);
	xdr_destroy(&xdrs);
	mark = htonl(LAST_FRAGMENT | (uint32_t)len);
	memcpy(buf, &mark, 4);
	return len + 4;
}

int wire_send_bytes(struct wire *rpc, const void *buf, size_t len)
{
	const char *at = buf;

	while (len) {
		ssize_t n = send(rpc->fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int wire_send(struct wire *rpc, uint32_t proc, xdrproc_t xdr, const void *args)
{
	char *buf = malloc(WIRE_BUF);
	size_t len;
	int rc;

	assert_non_null(buf);
	len = wire_encode(rpc, wire_head(proc), xdr, args, buf, WIRE_BUF);
	rc = wire_send_bytes(rpc, buf, len);
	free(buf);
	return rc;
}

/* Exactly @len bytes: 0, -ETIMEDOUT, -ECONNRESET. */
static int take(int fd, void *buf, size_t len, uint64_t until)
{
	char *at = buf;

	while (len) {
		uint64_t now = now_ms();
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (now >= until || poll(&pfd, 1, (int)(until - now)) == 0)
			return -ETIMEDOUT;
		n = recv(fd, at, len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return -ECONNRESET;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A record without its mark; returns 0 and *@len. */
static int take_record(struct wire *rpc, char *buf, size_t size, size_t *len, int timeout_ms)
{
	uint64_t until = now_ms() + (uint64_t)timeout_ms;
	uint32_t mark;
	int rc;

	*len = 0;
	do {
		rc = take(rpc->fd, &mark, 4, until);
		if (rc)
			return rc;
		mark = ntohl(mark);
		assert_true(*len + (mark & ~LAST_FRAGMENT) <= size);
		rc = take(rpc->fd, buf + *len, mark & ~LAST_FRAGMENT, until);
		if (rc)
			return rc;
		*len += mark & ~LAST_FRAGMENT;
	} while (!(mark & LAST_FRAGMENT));
	return 0;
}

size_t wire_recv_bytes(struct wire *rpc, char *buf, size_t size)
{
	size_t len;

	assert_int_equal(take_record(rpc, buf, size, &len, RIG_PATIENCE_MS), 0);
	assert_true(len >= 4);
	memmove(buf, buf + 4, len - 4);
	return len - 4;
}

static uint32_t get(XDR *xdrs)
{
	uint32_t v = 0;

	assert_true(xdr_uint32_t(xdrs, &v));
	return v;
}

int wire_recv(struct wire *rpc, xdrproc_t xdr, void *res, int timeout_ms)
{
	char *buf = malloc(WIRE_BUF);
	size_t len;
	XDR xdrs;
	int rc;

	assert_non_null(buf);
	rc = take_record(rpc, buf, WIRE_BUF, &len, timeout_ms);
	if (rc)
		goto out;
	xdrmem_create(&xdrs, buf, (u_int)len, XDR_DECODE);
	assert_int_equal(get(&xdrs), rpc->xid);
	assert_int_equal(get(&xdrs), REPLY);
	if (get(&xdrs) == MSG_DENIED) {
		rc = get(&xdrs) == AUTH_ERROR ? 100 + (int)get(&xdrs) : 99;
		goto out;
	}
	get(&xdrs);		/* verifier */
	assert_int_equal(get(&xdrs), 0);
	rc = (int)get(&xdrs);
	if (!rc && res)
		assert_true(((bool_t (*)(XDR *, void *))(void (*)(void))xdr)(&xdrs, res));
	if (!rc && res)		/* nothing behind the result */
		assert_int_equal(xdr_getpos(&xdrs), len);
	xdr_destroy(&xdrs);
out:
	free(buf);
	return rc;
}

int wire_call(struct wire *rpc, uint32_t proc, xdrproc_t xdr_args, const void *args,
	     xdrproc_t xdr_res, void *res)
{
	int rc = wire_send(rpc, proc, xdr_args, args);

	return rc ? rc : wire_recv(rpc, xdr_res, res, RIG_PATIENCE_MS);
}

int wire_null(struct wire *rpc, int timeout_ms)
{
	int rc = wire_send(rpc, IOPMEM_PROC_NULL, NULL, NULL);

	return rc ? rc : wire_recv(rpc, NULL, NULL, timeout_ms);
}

void wire_await_taken(const struct wire *rpc, struct rig *rig)
{
	int left;

	await(!ioctl(rpc->fd, SIOCOUTQ, &left) && !left);
	/* it is in the server's socket: the turn of the first answer reads it, the second is behind that */
	rig_rest(rig);
	rig_rest(rig);
}

bool wire_is_quiet(const struct wire *rpc)
{
	struct pollfd pfd = { .fd = rpc->fd, .events = POLLIN | POLLRDHUP };

	return poll(&pfd, 1, 0) == 0;
}

void wire_await_close(struct wire *rpc)
{
	uint64_t until = now_ms() + RIG_PATIENCE_MS;
	struct pollfd pfd = { .fd = rpc->fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	do {
		assert_true(now_ms() < until);
		n = poll(&pfd, 1, 100) > 0 ? recv(rpc->fd, buf, sizeof(buf), 0) : 1;
	} while (n > 0);
}
