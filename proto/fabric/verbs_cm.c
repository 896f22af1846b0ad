// SPDX-License-Identifier: BSD-3-Clause
/* Connections of the verbs server: the thread that takes events. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "fabric/verbs.h"

#define CONNS_PER_PEER 64

static void tell(struct verbs_conn *conn, enum fabric_event event)
{
	struct verbs_server *server = conn->peer->server;

	if (server->attr.event)
		server->attr.event(server->attr.arg, event, conn->peer->clientid);
}

static void violation(struct verbs_conn *conn)
{
	if (!conn->violated && conn->announced)
		tell(conn, FABRIC_PEER_VIOLATION);
	conn->violated = true;
}

/* Assumes: no event of it is unacknowledged. */
static void conn_end(struct verbs_conn *conn)
{
	struct verbs_peer *peer = conn->peer;
	struct verbs_server *server = peer->server;

	pthread_mutex_lock(&server->lock);
	TAILQ_REMOVE(&server->conns, conn, link);	/* nobody else touches ->qp now */
	pthread_mutex_unlock(&server->lock);
	if (conn->qp) {
		rdma_disconnect(conn->id);
		rdma_destroy_qp(conn->id);
	}
	rdma_destroy_id(conn->id);
	if (conn->announced)
		tell(conn, FABRIC_PEER_DISCONNECTED);
	free(conn);
	pthread_mutex_lock(&server->lock);
	peer->nr_conns--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

/* ---- connect requests ---- */

/* Finds and admits the peer whose token this is. */
static struct verbs_conn *admit(struct verbs_server *server, struct rdma_cm_id *id,
				const uint8_t *token)
{
	struct verbs_conn *conn = calloc(1, sizeof(*conn));
	struct verbs_peer *peer;

	if (!conn)
		return NULL;
	conn->id = id;
	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH(peer, &server->peers, link)
		if (token_take(&peer->token, token))
			conn->peer = peer;
	if (conn->peer && conn->peer->nr_conns >= CONNS_PER_PEER)
		conn->peer = NULL;
	if (conn->peer) {
		conn->peer->nr_conns++;
		TAILQ_INSERT_TAIL(&server->conns, conn, link);
	}
	pthread_mutex_unlock(&server->lock);
	if (!conn->peer) {
		free(conn);
		return NULL;
	}
	id->context = conn;
	return conn;
}

/* Takes the device's asynchronous events from now on. */
static int watch_device(struct verbs_server *server, struct ibv_context *device)
{
	unsigned int i;

	for (i = 0; i < server->nr_devices; i++)
		if (server->devices[i] == device)
			return 0;
	if (i == VERBS_DEVICES)
		return -EMFILE;
	server->devices[server->nr_devices++] = device;
	return verbs_fd_setup(device->async_fd);
}

static int make_qp(struct verbs_conn *conn)
{
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.send_cq = conn->peer->cq, .recv_cq = conn->peer->cq,
		/* Nothing is ever posted here; not every driver takes 0. */
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
	};

	if (rdma_create_qp(conn->id, conn->peer->pd, &init))
		return -errno;
	pthread_mutex_lock(&conn->peer->server->lock);
	conn->qp = conn->id->qp;
	pthread_mutex_unlock(&conn->peer->server->lock);
	return 0;
}

static uint8_t smaller(uint8_t asked, int can)
{
	return asked < can ? asked : (uint8_t)can;
}

static int accept_conn(struct verbs_conn *conn, const struct rdma_conn_param *asked)
{
	struct rdma_conn_param param = { .rnr_retry_count = VERBS_RETRY };
	struct ibv_qp_attr attr = { .qp_access_flags = IBV_ACCESS_REMOTE_READ |
						       IBV_ACCESS_REMOTE_WRITE };
	struct ibv_device_attr device;

	if (ibv_query_device(conn->id->verbs, &device))
		return -EIO;
	param.responder_resources = smaller(asked->responder_resources, device.max_qp_rd_atom);
	param.initiator_depth = smaller(asked->initiator_depth, 1);	/* we read nothing */
	if (rdma_accept(conn->id, &param))
		return -errno;
	/* The CM allows atomics too.  No region does, and neither shall the queue pair. */
	if (ibv_modify_qp(conn->qp, &attr, IBV_QP_ACCESS_FLAGS))
		return -EIO;
	/* Known since the accept only.  The client checks it as well, and can say so. */
	if (verbs_path_mtu(conn->qp) < conn->peer->server->demand.min_path_mtu)
		return -EPROTONOSUPPORT;
	return 0;
}

static void refuse(struct rdma_cm_id *id, enum verbs_reason reason)
{
	struct verbs_refusal refusal = { .magic = htonl(VERBS_MAGIC), .reason = (uint8_t)reason,
					 .version = VERBS_VERSION };

	rdma_reject(id, &refusal, sizeof(refusal));
}

static void on_request(struct verbs_server *server, struct rdma_cm_id *id,
		       const struct verbs_hello *hello, const struct rdma_conn_param *asked)
{
	struct verbs_conn *conn = NULL;
	bool cut;
	int ret;

	if (ntohl(hello->magic) != VERBS_MAGIC || hello->version != VERBS_VERSION)
		refuse(id, VERBS_VERSION_UNKNOWN);
	else if (!(conn = admit(server, id, hello->token)))
		refuse(id, VERBS_TOKEN);
	if (!conn) {
		rdma_destroy_id(id);
		return;
	}
	ret = watch_device(server, id->verbs);
	if (!ret)
		ret = verbs_peer_use(conn->peer, id->verbs);
	if (!ret)
		ret = make_qp(conn);
	if (ret) {
		refuse(id, ret == -EXDEV ? VERBS_DEVICE : VERBS_RESOURCES);
	} else {
		/* Told before: the client may write as soon as it hears of the accept. */
		conn->announced = true;
		tell(conn, FABRIC_PEER_CONNECTED);
		ret = accept_conn(conn, asked);
	}
	if (ret)
		log_warn("fabric verbs: client %#llx on %s: connection refused: %s",
			 (unsigned long long)conn->peer->clientid,
			 ibv_get_device_name(id->verbs->device), strerror(-ret));
	pthread_mutex_lock(&server->lock);
	cut = conn->cut;
	pthread_mutex_unlock(&server->lock);
	if (ret || cut)
		conn_end(conn);
}

