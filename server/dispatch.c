// SPDX-License-Identifier: BSD-3-Clause
#include "dispatch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <rpc/rpc.h>
#include <rpc/rpc_com.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>

#include "base/log.h"
#include "call.h"
#include "client.h"
#include "listener.h"

#define RECORD_MAX (64 * 1024)		/* a request */
#define REPLY_MAX (256 * 1024)
#define UNREAD_MAX (64 * 1024)		/* of replies a peer has not read */

struct conn {
	SVCXPRT *xprt;
	int fd;
	const struct xp_ops *orig_ops;
	struct xp_ops ops;
	struct call *call;		/* in progress */
	UT_hash_handle hh;		/* by fd */
};

#define XDR(fn) ((xdrproc_t)(void (*)(void))(fn))
#define OP(NAME, name, args, res, flags) \
	[IOPMEM_PROC_##NAME] = { #NAME, op_##name, XDR(xdr_iopmem_##args##_args), \
				 XDR(xdr_iopmem_##res##_res), \
				 sizeof(iopmem_##args##_args), flags }

static const struct op ops[] = {
	OP(EXCHANGE_ID, exchange_id, exchange_id, exchange_id, 0),
	OP(RENEW, renew, client, status, OP_CLIENT),
	OP(DESTROY_CLIENTID, destroy_clientid, client, status, OP_CLIENT),
	OP(GETDEVICEINFO, getdeviceinfo, getdeviceinfo, getdeviceinfo, OP_CLIENT),
	OP(LOOKUP, lookup, path, attr, OP_CLIENT),
	OP(OPEN, open, open, open, OP_CLIENT | OP_SEQ),
	OP(CREATE, create, create, open, OP_CLIENT | OP_SEQ),
	OP(CLOSE, close, stateid, status, OP_CLIENT | OP_SEQ),
	OP(GETATTR, getattr, stateid, attr, OP_CLIENT),
	OP(SETSIZE, setsize, setsize, attr, OP_CLIENT | OP_SEQ),
	OP(REMOVE, remove, path, status, OP_CLIENT | OP_SEQ),
	OP(READDIR, readdir, readdir, readdir, OP_CLIENT),
	OP(MKDIR, mkdir, mkdir, attr, OP_CLIENT | OP_SEQ),
	OP(LAYOUTGET, layoutget, layoutget, layoutget, OP_CLIENT | OP_SEQ),
	OP(LAYOUTCOMMIT, layoutcommit, layoutcommit, layoutcommit, OP_CLIENT | OP_SEQ),
	OP(LAYOUTRETURN, layoutreturn, layoutreturn, layoutreturn, OP_CLIENT | OP_SEQ),
	OP(EVENT_WAIT, event_wait, event_wait, event_wait, OP_CLIENT),
};

/* libtirpc's dispatch callback takes no argument: the one server of this process. */
static struct server *the_server;
static struct conn *conns;
static int listen_fd = -1;

struct blob {
	void *data;
	uint32_t len;
};

static bool_t xdr_blob(XDR *xdrs, struct blob *blob)
{
	return xdr_opaque(xdrs, blob->data, blob->len);
}

static struct conn *conn_of_fd(int fd)
{
	struct conn *conn;

	HASH_FIND_INT(conns, &fd, conn);
	return conn;
}

/* libtirpc frees the transport: whatever is still being worked on has no peer. */
static void conn_destroyed(SVCXPRT *xprt)
{
	struct conn *conn = conn_of_fd(xprt->xp_fd);
	struct call *call = conn->call;

	HASH_DEL(conns, conn);
	xprt->xp_ops = conn->orig_ops;
	SVC_DESTROY(xprt);
	if (call) {
		call->conn = NULL;
		if (call->lost)
			call->lost(call);
	}
	free(conn);
}

static struct conn *conn_get(SVCXPRT *xprt)
{
	struct conn *conn = conn_of_fd(xprt->xp_fd);
	int on = 1, size = 4 * REPLY_MAX;

	if (conn)
		return conn;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	conn->xprt = xprt;
	conn->fd = xprt->xp_fd;
	conn->orig_ops = xprt->xp_ops;
	conn->ops = *xprt->xp_ops;
	conn->ops.xp_destroy = conn_destroyed;
	xprt->xp_ops = &conn->ops;
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	listener_keepalive(conn->fd);
	setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	HASH_ADD_INT(conns, fd, conn);
	return conn;
}

/* The peer breaks the rules: its next receive fails, which destroys the transport. */
static void conn_kill(struct conn *conn, const char *why)
{
	log_warn("connection %d: %s, closed", conn->fd, why);
	shutdown(conn->fd, SHUT_RDWR);
}

static void call_free(struct call *call)
{
	if (call->client)
		call->client->calls--;
	if (call->args) {
		xdr_free(call->op->xdr_args, call->args);
		free(call->args);
	}
	free(call);
}

/* Sends bytes unless the peer has stopped reading: write_vc would spin on it. */
static void conn_send(struct conn *conn, struct blob *blob, bool deferred)
{
	int unread = 0;
	bool ok;

	conn->call = NULL;
	if (!ioctl(conn->fd, SIOCOUTQ, &unread) && unread > UNREAD_MAX) {
		conn_kill(conn, "peer does not read its replies");
		ok = false;
	} else {
		ok = svc_sendreply(conn->xprt, XDR(xdr_blob), (char *)blob);
	}
	/* Within libtirpc's own receive loop it notices by itself. */
	if (!ok && deferred)
		SVC_DESTROY(conn->xprt);
}

static bool in_dispatch;

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
	struct blob blob;

	encode(call, &blob);
	xdr_free(call->op->xdr_res, &call->res);
	if (client && (call->op->flags & OP_SEQ))
		slot_finish(call, &blob);
	if (client)
		client_renew(client);
	if (call->conn)
		conn_send(call->conn, &blob, !in_dispatch);
	call_free(call);
	if (client && client->dying)
		client_progress(client);
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

/* AUTH_SYS only (RFC 5531 section 8.2). */
static bool take_cred(struct call *call, struct svc_req *req, SVCXPRT *xprt)
{
	const struct authunix_parms *p = (const struct authunix_parms *)req->rq_clntcred;
	unsigned int i;

	if (req->rq_cred.oa_flavor != AUTH_SYS) {
		svcerr_weakauth(xprt);
		return false;
	}
	call->cred.uid = p->aup_uid;
	call->cred.gid = p->aup_gid;
	for (i = 0; i < p->aup_len && i < CRED_GROUPS_MAX; i++)
		call->cred.groups[i] = p->aup_gids[i];
	call->cred.nr_groups = i;
	return true;
}

static void take_peer(struct call *call, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	strcpy(call->peer, "?");
	if (getpeername(fd, (struct sockaddr *)&ss, &len))
		return;
	if (ss.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&ss)->sin_addr, call->peer,
			  sizeof(call->peer));
	else if (ss.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&ss)->sin6_addr, call->peer,
			  sizeof(call->peer));
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

static void refuse_status(struct call *call, enum iopmem_status status)
{
	struct conn *conn = call->conn;
	u_int wire = htonl(status);
	struct blob blob = { &wire, sizeof(wire) };

	conn_send(conn, &blob, false);
	call_free(call);
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
	conn_send(call->conn, &blob, false);
	call_free(call);
}

static void start(struct call *call)
{
	uint64_t clientid;

	if (!(call->op->flags & OP_CLIENT))
		return call->op->run(call);
	memcpy(&clientid, call->args, sizeof(clientid));	/* first member of all of them */
	call->client = client_find(call->srv, clientid);
	if (!call->client || call->client->dying) {
		call->client = NULL;
		return refuse_status(call, IOPMEM_STALE_CLIENTID);
	}
	call->client->calls++;
	if (call->cred.uid != call->client->uid)
		return refuse_status(call, IOPMEM_ACCESS);
	client_renew(call->client);
	if (call->op->flags & OP_SEQ) {
		if (((const iopmem_seq *)call->args)->slot >= CLIENT_SLOTS)
			return refuse_status(call, IOPMEM_BADSLOT);
		if (!take_slot(call))
			return replay(call);
	}
	call->op->run(call);
}

static void dispatch(struct svc_req *req, SVCXPRT *xprt)
{
	struct conn *conn = conn_get(xprt);
	struct call *call;

	if (!conn)
		return svcerr_systemerr(xprt);
	if (conn->call)
		return conn_kill(conn, "a second call while one is in progress");
	if (req->rq_proc == IOPMEM_PROC_NULL) {
		svc_sendreply(xprt, XDR(xdr_void), NULL);
		return;
	}
	if (req->rq_proc >= sizeof(ops) / sizeof(ops[0]))
		return svcerr_noproc(xprt);
	call = calloc(1, sizeof(*call));
	if (!call)
		return svcerr_systemerr(xprt);
	call->srv = the_server;
	call->op = &ops[req->rq_proc];
	if (!take_cred(call, req, xprt)) {
		free(call);
		return;
	}
	call->args = calloc(1, call->op->args_size);
	if (!call->args) {
		free(call);
		return svcerr_systemerr(xprt);
	}
	if (!svc_getargs(xprt, call->op->xdr_args, call->args)) {
		log_info("%s: arguments cannot be decoded", call->op->name);
		svcerr_decode(xprt);
		return call_free(call);
	}
	take_peer(call, conn->fd);
	call->conn = conn;
	conn->call = call;
	in_dispatch = true;
	start(call);
	in_dispatch = false;
}

/* ---- the poll set ---- */

static unsigned int nr_transports(void)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < svc_max_pollfd; i++)
		n += svc_pollfd[i].fd >= 0;
	return n;
}

