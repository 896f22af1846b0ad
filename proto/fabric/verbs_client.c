// SPDX-License-Identifier: BSD-3-Clause
/*
 * The verbs client after connecting.  Every operation is signaled and completes in
 * order of posting, so a ring of contexts pairs them: taken <= posted.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "fabric/verbs_client.h"

#define BATCH 16

struct verbs_buf {
	struct fabric_buf base;
	struct ibv_mr *mr;
};

int verbs_buf_reg(struct fabric_conn *conn, void *addr, size_t len, struct fabric_buf **out,
		  struct iopmem_err *err)
{
	struct verbs_client *c = (struct verbs_client *)conn;
	struct verbs_buf *buf = malloc(sizeof(*buf));
	int ret;

	if (!buf)
		return err_set(err, ENOMEM, "fabric verbs: register buffer");
	buf->base = (struct fabric_buf){ .conn = conn, .addr = addr, .len = len };
	buf->mr = ibv_reg_mr(c->pd, addr, len, IBV_ACCESS_LOCAL_WRITE);
	if (!buf->mr) {
		ret = err_set(err, errno, "fabric verbs: register a buffer of %zu bytes%s", len,
			      errno == ENOMEM ? " (RLIMIT_MEMLOCK?)" : "");
		free(buf);
		return ret;
	}
	*out = &buf->base;
	return 0;
}

void verbs_buf_dereg(struct fabric_buf *base)
{
	struct verbs_buf *buf = (struct verbs_buf *)base;
	int ret;

	do
		ret = ibv_dereg_mr(buf->mr);
	while (ret == EINTR);
	free(buf);
}

int verbs_post(struct fabric_conn *conn, enum fabric_op op, struct fabric_buf *base, void *addr,
	       uint32_t len, uint32_t rkey, uint64_t raddr, void *ctx)
{
	struct verbs_client *c = (struct verbs_client *)conn;
	struct ibv_sge sge = { .addr = (uintptr_t)addr, .length = len,
			       .lkey = ((struct verbs_buf *)base)->mr->lkey };
	struct ibv_send_wr *bad, wr = {
		.wr_id = c->posted,
		.sg_list = &sge, .num_sge = 1,
		.opcode = op == FABRIC_OP_READ ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = raddr, .rkey = rkey },
	};
	int ret;

	if (c->dead)
		return -ECONNRESET;
	if (c->posted - c->taken >= c->depth)
		return -EAGAIN;
	ret = ibv_post_send(c->id->qp, &wr, &bad);
	if (ret)
		return ret == ENOMEM ? -EAGAIN : -ret;
	c->ctx[c->posted++ % c->depth] = ctx;
	return 0;
}

static int status_of(enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_SUCCESS:
		return 0;
	case IBV_WC_REM_ACCESS_ERR:
	case IBV_WC_REM_INV_REQ_ERR:
		return -EACCES;
	case IBV_WC_WR_FLUSH_ERR:
		return -ECONNRESET;
	case IBV_WC_RETRY_EXC_ERR:
	case IBV_WC_RNR_RETRY_EXC_ERR:
		return -ETIMEDOUT;
	default:
		return -EIO;
	}
}

/* Over: what is queued is flushed, and the server hears of it. */
static void die(struct verbs_client *c)
{
	if (!c->dead)
		rdma_disconnect(c->id);
	c->dead = true;
}

/* Moves completions to @wc. */
static int take(struct verbs_client *c, struct fabric_wc *wc, int n)
{
	struct ibv_wc got[BATCH];
	int nr = c->device_gone ? -1 : ibv_poll_cq(c->cq, n < BATCH ? n : BATCH, got);

	if (nr < 0) {		/* no device, no completions: ours */
		die(c);
		c->device_gone = true;
		for (nr = 0; nr < n && c->taken < c->posted; nr++)
			wc[nr] = (struct fabric_wc){ .ctx = c->ctx[c->taken++ % c->depth],
						     .status = -ECONNRESET };
		return nr;
	}
	for (int i = 0; i < nr; i++) {
		wc[i] = (struct fabric_wc){ .ctx = c->ctx[c->taken++ % c->depth],
					    .status = status_of(got[i].status) };
		if (wc[i].status)
			die(c);
	}
	return nr;
}

/* The connection manager's news; all of it is bad. */
static void take_cm_events(struct verbs_client *c)
{
	struct rdma_cm_event *event;

	while (!rdma_get_cm_event(c->channel, &event)) {
		enum rdma_cm_event_type type = event->event;

		rdma_ack_cm_event(event);
		if (type == RDMA_CM_EVENT_DEVICE_REMOVAL)
			c->device_gone = true;
		if (type == RDMA_CM_EVENT_DEVICE_REMOVAL || type == RDMA_CM_EVENT_DISCONNECTED)
			die(c);
	}
}

static void sleep_until_news(struct verbs_client *c, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = c->completions->fd, .events = POLLIN },
				 { .fd = c->channel->fd, .events = POLLIN } };
	struct ibv_cq *cq;
	void *ignored;

	poll(fds, 2, timeout_ms);
	if (fds[0].revents)
		while (!ibv_get_cq_event(c->completions, &cq, &ignored)) {
			ibv_ack_cq_events(cq, 1);
			c->armed = false;
		}
	if (fds[1].revents)
		take_cm_events(c);
}

int verbs_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms)
{
	struct verbs_client *c = (struct verbs_client *)conn;
	uint64_t start = timeout_ms > 0 ? verbs_now_ms() : 0;
	int left, nr;

	for (;;) {
		nr = take(c, wc, n);
		if (nr)
			return nr;
		if (c->dead && c->taken == c->posted)
			return -ECONNRESET;
		left = verbs_left_ms(timeout_ms, start);
		if (!c->armed && left) {
			/* What comes after this wakes us; what came before is seen first. */
			if (ibv_req_notify_cq(c->cq, 0))
				die(c);
			c->armed = true;
			continue;
		}
		if (!left) {
			take_cm_events(c);
			return c->dead && c->taken == c->posted ? -ECONNRESET : 0;
		}
		sleep_until_news(c, left);
	}
}
