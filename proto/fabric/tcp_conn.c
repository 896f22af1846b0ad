// SPDX-License-Identifier: BSD-3-Clause
/* One connection of the tcp server: its thread from hello to the end. */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "fabric/tcp_server.h"

#define HELLO_MS	5000
#define LINGER_MS	1000		/* for a reply that ends the connection to arrive */
#define STACK_SIZE	(128U << 10)

void tcp_conns_cut(struct tcp_server *server, tcp_conn_match match, const void *arg)
{
	struct tcp_conn *conn;

again:
	TAILQ_FOREACH(conn, &server->conns, link) {
		if (conn->cut || !match(conn, arg))
			continue;
		conn->cut = true;
		conn->holds++;
		pthread_mutex_unlock(&server->lock);
		shutdown(conn->fd, SHUT_RDWR);
		pthread_mutex_lock(&server->lock);
		conn->holds--;
		pthread_cond_broadcast(&server->changed);
		goto again;
	}
}

void tcp_conn_tell(struct tcp_conn *conn, enum fabric_event event)
{
	struct tcp_server *server = conn->server;

	if (server->attr.event)
		server->attr.event(server->attr.arg, event, conn->peer->clientid);
}

void tcp_conn_linger(struct tcp_conn *conn)
{
	struct timespec start, now;
	char discarded[4096];
	int left = LINGER_MS;

	shutdown(conn->fd, SHUT_WR);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (left > 0 && !conn->cut) {
		struct pollfd pfd = { .fd = conn->fd, .events = POLLIN };

		if (poll(&pfd, 1, left) > 0 &&
		    recv(conn->fd, discarded, sizeof(discarded), MSG_DONTWAIT) <= 0)
			return;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = LINGER_MS - (int)((now.tv_sec - start.tv_sec) * 1000 +
					 (now.tv_nsec - start.tv_nsec) / 1000000);
	}
}

/* Finds and admits the peer whose token this is. */
static struct tcp_peer *admit(struct tcp_conn *conn, const uint8_t *token)
{
	struct tcp_server *server = conn->server;
	struct tcp_peer *peer, *found = NULL;

	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH(peer, &server->peers, link)
		if (!conn->cut && token_take(&peer->token, token))
			found = peer;
	if (found) {
		conn->peer = found;
		found->nr_conns++;
		server->nr_strangers--;
	}
	pthread_mutex_unlock(&server->lock);
	return found;
}

static int greet(struct tcp_conn *conn)
{
	struct timeval wait = { .tv_sec = HELLO_MS / 1000 }, forever = { 0 };
	struct tcp_welcome welcome = { .magic = htobe32(TCP_MAGIC),
				       .version = htobe16(TCP_VERSION) };
	struct iovec iov = { &welcome, sizeof(welcome) };
	struct tcp_hello hello;
	int ret = 0;

	if (tcp_socket_tune(conn->fd) ||
	    setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		return -errno;
	/* One call: the time limit is for all of it. */
	if (recv(conn->fd, &hello, sizeof(hello), MSG_WAITALL) != sizeof(hello) ||
	    be32toh(hello.magic) != TCP_MAGIC)
		return -EPROTO;
	if (be16toh(hello.version) != TCP_VERSION) {
		welcome.status = htobe16(TCP_VERSION_UNKNOWN);
		ret = -EPROTONOSUPPORT;
	} else if (!admit(conn, hello.token)) {
		welcome.status = htobe16(TCP_ACCESS);
		ret = -EACCES;
	} else {
		setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
		tcp_conn_tell(conn, FABRIC_PEER_CONNECTED);
	}
	if (tcp_send_all(conn, &iov, 1, 0) && !ret)
		ret = -ECONNRESET;
	return ret;
}

static void *conn_main(void *arg)
{
	struct tcp_conn *conn = arg;
	struct tcp_server *server = conn->server;
	int ret = greet(conn);

	while (!ret)
		ret = tcp_serve_one(conn);
	if (conn->peer)
		tcp_conn_tell(conn, FABRIC_PEER_DISCONNECTED);
	else
		log_debug("fabric tcp: stranger refused: %s", strerror(-ret));

	pthread_mutex_lock(&server->lock);
	while (conn->holds)
		pthread_cond_wait(&server->changed, &server->lock);
	TAILQ_REMOVE(&server->conns, conn, link);
	server->nr_conns--;
	if (conn->peer)
		conn->peer->nr_conns--;
	else
		server->nr_strangers--;
	close(conn->fd);
	free(conn->bounce);
	free(conn);
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);	/* @server may be freed from here on */
	return NULL;
}

int tcp_conn_start(struct tcp_server *server, int fd)
{
	struct tcp_conn *conn = calloc(1, sizeof(*conn));
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (!conn)
		return -ENOMEM;
	conn->server = server;
	conn->fd = fd;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_mutex_lock(&server->lock);
	ret = pthread_create(&thread, &attr, conn_main, conn);
	if (!ret) {	/* the thread meets us in the list: it needs the lock to leave */
		TAILQ_INSERT_TAIL(&server->conns, conn, link);
		server->nr_conns++;
		server->nr_strangers++;
	}
	pthread_mutex_unlock(&server->lock);
	pthread_attr_destroy(&attr);
	if (ret)
		free(conn);
	return -ret;
}