static int prepare(struct pollfd *fds, int max, void *arg)
{
	struct conn *conn;
	int i, n = 0;

	(void)arg;
	for (i = 0; i < svc_max_pollfd && n < max; i++) {
		if (svc_pollfd[i].fd < 0)
			continue;
		fds[n] = svc_pollfd[i];
		fds[n].revents = 0;
		conn = conn_of_fd(fds[n].fd);
		if (conn && conn->call)
			fds[n].events = POLLRDHUP;
		n++;
	}
	return n;
}

static void refuse_connection(void)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		close(fd);
	log_warn("connection refused: max-connections (%u) reached",
		 the_server->cfg.max_connections);
}

static void handle(struct pollfd *fds, int n, void *arg)
{
	struct conn *conn;
	int i;

	(void)arg;
	for (i = 0; i < n; i++) {
		if (!fds[i].revents)
			continue;
		conn = conn_of_fd(fds[i].fd);
		if (conn && conn->call) {
			if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
				SVC_DESTROY(conn->xprt);
		} else if (fds[i].fd == listen_fd &&
			   nr_transports() > the_server->cfg.max_connections) {
			refuse_connection();
		} else {
			svc_getreq_common(fds[i].fd);
		}
	}
}

int dispatch_open(struct server *srv, uint16_t *port, struct iopmem_err *err)
{
	int max = RECORD_MAX;
	SVCXPRT *xprt;
	int fd;

	/* Before the first transport: bounded, non-blocking records.  Without it half
	 * a record from one peer stalls all others. */
	if (!rpc_control(RPC_SVC_CONNMAXREC_SET, &max))
		return err_msg(err, EINVAL, "libtirpc does not take RPC_SVC_CONNMAXREC_SET");
	fd = listener_open(srv->cfg.listen, port, err);
	if (fd < 0)
		return fd;
	xprt = svc_vc_create(fd, 0, 0);
	if (!xprt || !svc_reg(xprt, IOPMEM_PROGRAM, IOPMEM_V1, dispatch, NULL)) {
		close(fd);
		return err_msg(err, ENOMEM, "listen on '%s': libtirpc cannot make a transport",
			       srv->cfg.listen);
	}
	listen_fd = fd;
	the_server = srv;
	loop_set_poller(srv->loop, prepare, handle, NULL);
	return 0;
}

void dispatch_close(void)
{
	struct conn *conn, *next;

	HASH_ITER(hh, conns, conn, next)
		SVC_DESTROY(conn->xprt);
	svc_unreg(IOPMEM_PROGRAM, IOPMEM_V1);
}
