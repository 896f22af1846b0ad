// SPDX-License-Identifier: BSD-3-Clause
/* Calls from their arguments to their reply; slots. */
#include "dispatch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "call.h"
#include "client.h"
#include "conn.h"
#include "gss.h"
#include "open.h"
#include "rpc_msg.h"

#define REPLY_MAX (256 * 1024)

static struct server *the_server;

struct blob {
	void *data;
	uint32_t len;
};

static void call_free(struct call *call)
{
	call_wait_end(call);
	if (call->client)
		call->client->calls--;
	if (call->args) {
		xdr_free(call->op->xdr_args, call->args);
		free(call->args);
	}
	gss_put(&call->gss);
	free(call);
}

static void send_result(struct conn *conn, uint32_t xid, const struct gss_call *gc,
			const struct blob *blob)
{
	static char buf[RPC_MSG_HEAD_MAX + REPLY_MAX + GSS_OVERHEAD_MAX];
	struct rpc_msg_auth verf, *v = NULL;
	char verf_body[MAX_AUTH_BYTES];
	size_t head, n = blob->len;

	if (gc->ctx) {
		if (!gss_verifier(gc, verf_body, &verf))
			return conn_kill(conn, "its krb5 context has expired");
		v = &verf;
	}
	head = rpc_msg_success(xid, v, buf);
	if (gc->ctx && gc->service != GSS_SERVICE_NONE) {
		n = gss_wrap_result(gc, blob->data, blob->len, buf + head, sizeof(buf) - head);
		if (!n)
			return conn_kill(conn, "its krb5 context has expired");
	} else {
		memcpy(buf + head, blob->data, blob->len);
	}
	conn_send(conn, buf, head + n);
}

/* The connection is free for its next call. */
static void reply_blob(struct call *call, const struct blob *blob)
{
	struct conn *conn = call->conn;

	call->conn = NULL;
	conn->call = NULL;
	send_result(conn, call->xid, &call->gss, blob);
}

static void encode(struct call *call, struct blob *blob)
{
	static char buf[REPLY_MAX];
	u_int fault = IOPMEM_SERVERFAULT;
	XDR xdrs;

	xdrmem_create(&xdrs, buf, sizeof(buf), XDR_ENCODE);
	if (!((bool_t (*)(XDR *, void *))(void (*)(void))call->op->xdr_res)(&xdrs, &call->res)) {
		log_error("%s: reply does not fit %d bytes", call->op->name, REPLY_MAX);
		xdr_destroy(&xdrs);
		xdrmem_create(&xdrs, buf, sizeof(buf), XDR_ENCODE);
		xdr_u_int(&xdrs, &fault);
	}
	blob->data = buf;
	blob->len = xdr_getpos(&xdrs);
	xdr_destroy(&xdrs);
}

static void slot_finish(struct call *call, const struct blob *blob)
{
	struct slot *slot = &call->client->slots[call->slot];

	slot->busy = false;
	free(slot->reply);
	slot->reply = malloc(blob->len);
	slot->reply_len = slot->reply ? blob->len : 0;
	if (slot->reply)
		memcpy(slot->reply, blob->data, blob->len);
}

void call_reply(struct call *call)
{
	struct client *client = call->client;
	struct conn *conn = call->conn;
	struct blob blob;

	encode(call, &blob);
	metrics_call(&call->srv->metrics, call->op->proc, call->res.status,
		     clock_us() - call->started_us);
	xdr_free(call->op->xdr_res, &call->res);
	if (client && (call->op->flags & OP_SEQ))
		slot_finish(call, &blob);
	if (client)
		client_renew(client);
	if (conn)
		reply_blob(call, &blob);
	call_free(call);
	if (client && client->dying)
		client_progress(client);
	if (conn)
		conn_resume(conn);
}

void call_status(struct call *call, enum iopmem_status status)
{
	if (!call->res.status)
		xdr_free(call->op->xdr_res, &call->res);
	memset(&call->res, 0, sizeof(call->res));
	call->res.status = status;
	call_reply(call);
}

void call_errno(struct call *call, int rc, const struct iopmem_err *err)
{
	enum iopmem_status status = status_from_errno(rc);

	if (err && err->code)
		log_info("%s from %s: %s: %s", call->op->name, call->peer,
			 status_name(status), err->text);
	call_status(call, status);
}

