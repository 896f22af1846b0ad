// SPDX-License-Identifier: BSD-3-Clause
/*
 * libmicrohttpd without threads of its own: its epoll descriptor is one more in the
 * loop, and what it has to do then takes no wait.  Few connections, little memory
 * for each, a bounded time: a slow peer costs nobody else anything.
 */
#include "metrics_http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "listener.h"
#include "report.h"

#define CONNECTIONS_MAX		8u
#define CONNECTION_BYTES	(32 * 1024)
#define CONNECTION_S		10u
#define LOOK_MS			1000

struct metrics_http {
	struct server *srv;
	struct MHD_Daemon *daemon;
	struct fd_watch watch;
	struct timer timer;
};

static enum MHD_Result answer(struct MHD_Connection *conn, unsigned int status, char *text,
			      size_t len, const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (!r) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	rc = MHD_queue_response(conn, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result refuse(struct MHD_Connection *conn, unsigned int status, const char *why)
{
	char *text = strdup(why);

	return text ? answer(conn, status, text, strlen(text), "text/plain") : MHD_NO;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **priv)
{
	struct metrics_http *h = arg;
	size_t len;
	char *text;

	(void)version;
	(void)data;
	(void)priv;
	if (*data_len) {		/* a body: swallowed until its end */
		*data_len = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
	if (strcmp(url, "/metrics"))
		return refuse(conn, MHD_HTTP_NOT_FOUND, "there is /metrics\n");
	text = report_metrics(h->srv, &len);
	return text ? answer(conn, MHD_HTTP_OK, text, len, "text/plain; version=0.0.4") : MHD_NO;
}

static void work(struct metrics_http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->daemon);
	/*
	 * Its connections' time-outs, and a second look: the listener that it took out of
	 * its set for too many of them comes back only when it is run again.
	 */
	if (MHD_get_timeout(h->daemon, &ms) != MHD_YES || ms > LOOK_MS)
		ms = LOOK_MS;
	timer_arm(h->srv->loop, &h->timer, ms);
}

static void ready(struct fd_watch *w, short revents)
{
	(void)revents;
	work(container_of(w, struct metrics_http, watch));
}

static void timed_out(struct timer *t)
{
	work(container_of(t, struct metrics_http, timer));
}

static int start(struct metrics_http *h, int fd, struct iopmem_err *err)
{
	const union MHD_DaemonInfo *info;

	/* A peer that is gone before it is accepted must not stop the loop. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
				     MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_S, MHD_OPTION_END);
	info = h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		close(fd);
		return err_msg(err, ENOMEM, "metrics-listen '%s': libmicrohttpd does not start",
			       h->srv->cfg.metrics_listen);
	}
	h->watch.fd = info->epoll_fd;
	h->watch.events = POLLIN;
	h->watch.ready = ready;
	h->timer.fire = timed_out;
	return 0;
}

int metrics_http_open(struct server *srv, struct iopmem_err *err)
{
	uint16_t port = CONFIG_DEFAULT_METRICS_PORT;
	struct metrics_http *h;
	char address[96];
	int fd, rc;

	if (!srv->cfg.metrics_listen[0])
		return 0;
	h = calloc(1, sizeof(*h));
	if (!h)
		return err_set(err, ENOMEM, "metrics-listen");
	h->srv = srv;
	config_metrics_address(&srv->cfg, address, sizeof(address));
	fd = listener_open("metrics-listen", address, &port, err);
	rc = fd < 0 ? fd : start(h, fd, err);
	if (rc)
		goto err_free;
	if (!fd_watch_add(srv->loop, &h->watch)) {
		rc = err_msg(err, ENOSPC, "metrics-listen: too many descriptors to watch");
		goto err_daemon;
	}
	srv->metrics_http = h;
	log_info("metrics: http://%s port %u /metrics", address, port);
	return 0;

err_daemon:
	MHD_stop_daemon(h->daemon);
err_free:
	free(h);
	return rc;
}

void metrics_http_close(struct server *srv)
{
	struct metrics_http *h = srv->metrics_http;

	if (!h)
		return;
	fd_watch_remove(srv->loop, &h->watch);
	timer_cancel(srv->loop, &h->timer);
	MHD_stop_daemon(h->daemon);
	srv->metrics_http = NULL;
	free(h);
}
