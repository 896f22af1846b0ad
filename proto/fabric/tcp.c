// SPDX-License-Identifier: BSD-3-Clause
/* The tcp provider: one-sided semantics over a stream. */
#include "fabric/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "fabric/tcp_server.h"

int tcp_socket_tune(int fd)
{
	int on = 1, idle = 5, interval = 5, count = 3, dead_ms = TCP_DEAD_MS;

	/* Buffers are left to the kernel: a size that we set would switch its tuning off. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms)))
		return -errno;
	return 0;
}

/* The CPU that moves the bytes faults. */
static int tcp_demand(struct fabric_demand *demand, struct iopmem_err *err)
{
	(void)err;
	*demand = (struct fabric_demand){ .able = true, .io_align = 1 };
	return 0;
}

const struct fabric_provider fabric_tcp = {
	.name = "tcp",
	.server_open = tcp_server_open,
	.demand = tcp_demand,
	.server_info = tcp_server_info,
	.server_close = tcp_server_close,
	.peer_new = tcp_peer_new,
	.peer_token = tcp_peer_token,
	.peer_disconnect = tcp_peer_disconnect,
	.peer_free = tcp_peer_free,
	.mr_reg = tcp_mr_reg,
	.mr_dereg = tcp_mr_dereg,
	.connect = tcp_connect,
	.disconnect = tcp_disconnect,
	.buf_reg = tcp_buf_reg,
	.buf_dereg = tcp_buf_dereg,
	.post = tcp_post,
	.kick = tcp_kick,
	.poll = tcp_poll,
	.fds = tcp_fds,
	.arm = tcp_arm,
	.buf_is_free = true,
};
