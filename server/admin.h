/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The administrator's channel: a local stream socket, one JSON object a line each
 * way.  A peer is root, the server's own user, or of the group that is configured.
 * Everything runs on the loop thread and is bounded: connections, the length of a
 * request, what a peer has not read.
 */
#ifndef IOPMEM_SERVER_ADMIN_H
#define IOPMEM_SERVER_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "server.h"

#define ADMIN_LINE_MAX		(16 * 1024)
#define ADMIN_CONNECTIONS_MAX	16

struct admin;
struct json_object;
struct admin_conn;

/* One request.  A command answers once, now or later, with admin_reply() or admin_error(). */
struct admin_call {
	struct server *srv;
	struct admin_conn *conn;
	struct json_object *request;
	/* The peer went before its answer: no answer is due any more.  Set by who answers later. */
	void (*lost)(struct admin_call *call);
	void *priv;
};

/* Listens on cfg.admin_socket, or where config_admin_socket() says. */
int admin_open(struct server *srv, struct iopmem_err *err);
/* Ends every connection, removes the socket. */
void admin_close(struct server *srv);

/* Takes @result (an object) over, adds "ok": true, ends the call. */
void admin_reply(struct admin_call *call, struct json_object *result);
/* @code is an errno, for programs; the text names the object. */
void admin_error(struct admin_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A line {"progress": text} before the answer. */
void admin_progress(struct admin_call *call, const char *text);

/* Of a request: NULL, or the default, when it is not there; an error is answered by the caller. */
const char *admin_text(const struct admin_call *call, const char *key);
int64_t admin_number(const struct admin_call *call, const char *key, int64_t otherwise);
bool admin_flag(const struct admin_call *call, const char *key);

/* The commands. */
void admin_status(struct admin_call *call);
void admin_clients(struct admin_call *call);
void admin_layouts(struct admin_call *call);
void admin_exports(struct admin_call *call);
void admin_waits(struct admin_call *call);
void admin_metrics(struct admin_call *call);
void admin_log_level(struct admin_call *call);
void admin_recall(struct admin_call *call);
void admin_revoke(struct admin_call *call);
void admin_quiesce(struct admin_call *call);
void admin_resume(struct admin_call *call);
void admin_reload(struct admin_call *call);

#endif