/* ---- events ---- */

/*
 * The client has left.  A queue pair that had failed by then is an access we
 * refused: rxe raises no asynchronous event for it.  It answers the client before
 * it fails the queue pair, so a quick client's violation can be missed here.
 */
static void on_gone(struct verbs_conn *conn)
{
	struct verbs_server *server = conn->peer->server;
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	bool cut;

	pthread_mutex_lock(&server->lock);
	cut = conn->cut;	/* then it was us who failed it */
	pthread_mutex_unlock(&server->lock);
	if (conn->qp && !cut && !ibv_query_qp(conn->qp, &attr, IBV_QP_STATE, &init) &&
	    attr.qp_state == IBV_QPS_ERR)
		violation(conn);
	conn_end(conn);
}

/* False: no event. */
static bool take_cm_event(struct verbs_server *server)
{
	struct verbs_hello hello = { 0 };
	struct rdma_conn_param asked;
	enum rdma_cm_event_type type;
	struct rdma_cm_event *event;
	struct rdma_cm_id *id;

	if (rdma_get_cm_event(server->channel, &event))
		return false;
	type = event->event;
	id = event->id;
	asked = event->param.conn;
	if (type == RDMA_CM_EVENT_CONNECT_REQUEST && asked.private_data &&
	    asked.private_data_len >= sizeof(hello))
		memcpy(&hello, asked.private_data, sizeof(hello));
	rdma_ack_cm_event(event);	/* before anything is destroyed */

	switch (type) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		on_request(server, id, &hello, &asked);
		break;
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		if (id == server->listen) {
			log_error("fabric verbs: the listener's device is gone");
			break;
		}
		conn_end(id->context);
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		on_gone(id->context);
		break;
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		conn_end(id->context);
		break;
	default:	/* ESTABLISHED, TIMEWAIT_EXIT, ADDR_CHANGE: nothing to do */
		break;
	}
	return true;
}

static struct verbs_conn *conn_of(struct verbs_server *server, const struct ibv_qp *qp)
{
	struct verbs_conn *conn;

	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH(conn, &server->conns, link)
		if (conn->qp == qp)
			break;
	pthread_mutex_unlock(&server->lock);
	return conn;	/* stays: only this thread destroys */
}

static bool take_async_event(struct verbs_server *server, struct ibv_context *device)
{
	struct verbs_conn *conn = NULL;
	struct ibv_async_event event;

	if (ibv_get_async_event(device, &event))
		return false;
	switch (event.event_type) {
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_FATAL:
		conn = conn_of(server, event.element.qp);
		break;
	case IBV_EVENT_COMM_EST:	/* data overtook the last step of the handshake */
		conn = conn_of(server, event.element.qp);
		if (conn)
			rdma_notify(conn->id, IBV_EVENT_COMM_EST);
		conn = NULL;
		break;
	case IBV_EVENT_DEVICE_FATAL:
	case IBV_EVENT_PORT_ERR:
		log_error("fabric verbs: %s: %s", ibv_get_device_name(device->device),
			  ibv_event_type_str(event.event_type));
		break;
	default:
		break;
	}
	ibv_ack_async_event(&event);	/* before the queue pair is destroyed */
	if (conn) {
		violation(conn);
		conn_end(conn);
	}
	return true;
}

/* A connection that is to be ended; NULL: none. */
static struct verbs_conn *next_cut(struct verbs_server *server, bool *stop)
{
	struct verbs_conn *conn;

	pthread_mutex_lock(&server->lock);
	*stop = server->stop;
	TAILQ_FOREACH(conn, &server->conns, link)
		if (conn->cut || server->stop)
			break;
	pthread_mutex_unlock(&server->lock);
	return conn;
}

void *verbs_cm_main(void *arg)
{
	struct verbs_server *server = arg;

	for (;;) {
		struct pollfd fds[2 + VERBS_DEVICES] = {
			{ .fd = server->wake_fd, .events = POLLIN },
			{ .fd = server->channel->fd, .events = POLLIN },
		};
		unsigned int nr_devices = server->nr_devices;
		struct verbs_conn *conn;
		eventfd_t ignored;
		bool stop;

		for (unsigned int i = 0; i < nr_devices; i++)
			fds[2 + i] = (struct pollfd){ .fd = server->devices[i]->async_fd,
						      .events = POLLIN };
		if (poll(fds, 2 + nr_devices, -1) < 0)
			continue;
		if (fds[0].revents)
			eventfd_read(server->wake_fd, &ignored);
		while ((conn = next_cut(server, &stop)))
			conn_end(conn);
		if (stop)
			return NULL;
		/* Asynchronous events first: they say why a connection ended. */
		for (unsigned int i = 0; i < nr_devices; i++)
			while (fds[2 + i].revents && take_async_event(server, server->devices[i]))
				;
		if (fds[1].revents)
			take_cm_event(server);
	}
}