/* Exactly once (RFC 8881 section 2.10.6.1).  True: execute. */
static bool take_slot(struct call *call)
{
	const iopmem_seq *seq = call->args;
	struct slot *slot = &call->client->slots[seq->slot];

	if (slot->busy || seq->sequence != slot->sequence + 1)
		return false;
	call->slot = seq->slot;
	slot->sequence++;
	slot->busy = true;
	return true;
}

/* An answer that no operation gave; its status comes first, as in all of them. */
static void answer(struct call *call, const struct blob *blob)
{
	u_int status = 0;

	memcpy(&status, blob->data, sizeof(status));
	metrics_call(&call->srv->metrics, call->op->proc, ntohl(status),
		     clock_us() - call->started_us);
	reply_blob(call, blob);
	call_free(call);
}

static void refuse_status(struct call *call, enum iopmem_status status)
{
	u_int wire = htonl(status);

	answer(call, &(struct blob){ &wire, sizeof(wire) });
}

static void replay(struct call *call)
{
	const iopmem_seq *seq = call->args;
	const struct slot *slot = &call->client->slots[seq->slot];
	struct blob blob = { slot->reply, slot->reply_len };

	if (slot->busy && seq->sequence == slot->sequence)
		return refuse_status(call, IOPMEM_DELAY);
	if (seq->sequence != slot->sequence || !slot->reply)
		return refuse_status(call, IOPMEM_SEQ_MISORDERED);
	answer(call, &blob);
}

static void start(struct call *call)
{
	enum iopmem_status status = IOPMEM_OK;
	uint64_t clientid;

	if (!(call->op->flags & OP_CLIENT))
		return call->op->run(call);
	memcpy(&clientid, call->args, sizeof(clientid));	/* first member of all of them */
	call->client = client_find(call->srv, clientid);
	if (!call->client || call->client->dying) {
		call->client = NULL;
		return refuse_status(call, client_expired(call->srv, clientid, call->who.cred.uid) ?
					   IOPMEM_EXPIRED : IOPMEM_STALE_CLIENTID);
	}
	call->client->calls++;
	if (!client_is(call->client, &call->who))
		return refuse_status(call, IOPMEM_ACCESS);
	if (call->client->flavor != call->who.flavor)
		return refuse_status(call, IOPMEM_WRONGSEC);
	if (strcmp(call->peer, call->client->address))
		status = opens_admit(call);
	if (status)
		return refuse_status(call, status);
	client_renew(call->client);
	if (call->client->calls > call->srv->cfg.client_calls)
		return refuse_status(call, IOPMEM_DELAY);
	if (call->op->flags & OP_SEQ) {
		if (((const iopmem_seq *)call->args)->slot >= CLIENT_SLOTS)
			return refuse_status(call, IOPMEM_BADSLOT);
		if (!take_slot(call))
			return replay(call);
	}
	call->op->run(call);
}

/* ---- from records to calls ---- */

static void take_peer(struct call *call, const struct conn *conn)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&conn->peer;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&conn->peer;

	call->addr = conn->peer;
	strcpy(call->peer, "?");
	if (conn->peer.ss_family == AF_INET)
		inet_ntop(AF_INET, &in4->sin_addr, call->peer, sizeof(call->peer));
	else if (conn->peer.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, call->peer, sizeof(call->peer));
}

static void refuse(struct conn *conn, const struct rpc_msg_call *msg, enum accept_stat stat)
{
	char buf[RPC_MSG_HEAD_MAX];

	conn_send(conn, buf, rpc_msg_refusal(msg->xid, stat, IOPMEM_V1, buf));
}

static void refuse_auth(struct conn *conn, const struct rpc_msg_call *msg, enum auth_stat why)
{
	char buf[RPC_MSG_HEAD_MAX];

	conn_send(conn, buf, rpc_msg_denial(msg->xid, why, buf));
}

static bool decode(struct call *call, const struct rpc_msg_call *msg)
{
	XDR xdrs;
	bool ok;

	xdrmem_create(&xdrs, (char *)(uintptr_t)msg->args, (u_int)msg->args_len, XDR_DECODE);
	ok = ((bool_t (*)(XDR *, void *))(void (*)(void))call->op->xdr_args)(&xdrs, call->args);
	xdr_destroy(&xdrs);
	return ok;
}

