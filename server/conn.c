// SPDX-License-Identifier: BSD-3-Clause
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "listener.h"

#define LAST_FRAGMENT 0x80000000U
#define MARK 4				/* bytes in front of a fragment */
#define FIRST_SIZE 4096
#define SNDBUF (1024 * 1024)
#define UNREAD_MAX (64 * 1024)		/* of replies a peer has not read */
#define ACCEPTS 16			/* in one round of the loop */

static struct server *the_server;
static const struct conn_handler *the_handler;
static struct conn *conns;		/* list */
static struct conn *gone;		/* list: dead, to be closed by the burial */
static unsigned int nr_conns;		/* of both */
static struct fd_watch listener = { .fd = -1 };

static void conn_close(struct conn *conn)
{
	the_handler->closed(conn);
	nr_conns--;
	fd_watch_remove(the_server->loop, &conn->watch);
	close(conn->fd);
	free(conn->in);
	free(conn->out);
	free(conn);
}

static void close_all(struct conn **list)
{
	struct conn *conn, *next;

	DL_FOREACH_SAFE(*list, conn, next) {
		DL_DELETE(*list, conn);
		conn_close(conn);
	}
}

/* A job of its own: nobody up the stack has hold of a connection. */
static void bury(struct job *job)
{
	(void)job;
	close_all(&gone);
}

static void conn_die(struct conn *conn)
{
	static struct job burial = { .done = bury };

	if (conn->dead)
		return;
	conn->dead = true;
	if (!gone)
		loop_post(the_server->loop, &burial);
	DL_DELETE(conns, conn);
	DL_APPEND(gone, conn);
}

static void ready(struct fd_watch *w, short revents);

static void conn_new(int fd, const struct sockaddr_storage *peer)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int on = 1, size = SNDBUF;

	if (!conn) {
		close(fd);
		return;
	}
	conn->fd = fd;
	conn->peer = *peer;
	conn->watch = (struct fd_watch){ .fd = fd, .events = POLLIN | POLLRDHUP, .ready = ready };
	if (!fd_watch_add(the_server->loop, &conn->watch)) {
		close(fd);
		free(conn);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	listener_keepalive(fd);
	DL_APPEND(conns, conn);
	nr_conns++;
}

void conn_kill(struct conn *conn, const char *why)
{
	metrics_add(&the_server->metrics, METRIC_PEERS_ENDED);
	log_warn("connection %d: %s, closed", conn->fd, why);
	conn_die(conn);
}

/* ---- in ---- */

/* Of what is done with, and of the marks of fragments that were joined, nothing is kept. */
static void close_gaps(struct conn *conn)
{
	size_t left = conn->have - conn->raw;

	if (conn->raw == conn->rec)
		return;
	memmove(conn->in, conn->in + conn->base, conn->rec);
	memmove(conn->in + conn->rec, conn->in + conn->raw, left);
	conn->base = 0;
	conn->raw = conn->rec;
	conn->have = conn->rec + left;
}

/* Room for @need bytes from @raw on: more than there are. */
static bool make_room(struct conn *conn, size_t need)
{
	size_t size = conn->size ? conn->size : FIRST_SIZE;
	char *p;

	close_gaps(conn);
	need += conn->raw;
	while (size < need)
		size *= 2;
	if (size == conn->size)
		return true;
	p = realloc(conn->in, size);
	if (!p)
		return false;
	conn->in = p;
	conn->size = size;
	return true;
}

enum take { TAKE_RECORD, TAKE_MORE, TAKE_BAD };

/* Joins fragments; TAKE_MORE sets how many bytes from @raw on the next one needs. */
static enum take take_record(struct conn *conn, size_t *need)
{
	uint32_t mark;
	size_t len;

	for (;;) {
		*need = MARK;
		if (conn->have - conn->raw < MARK)
			return TAKE_MORE;
		memcpy(&mark, conn->in + conn->raw, sizeof(mark));
		mark = ntohl(mark);
		len = mark & ~LAST_FRAGMENT;
		if (!len || len > CONN_RECORD_MAX - conn->rec)
			return TAKE_BAD;
		*need += len;
		if (conn->have - conn->raw < MARK + len)
			return TAKE_MORE;
		memmove(conn->in + conn->base + conn->rec, conn->in + conn->raw + MARK, len);
		conn->rec += len;
		conn->raw += MARK + len;
		if (mark & LAST_FRAGMENT)
			return TAKE_RECORD;
	}
}

static bool busy(const struct conn *conn)
{
	return conn->call || conn->out;
}

/* Hands out records while the peer may have another; sets @need. */
static void deliver(struct conn *conn, size_t *need)
{
	enum take take = TAKE_MORE;

	conn->delivering = true;
	while (!conn->dead && !busy(conn) && (take = take_record(conn, need)) == TAKE_RECORD) {
		size_t at = conn->base, len = conn->rec;

		conn->base = conn->raw;
		conn->rec = 0;
		the_handler->record(conn, conn->in + at, len);
	}
	conn->delivering = false;
	if (!conn->dead && take == TAKE_BAD)
		conn_kill(conn, "a record of no or too many bytes");
	if (conn->base == conn->have)
		conn->base = conn->raw = conn->have = 0;
}

