// SPDX-License-Identifier: BSD-3-Clause
/* The verbs client: connecting and the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fabric/sockaddr.h"
#include "fabric/verbs_client.h"

#define DEPTH_MAX	16384
#define INLINE_MAX	220	/* a work request of four 64-byte blocks on mlx5 */
#define READS_MAX	16	/* on the wire at once; more wait in the NIC */

struct dial {
	const struct fabric_conn_attr *attr;
	uint64_t start;
	int timeout_ms;
	struct verbs_client *c;
	struct iopmem_err *err;
};

uint64_t verbs_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int verbs_left_ms(int timeout_ms, uint64_t start)
{
	uint64_t gone;

	if (timeout_ms <= 0)
		return timeout_ms < 0 ? -1 : 0;
	gone = verbs_now_ms() - start;
	return gone >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)gone;
}

static int failed(const struct dial *d, int code, const char *what)
{
	return err_set(d->err, code, "fabric verbs: %s port %u: %s", d->attr->address,
		       d->attr->port, what);
}

/* What the server said with its reject. */
static int refused(const struct dial *d, const struct verbs_refusal *refusal)
{
	const struct fabric_conn_attr *a = d->attr;

	if (ntohl(refusal->magic) != VERBS_MAGIC)
		return failed(d, ECONNREFUSED, "connect");
	switch (refusal->reason) {
	case VERBS_TOKEN:
		return err_msg(d->err, EACCES,
			       "fabric verbs: %s port %u: the connect token was refused",
			       a->address, a->port);
	case VERBS_VERSION_UNKNOWN:
		return err_msg(d->err, EPROTONOSUPPORT,
			       "fabric verbs: %s port %u: the server speaks version %u, not %u",
			       a->address, a->port, refusal->version, VERBS_VERSION);
	case VERBS_DEVICE:
		return err_msg(d->err, EXDEV,
			       "fabric verbs: %s port %u: this client's regions are on another device of the server",
			       a->address, a->port);
	default:
		return err_msg(d->err, EBUSY,
			       "fabric verbs: %s port %u: the server has no resources for a connection",
			       a->address, a->port);
	}
}

/* Waits for @want; every other event is a failure to @what. */
static int await(const struct dial *d, enum rdma_cm_event_type want, const char *what)
{
	struct pollfd pfd = { .fd = d->c->channel->fd, .events = POLLIN };
	struct verbs_refusal refusal = { 0 };
	enum rdma_cm_event_type type;
	struct rdma_cm_event *event;
	int left, status;

	while (rdma_get_cm_event(d->c->channel, &event)) {
		if (errno != EAGAIN && errno != EINTR)
			return failed(d, errno, what);
		left = verbs_left_ms(d->timeout_ms, d->start);
		if (!left)
			return failed(d, ETIMEDOUT, what);
		poll(&pfd, 1, left);
	}
	type = event->event;
	status = event->status;
	if (type == RDMA_CM_EVENT_REJECTED && event->param.conn.private_data &&
	    event->param.conn.private_data_len >= sizeof(refusal))
		memcpy(&refusal, event->param.conn.private_data, sizeof(refusal));
	rdma_ack_cm_event(event);
	if (type == want)
		return 0;
	if (type == RDMA_CM_EVENT_REJECTED)
		return refused(d, &refusal);
	if (status < 0)		/* else a code of the CM's own */
		return failed(d, -status, what);
	return failed(d, type == RDMA_CM_EVENT_UNREACHABLE ? ETIMEDOUT : EHOSTUNREACH, what);
}

static int resolve(const struct dial *d)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int ret;

	ret = sockaddr_parse(d->attr->address, d->attr->port, &ss, &len, d->err);
	if (ret)
		return ret;
	if (rdma_resolve_addr(d->c->id, NULL, (struct sockaddr *)&ss, d->timeout_ms))
		return failed(d, errno, "resolve address");
	ret = await(d, RDMA_CM_EVENT_ADDR_RESOLVED, "resolve address");
	if (ret)
		return ret;
	if (rdma_resolve_route(d->c->id, d->timeout_ms))
		return failed(d, errno, "resolve route");
	return await(d, RDMA_CM_EVENT_ROUTE_RESOLVED, "resolve route");
}

