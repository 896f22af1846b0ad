// SPDX-License-Identifier: BSD-3-Clause
#include "admin.h"

#include <errno.h>
#include <json_object.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin_conn.h"
#include "admin_socket.h"
#include "base/log.h"

struct admin {
	struct admin_socket socket;
	struct fd_watch listener;
	struct admin_conns conns;
};

static const struct command {
	const char *name;
	void (*run)(struct admin_call *call);
} commands[] = {
	{ "status", admin_status }, { "clients", admin_clients }, { "layouts", admin_layouts },
	{ "exports", admin_exports }, { "waits", admin_waits }, { "metrics", admin_metrics },
	{ "log-level", admin_log_level }, { "recall", admin_recall }, { "revoke", admin_revoke },
	{ "quiesce", admin_quiesce }, { "resume", admin_resume }, { "reload", admin_reload },
};

/* ---- answers ---- */

void admin_reply(struct admin_call *call, struct json_object *result)
{
	json_object_object_add(result, "ok", json_object_new_boolean(true));
	admin_conn_answer(call, result);
}

void admin_error(struct admin_call *call, int code, const char *fmt, ...)
{
	struct json_object *answer = json_object_new_object();
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_object_add(answer, "ok", json_object_new_boolean(false));
	json_object_object_add(answer, "errno", json_object_new_int(code));
	json_object_object_add(answer, "error", json_object_new_string(text));
	admin_conn_answer(call, answer);
}

void admin_progress(struct admin_call *call, const char *text)
{
	struct json_object *line = json_object_new_object();

	json_object_object_add(line, "progress", json_object_new_string(text));
	admin_conn_progress(call->conn, line);
	json_object_put(line);
}

const char *admin_text(const struct admin_call *call, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(call->request, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

int64_t admin_number(const struct admin_call *call, const char *key, int64_t otherwise)
{
	struct json_object *value;

	if (!json_object_object_get_ex(call->request, key, &value) ||
	    !json_object_is_type(value, json_type_int))
		return otherwise;
	return json_object_get_int64(value);
}

bool admin_flag(const struct admin_call *call, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(call->request, key, &value) &&
	       json_object_get_boolean(value);
}

/* ---- requests ---- */

void admin_start(struct admin_call *call)
{
	const char *name = admin_text(call, "command");
	size_t i;

	for (i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(call);
	if (name)
		admin_error(call, EINVAL, "there is no command '%.64s'", name);
	else
		admin_error(call, EINVAL, "the request has no \"command\"");
}

/* ---- the listener ---- */

/* One line, if it takes it. */
static void refuse(int fd, int code, const char *why)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "{\"ok\": false, \"errno\": %d, \"error\": \"%s\"}\n", code,
			 why);

	if (send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("admin: a refusal was not heard");
	close(fd);
}

static void accept_one(struct fd_watch *w, short revents)
{
	struct admin *a = container_of(w, struct admin, listener);
	char who[48];
	int fd;

	(void)revents;
	fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!admin_socket_allows(fd, a->socket.group, who, sizeof(who))) {
		log_warn("admin: %s is neither root nor of the admin-group, refused", who);
		return refuse(fd, EACCES, "you are neither root nor of the admin-group");
	}
	switch (admin_conn_new(&a->conns, fd, who)) {
	case -EUSERS:
		log_warn("admin: %s refused: there are %u connections", who, a->conns.n);
		return refuse(fd, EAGAIN, "there are too many connections");
	case -EMFILE:
		return refuse(fd, EAGAIN, "there are too many descriptors");
	}
}

int admin_open(struct server *srv, struct iopmem_err *err)
{
	struct admin *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return err_set(err, ENOMEM, "admin-socket");
	a->conns.srv = srv;
	rc = admin_socket_listen(&srv->cfg, &a->socket, err);
	if (rc)
		goto err_free;
	a->listener.fd = a->socket.fd;
	a->listener.events = POLLIN;
	a->listener.ready = accept_one;
	if (!fd_watch_add(srv->loop, &a->listener)) {
		rc = err_msg(err, ENOSPC, "admin-socket: too many descriptors to watch");
		goto err_listener;
	}
	srv->admin = a;
	return 0;

err_listener:
	admin_socket_close(&a->socket);
err_free:
	free(a);
	return rc;
}

void admin_close(struct server *srv)
{
	struct admin *a = srv->admin;

	if (!a)
		return;
	admin_conns_close(&a->conns);
	fd_watch_remove(srv->loop, &a->listener);
	admin_socket_close(&a->socket);
	srv->admin = NULL;
	free(a);
}
