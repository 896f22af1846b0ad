// SPDX-License-Identifier: BSD-3-Clause
#include "admin_conn.h"

#include <errno.h>
#include <json_object.h>
#include <json_tokener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"

#define OUT_MAX		(8 * 1024 * 1024)	/* an answer */
#define STALL_MS	3000			/* a peer that reads nothing for so long */
#define IDLE_MS		300000			/* a peer that asks nothing for so long */

struct admin_conn {
	struct fd_watch watch;
	struct admin_conns *all;
	struct timer timer;
	struct admin_call *call;	/* in progress */
	bool eof;			/* the peer asks nothing more */
	bool dead;			/* to be freed once nobody works on it */
	bool serving;
	size_t in_len;
	char *out;
	size_t out_len, out_sent;
	char who[48];			/* for messages */
	struct admin_conn *prev, *next;
	char in[ADMIN_LINE_MAX];
};

static void conn_free(struct admin_conn *c)
{
	struct admin_conns *all = c->all;
	struct admin_call *call = c->call;

	fd_watch_remove(all->srv->loop, &c->watch);
	timer_cancel(all->srv->loop, &c->timer);
	close(c->watch.fd);
	DL_DELETE(all->list, c);
	all->n--;
	if (call) {
		call->conn = NULL;
		if (call->lost)
			call->lost(call);
		json_object_put(call->request);
		free(call);
	}
	free(c->out);
	free(c);
}

static void rearm(struct admin_conn *c)
{
	short events = (short)(POLLRDHUP | (c->call || c->eof || c->out_len ? 0 : POLLIN) |
			       (c->out_len ? POLLOUT : 0));

	timer_arm(c->all->srv->loop, &c->timer, c->out_len ? STALL_MS : IDLE_MS);
	if (c->eof || (c->out_len && !c->call))	/* it is seen when the rest was read */
		events &= (short)~POLLRDHUP;
	fd_watch_want(c->all->srv->loop, &c->watch, events);
}

static void timed_out(struct timer *t)
{
	struct admin_conn *c = container_of(t, struct admin_conn, timer);

	if (c->call && !c->out_len)
		return rearm(c);
	if (c->out_len)
		log_warn("admin: %s reads nothing, connection ended", c->who);
	conn_free(c);
}

/* Sends what it takes at once; the rest waits for POLLOUT. */
static void flush(struct admin_conn *c)
{
	ssize_t n;

	while (c->out_sent < c->out_len) {
		n = send(c->watch.fd, c->out + c->out_sent, c->out_len - c->out_sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			c->dead = true;
		if (n < 0)
			return;
		c->out_sent += (size_t)n;
	}
	c->out_len = c->out_sent = 0;
	free(c->out);
	c->out = NULL;
}

static void put_line(struct admin_conn *c, struct json_object *line)
{
	const char *text = json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN);
	size_t len = text ? strlen(text) : 0;
	char *out;

	if (c->dead)
		return;
	out = len && c->out_len + len < OUT_MAX ? realloc(c->out, c->out_len + len + 1) : NULL;
	if (!out) {
		log_warn("admin: no room for an answer to %s, connection ended", c->who);
		c->dead = true;
		return;
	}
	memcpy(out + c->out_len, text, len);
	out[c->out_len + len] = '\n';
	c->out = out;
	c->out_len += len + 1;
	flush(c);
}

static void settle(struct admin_conn *c)
{
	if (c->dead || (c->eof && !c->call && !c->out_len))
		conn_free(c);
	else
		rearm(c);
}

static void serve(struct admin_conn *c);

void admin_conn_answer(struct admin_call *call, struct json_object *answer)
{
	struct admin_conn *c = call->conn;

	put_line(c, answer);
	json_object_put(answer);
	json_object_put(call->request);
	free(call);
	c->call = NULL;
	serve(c);
}

void admin_conn_progress(struct admin_conn *c, struct json_object *line)
{
	put_line(c, line);
	if (c->dead)	/* its loss comes by way of the loop: the caller goes on */
		shutdown(c->watch.fd, SHUT_RDWR);
	else
		rearm(c);
}

static void request(struct admin_conn *c, const char *line, size_t len)
{
	struct admin_call *call = calloc(1, sizeof(*call));
	struct json_tokener *tok = json_tokener_new_ex(8);

	if (!call || !tok) {
		c->dead = true;
		free(call);
		if (tok)
			json_tokener_free(tok);
		return;
	}
	call->srv = c->all->srv;
	call->conn = c;
	call->request = json_tokener_parse_ex(tok, line, (int)len);
	json_tokener_free(tok);
	c->call = call;
	if (json_object_is_type(call->request, json_type_object))
		admin_start(call);
	else
		admin_error(call, EINVAL, "the request is not a JSON object in one line");
}

/* Until one is answered later, an answer is not read, or there is no whole line. */
static void serve(struct admin_conn *c)
{
	size_t len, used = 0;
	char *end;

	if (c->serving)
		return;
	c->serving = true;
	while (!c->dead && !c->call && !c->out_len &&
	       (end = memchr(c->in + used, '\n', c->in_len - used))) {
		len = (size_t)(end - c->in) - used;
		request(c, c->in + used, len);
		used += len + 1;
	}
	c->serving = false;
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	if (c->in_len == sizeof(c->in) && !c->call && !c->out_len) {
		log_warn("admin: %s sends a line of more than %d bytes, connection ended", c->who,
			 ADMIN_LINE_MAX);
		c->dead = true;
	}
	settle(c);
}

static void readable(struct admin_conn *c)
{
	ssize_t n = recv(c->watch.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n > 0)
		c->in_len += (size_t)n;
	else if (!n)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->dead = true;
}

static void ready(struct fd_watch *w, short revents)
{
	struct admin_conn *c = container_of(w, struct admin_conn, watch);

	if (revents & POLLOUT)
		flush(c);
	/* Who asks and goes away wants no answer; who only stops asking still does. */
	if ((revents & (POLLHUP | POLLERR)) || (c->call && (revents & POLLRDHUP)))
		c->dead = true;
	else if (!c->call && !c->out_len && (revents & (POLLIN | POLLRDHUP)))
		readable(c);
	if (c->dead)
		conn_free(c);
	else
		serve(c);
}

int admin_conn_new(struct admin_conns *all, int fd, const char *who)
{
	struct admin_conn *c = all->n < ADMIN_CONNECTIONS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return -EUSERS;
	c->all = all;
	snprintf(c->who, sizeof(c->who), "%s", who);
	c->watch.fd = fd;
	c->watch.ready = ready;
	c->timer.fire = timed_out;
	if (!fd_watch_add(all->srv->loop, &c->watch)) {
		free(c);
		return -EMFILE;
	}
	DL_APPEND(all->list, c);
	all->n++;
	rearm(c);
	return 0;
}

void admin_conns_close(struct admin_conns *all)
{
	struct admin_conn *c, *next;

	DL_FOREACH_SAFE(all->list, c, next)
		conn_free(c);
}