/* @gc's context is the call's from here. */
static void take_call(struct conn *conn, const struct rpc_msg_call *msg, const struct op *op,
		      const struct caller *who, struct gss_call *gc)
{
	struct call *call = calloc(1, sizeof(*call));

	if (call)
		call->args = calloc(1, op->args_size);
	if (!call || !call->args) {
		gss_put(gc);
		free(call);
		return refuse(conn, msg, SYSTEM_ERR);
	}
	call->srv = the_server;
	call->op = op;
	call->started_us = clock_us();
	call->xid = msg->xid;
	call->who = *who;
	call->gss = *gc;
	if (!decode(call, msg)) {
		log_info("%s: arguments cannot be decoded", call->op->name);
		refuse(conn, msg, GARBAGE_ARGS);
		return call_free(call);
	}
	take_peer(call, conn);
	call->conn = conn;
	conn->call = call;
	call_wait_begin(call);
	start(call);
}

/* The caller is known. */
static void serve(struct conn *conn, const struct rpc_msg_call *msg, const struct caller *who,
		  struct gss_call *gc)
{
	const struct op *op = op_find(msg->proc);

	if (op)
		return take_call(conn, msg, op, who, gc);
	if (msg->proc == IOPMEM_PROC_NULL)
		send_result(conn, msg->xid, gc, &(struct blob){ "", 0 });
	else
		refuse(conn, msg, PROC_UNAVAIL);
	gss_put(gc);
}

static void take_gss(struct conn *conn, const char *record, struct rpc_msg_call *msg)
{
	struct gss_take t;

	switch (gss_take(record, msg, &t)) {
	case GSS_CALL:
		serve(conn, msg, &t.who, &t.call);
		break;
	case GSS_INIT:
		take_call(conn, msg, &gss_init_op, &t.who, &(struct gss_call){ 0 });
		break;
	case GSS_DESTROY:
		t.call.service = GSS_SERVICE_NONE;
		send_result(conn, msg->xid, &t.call, &(struct blob){ "", 0 });
		gss_put(&t.call);
		break;
	case GSS_GARBAGE:
		log_warn("connection %d: krb5: arguments of '%s' were changed on the way", conn->fd,
			 t.who.principal);
		refuse(conn, msg, GARBAGE_ARGS);
		gss_put(&t.call);
		break;
	case GSS_DROP:
		gss_put(&t.call);
		break;
	case GSS_DENY:
		refuse_auth(conn, msg, t.why);
		break;
	}
	free(t.plain);
}

static void take_record(struct conn *conn, const char *data, size_t len)
{
	struct caller who = { .flavor = FLAVOR_SYS };
	struct gss_call none = { 0 };
	struct rpc_msg_call msg;

	if (!rpc_msg_parse(data, len, &msg))
		return conn_kill(conn, "no RPC call");
	if (msg.prog != IOPMEM_PROGRAM)
		return refuse(conn, &msg, PROG_UNAVAIL);
	if (msg.vers != IOPMEM_V1)
		return refuse(conn, &msg, PROG_MISMATCH);
	if (msg.cred.flavor == RPCSEC_GSS)
		return take_gss(conn, data, &msg);
	/* NULL and what does not exist need no caller. */
	if (op_find(msg.proc)) {
		if (msg.cred.flavor != AUTH_SYS)
			return refuse_auth(conn, &msg, AUTH_TOOWEAK);
		if (!rpc_msg_auth_sys(&msg.cred, &who.cred))
			return refuse_auth(conn, &msg, AUTH_BADCRED);
	}
	serve(conn, &msg, &who, &none);
}

/* Whatever is still being worked on has no peer. */
static void closed(struct conn *conn)
{
	struct call *call = conn->call;

	conn->call = NULL;
	if (!call)
		return;
	call->conn = NULL;
	if (call->lost)
		call->lost(call);
}

int dispatch_open(struct server *srv, uint16_t *port, struct iopmem_err *err)
{
	static const struct conn_handler handler = { take_record, closed };

	the_server = srv;
	return conns_open(srv, &handler, port, err);
}

void dispatch_close(void)
{
	conns_close();
}