static int make_queues(const struct dial *d, const struct ibv_device_attr *device)
{
	struct verbs_client *c = d->c;
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
	};

	c->depth = d->attr->depth < DEPTH_MAX ? d->attr->depth : DEPTH_MAX;
	if (device->max_qp_wr > 0 && c->depth > (uint32_t)device->max_qp_wr)
		c->depth = (uint32_t)device->max_qp_wr;
	if (device->max_cqe > 0 && c->depth > (uint32_t)device->max_cqe)
		c->depth = (uint32_t)device->max_cqe;
	c->ops = calloc(c->depth, sizeof(*c->ops));
	c->chain = calloc(1, sizeof(*c->chain));
	if (!c->ops || !c->chain)
		return failed(d, ENOMEM, "queue");
	c->pd = ibv_alloc_pd(c->id->verbs);
	if (!c->pd)
		return failed(d, errno, "protection domain");
	c->completions = ibv_create_comp_channel(c->id->verbs);
	if (!c->completions || verbs_fd_setup(c->completions->fd))
		return failed(d, errno, "completion channel");
	c->cq = ibv_create_cq(c->id->verbs, (int)c->depth, NULL, c->completions, 0);
	if (!c->cq)
		return failed(d, errno, "completion queue");
	init.send_cq = init.recv_cq = c->cq;
	init.cap.max_send_wr = c->depth;
	init.cap.max_inline_data = INLINE_MAX;
	if (rdma_create_qp(c->id, c->pd, &init)) {
		init.cap.max_inline_data = 0;
		if (rdma_create_qp(c->id, c->pd, &init))
			return failed(d, errno, "queue pair");
	}
	/* Drivers give what is convenient to them, or say nothing: 0 is what we asked for. */
	c->inline_max = init.cap.max_inline_data < INLINE_MAX ? init.cap.max_inline_data : INLINE_MAX;
	return 0;
}

static int check_mtu(const struct dial *d)
{
	uint32_t mtu;

	if (!d->attr->min_path_mtu)
		return 0;
	mtu = verbs_path_mtu(d->c->id->qp);
	if (mtu >= d->attr->min_path_mtu)
		return 0;
	return err_msg(d->err, EPROTONOSUPPORT,
		       "fabric verbs: %s port %u: the path has an IB MTU of %u, the server needs %u",
		       d->attr->address, d->attr->port, mtu, d->attr->min_path_mtu);
}

static int shake_hands(const struct dial *d, const struct ibv_device_attr *device)
{
	struct verbs_hello hello = { .magic = htonl(VERBS_MAGIC), .version = VERBS_VERSION };
	struct rdma_conn_param param = {
		.private_data = &hello,
		.private_data_len = sizeof(hello),
		.responder_resources = 1,	/* nobody reads from us; 0 is rarely tried */
		.initiator_depth = READS_MAX,
		.retry_count = VERBS_RETRY,
		.rnr_retry_count = VERBS_RETRY,
	};
	int ret;

	memcpy(hello.token, d->attr->token, sizeof(hello.token));
	if (device->max_qp_init_rd_atom < READS_MAX)
		param.initiator_depth = device->max_qp_init_rd_atom > 0 ?
					(uint8_t)device->max_qp_init_rd_atom : 1;
	if (rdma_connect(d->c->id, &param))
		return failed(d, errno, "connect");
	ret = await(d, RDMA_CM_EVENT_ESTABLISHED, "connect");
	return ret ? ret : check_mtu(d);
}

int verbs_connect(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		  struct iopmem_err *err)
{
	struct verbs_client *c = calloc(1, sizeof(*c));
	struct dial d = {
		.attr = attr, .start = verbs_now_ms(), .c = c, .err = err,
		.timeout_ms = attr->timeout_ms > INT32_MAX ? INT32_MAX : (int)attr->timeout_ms,
	};
	struct ibv_device_attr device;
	int ret;

	if (!c)
		return err_set(err, ENOMEM, "fabric verbs: connect");
	c->base.ops = &fabric_verbs;
	c->channel = rdma_create_event_channel();
	if (!c->channel) {
		ret = failed(&d, errno, "/dev/infiniband/rdma_cm");
		goto err_free;
	}
	ret = verbs_fd_setup(c->channel->fd);
	if (ret || rdma_create_id(c->channel, &c->id, NULL, RDMA_PS_TCP)) {
		ret = failed(&d, errno, "rdma_create_id");
		goto err_free;
	}
	ret = resolve(&d);
	if (!ret && ibv_query_device(c->id->verbs, &device))
		ret = failed(&d, EIO, "query device");
	if (!ret)
		ret = make_queues(&d, &device);
	if (!ret)
		ret = shake_hands(&d, &device);
	if (ret)
		goto err_free;
	*conn = &c->base;
	return 0;
err_free:
	verbs_disconnect(&c->base);
	return ret;
}

/* Also takes down what has been half made. */
void verbs_disconnect(struct fabric_conn *conn)
{
	struct verbs_client *c = (struct verbs_client *)conn;

	if (c->id && c->id->qp) {
		if (!c->dead)
			rdma_disconnect(c->id);
		rdma_destroy_qp(c->id);
	}
	if (c->cq)
		ibv_destroy_cq(c->cq);
	if (c->completions)
		ibv_destroy_comp_channel(c->completions);
	if (c->pd)
		ibv_dealloc_pd(c->pd);
	if (c->id)
		rdma_destroy_id(c->id);
	if (c->channel)
		rdma_destroy_event_channel(c->channel);
	free(c->ops);
	free(c->chain);
	free(c);
}
