// SPDX-License-Identifier: BSD-3-Clause
/* The tcp server: listener and peers. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "fabric/sockaddr.h"
#include "fabric/tcp_server.h"

#define CONNS_MAX	4096
#define STRANGERS_MAX	256
#define BACKLOG		128
#define ACCEPT_RETRY_MS	200

static bool is_any(const struct tcp_conn *conn, const void *arg)
{
	(void)conn, (void)arg;
	return true;
}

static bool is_same(const struct tcp_conn *conn, const void *same)
{
	return conn == same;
}

static bool is_of(const struct tcp_conn *conn, const void *peer)
{
	return conn->peer == peer;
}

/* True: start one more; who waits longest without a hello makes room. */
static bool make_room(struct tcp_server *server)
{
	struct tcp_conn *conn;
	bool room;

	pthread_mutex_lock(&server->lock);
	room = server->nr_conns < CONNS_MAX;
	if (room && server->nr_strangers >= STRANGERS_MAX) {
		TAILQ_FOREACH(conn, &server->conns, link) {
			if (!conn->peer && !conn->cut) {
				tcp_conns_cut(server, is_same, conn);
				break;
			}
		}
	}
	pthread_mutex_unlock(&server->lock);
	return room;
}

static void *listener_main(void *arg)
{
	struct tcp_server *server = arg;
	struct pollfd fds[2] = { { .fd = server->stop_fd, .events = POLLIN },
				 { .fd = server->listen_fd, .events = POLLIN } };
	bool complained = false;

	for (;;) {
		int fd, ret;

		if (poll(fds, 2, -1) < 0)
			continue;	/* EINTR, or no memory for a moment */
		if (fds[0].revents)
			return NULL;
		fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			ret = errno;
			if (ret == EINTR || ret == EAGAIN || ret == ECONNABORTED)
				continue;
			if (!complained)	/* out of fds or memory: the backlog waits */
				log_warn("fabric tcp: accept: %s", strerror(ret));
			complained = true;
			poll(fds, 1, ACCEPT_RETRY_MS);
			continue;
		}
		complained = false;
		ret = make_room(server) ? tcp_conn_start(server, fd) : -EMFILE;
		if (ret) {
			log_warn("fabric tcp: connection refused: %s", strerror(-ret));
			close(fd);
		}
	}
}

static int listen_on(struct tcp_server *server, const struct fabric_server_attr *attr,
		     struct iopmem_err *err)
{
	struct sockaddr_storage ss;
	int on = 1, off = 0, fd, ret;
	socklen_t len;

	if (attr->address) {
		ret = sockaddr_parse(attr->address, attr->port, &ss, &len, err);
		if (ret)
			return ret;
		snprintf(server->address, sizeof(server->address), "%s", attr->address);
	} else {
		sockaddr_any(AF_INET6, attr->port, &ss, &len);
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && !attr->address) {		/* a kernel without IPv6 */
		sockaddr_any(AF_INET, attr->port, &ss, &len);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd < 0)
		return err_set(err, errno, "fabric tcp: socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (ss.ss_family == AF_INET6 && !attr->address &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    bind(fd, (struct sockaddr *)&ss, len) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&ss, &len)) {
		ret = err_set(err, errno, "fabric tcp: listen on %s port %u",
			      attr->address ? attr->address : "all addresses", attr->port);
		close(fd);
		return ret;
	}
	server->listen_fd = fd;
	server->port = sockaddr_port(&ss);
	return 0;
}

int tcp_server_open(const struct fabric_server_attr *attr, struct fabric_server **out,
		       struct iopmem_err *err)
{
	struct tcp_server *server = calloc(1, sizeof(*server));
	pthread_condattr_t condattr;
	int ret;

	if (!server)
		return err_set(err, ENOMEM, "fabric tcp: open");
	server->base.ops = &fabric_tcp;
	server->attr.event = attr->event;
	server->attr.arg = attr->arg;
	TAILQ_INIT(&server->peers);
	TAILQ_INIT(&server->conns);
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&condattr);
	pthread_condattr_setclock(&condattr, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &condattr);
	pthread_condattr_destroy(&condattr);

	ret = listen_on(server, attr, err);
	if (ret)
		goto err_listen;
	server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->stop_fd < 0) {
		ret = err_set(err, errno, "fabric tcp: eventfd");
		goto err_eventfd;
	}
	ret = pthread_create(&server->listener, NULL, listener_main, server);
	if (ret) {
		ret = err_set(err, ret, "fabric tcp: listener thread");
		goto err_thread;
	}
	*out = &server->base;
	return 0;
err_thread:
	close(server->stop_fd);
err_eventfd:
	close(server->listen_fd);
err_listen:
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server);
	return ret;
}

void tcp_server_info(const struct fabric_server *base, struct fabric_info *info)
{
	const struct tcp_server *server = (const struct tcp_server *)base;

	memcpy(info->address, server->address, sizeof(info->address));
	info->port = server->port;
}

void tcp_server_close(struct fabric_server *base)
{
	struct tcp_server *server = (struct tcp_server *)base;

	eventfd_write(server->stop_fd, 1);
	pthread_join(server->listener, NULL);
	pthread_mutex_lock(&server->lock);
	tcp_conns_cut(server, is_any, NULL);
	while (server->nr_conns)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
	close(server->listen_fd);
	close(server->stop_fd);
	key_table_fini(&server->keys);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

int tcp_peer_new(struct fabric_server *base, uint64_t clientid, struct fabric_peer **out,
		    struct iopmem_err *err)
{
	struct tcp_server *server = (struct tcp_server *)base;
	struct tcp_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return err_set(err, ENOMEM, "fabric tcp: peer of client %#llx",
			       (unsigned long long)clientid);
	peer->base.ops = &fabric_tcp;
	peer->server = server;
	peer->clientid = clientid;
	pthread_mutex_lock(&server->lock);
	TAILQ_INSERT_TAIL(&server->peers, peer, link);
	pthread_mutex_unlock(&server->lock);
	*out = &peer->base;
	return 0;
}

int tcp_peer_token(struct fabric_peer *base, uint8_t token[FABRIC_TOKEN_SIZE])
{
	struct tcp_peer *peer = (struct tcp_peer *)base;
	int ret;

	pthread_mutex_lock(&peer->server->lock);
	ret = token_issue(&peer->token, token);
	pthread_mutex_unlock(&peer->server->lock);
	return ret;
}

void tcp_peer_disconnect(struct fabric_peer *base)
{
	struct tcp_peer *peer = (struct tcp_peer *)base;
	struct tcp_server *server = peer->server;

	pthread_mutex_lock(&server->lock);
	token_void(&peer->token);
	tcp_conns_cut(server, is_of, peer);
	while (peer->nr_conns)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

void tcp_peer_free(struct fabric_peer *base)
{
	struct tcp_peer *peer = (struct tcp_peer *)base;
	struct tcp_server *server = peer->server;

	tcp_peer_disconnect(base);
	pthread_mutex_lock(&server->lock);
	TAILQ_REMOVE(&server->peers, peer, link);
	pthread_mutex_unlock(&server->lock);
	free(peer);
}