/* One read a round: a fast peer leaves the others their turn. */
static void receive(struct conn *conn)
{
	size_t need = 0;
	ssize_t n;

	deliver(conn, &need);		/* what there is still */
	if (conn->dead || busy(conn))
		return;
	if (!make_room(conn, need))
		return conn_kill(conn, "no memory");
	n = recv(conn->fd, conn->in + conn->have, conn->size - conn->have, MSG_DONTWAIT);
	if (n > 0) {
		conn->have += (size_t)n;
		deliver(conn, &need);
	} else if (!n || (errno != EAGAIN && errno != EINTR)) {
		conn_die(conn);
	}
}

/* ---- out ---- */

static bool keep(struct conn *conn, const uint32_t *mark, const char *data, size_t len, size_t sent)
{
	size_t left = MARK + len - sent;

	conn->out = malloc(left);
	if (!conn->out)
		return false;
	if (sent < MARK) {
		memcpy(conn->out, (const char *)mark + sent, MARK - sent);
		memcpy(conn->out + MARK - sent, data, len);
	} else {
		memcpy(conn->out, data + (sent - MARK), left);
	}
	conn->out_at = 0;
	conn->out_len = left;
	return true;
}

static void transmit(struct conn *conn, const char *data, size_t len)
{
	uint32_t mark = htonl(LAST_FRAGMENT | (uint32_t)len);
	struct iovec iov[] = { { &mark, MARK }, { (char *)(uintptr_t)data, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	int unread = 0;
	ssize_t n;

	if (!ioctl(conn->fd, SIOCOUTQ, &unread) && unread > UNREAD_MAX)
		return conn_kill(conn, "peer does not read its replies");
	n = sendmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		n = 0;
	if (n < 0 || ((size_t)n < MARK + len && !keep(conn, &mark, data, len, (size_t)n)))
		conn_die(conn);
}

bool conn_send(struct conn *conn, const void *data, size_t len)
{
	if (!conn->dead)
		transmit(conn, data, len);
	return !conn->dead;
}

static void send_more(struct conn *conn)
{
	ssize_t n = send(conn->fd, conn->out + conn->out_at, conn->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			conn_die(conn);
		return;
	}
	conn->out_at += (size_t)n;
	conn->out_len -= (size_t)n;
	if (!conn->out_len) {
		free(conn->out);
		conn->out = NULL;
	}
}

/* ---- descriptors ---- */

/*
 * A call in progress changes nothing until the peer sends more (see ready()): most calls
 * end before, and each change is a system call.
 */
static void settle(struct conn *conn)
{
	if (conn->out)
		fd_watch_want(the_server->loop, &conn->watch, POLLOUT | POLLRDHUP);
	else if (!conn->call)
		fd_watch_want(the_server->loop, &conn->watch, POLLIN | POLLRDHUP);
}

void conn_resume(struct conn *conn)
{
	size_t need;

	if (conn->delivering || conn->dead)
		return;
	deliver(conn, &need);
	if (!conn->dead)
		settle(conn);
}

static void ready(struct fd_watch *w, short revents)
{
	struct conn *conn = container_of(w, struct conn, watch);
	bool ended = revents & (POLLRDHUP | POLLHUP | POLLERR);

	if (conn->dead)
		return;
	if (busy(conn) && ended)
		return conn_die(conn);
	if (conn->call)			/* nothing is read: it can only go */
		return fd_watch_want(the_server->loop, w, POLLRDHUP);
	if (conn->out)
		send_more(conn);
	if (!conn->dead && !busy(conn))
		receive(conn);
	if (!conn->dead)
		settle(conn);
}

static void take_connections(struct fd_watch *w, short revents)
{
	struct sockaddr_storage peer;
	socklen_t len;
	int i, fd;

	(void)revents;
	for (i = 0; i < ACCEPTS; i++) {
		len = sizeof(peer);
		fd = accept4(w->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		if (nr_conns < the_server->cfg.max_connections) {
			conn_new(fd, &peer);
			continue;
		}
		close(fd);
		metrics_add(&the_server->metrics, METRIC_CONNECTIONS_REFUSED);
		log_warn("connection refused: max-connections (%u) reached",
			 the_server->cfg.max_connections);
	}
}

unsigned int conns_count(void)
{
	return nr_conns;
}

int conns_open(struct server *srv, const struct conn_handler *handler, uint16_t *port,
	       struct iopmem_err *err)
{
	int fd, rc;

	*port = CONFIG_DEFAULT_PORT;
	fd = listener_open("listen", srv->cfg.listen, port, err);
	if (fd < 0)
		return fd;
	listener = (struct fd_watch){ .fd = fd, .events = POLLIN, .ready = take_connections };
	if (fcntl(fd, F_SETFL, O_NONBLOCK) || !fd_watch_add(srv->loop, &listener)) {
		rc = err_set(err, errno, "listen on '%s' without blocking", srv->cfg.listen);
		close(fd);
		return rc;
	}
	the_server = srv;
	the_handler = handler;
	return 0;
}

void conns_close(void)
{
	close_all(&conns);
	close_all(&gone);
	fd_watch_remove(the_server->loop, &listener);
	close(listener.fd);
}
