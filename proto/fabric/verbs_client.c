// SPDX-License-Identifier: BSD-3-Clause
/*
 * The verbs client after connecting.  Operations complete in order of posting, so only the
 * last of a batch asks for a completion: it tells of all before it.  What fails, and what is
 * flushed behind it, completes by itself, signaled or not.
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

static int status_of(enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_SUCCESS:
		return 0;
	case IBV_WC_REM_ACCESS_ERR:
	case IBV_WC_REM_INV_REQ_ERR:
		return -EACCES;
	case IBV_WC_WR_FLUSH_ERR:
	case IBV_WC_LOC_QP_OP_ERR:	/* rxe: could not send, as when the link goes down */
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

/* Rings the doorbell for what waits in the chain. */
static void start(struct verbs_client *c)
{
	struct verbs_chain *chain = c->chain;
	struct ibv_send_wr *bad = NULL;
	int ret;

	if (!chain->n)
		return;
	for (unsigned int i = 0; i + 1 < chain->n; i++)
		chain->wr[i].next = &chain->wr[i + 1];
	chain->wr[chain->n - 1].next = NULL;
	chain->wr[chain->n - 1].send_flags |= IBV_SEND_SIGNALED;
	c->signaled = c->started + chain->n;
	ret = ibv_post_send(c->id->qp, chain->wr, &bad);
	if (ret) {
		/* Depth and sizes were checked: the queue pair is gone, or the device is broken. */
		c->broken = -(ret > 0 ? ret : EIO);
		c->started += (uint64_t)(bad ? bad - chain->wr : 0);
		die(c);
	} else {
		c->started += chain->n;
	}
	chain->n = 0;
}

int verbs_post(struct fabric_conn *conn, const struct fabric_wr *wr)
{
	struct verbs_client *c = (struct verbs_client *)conn;
	struct verbs_chain *chain = c->chain;
	bool fits = wr->op == FABRIC_OP_WRITE && wr->len <= c->inline_max;
	unsigned int i = chain->n;

	if (c->dead)
		return -ECONNRESET;
	if (c->posted - c->taken >= c->depth)
		return -EAGAIN;
	chain->sge[i] = (struct ibv_sge){ .addr = (uintptr_t)wr->addr, .length = wr->len,
					  .lkey = ((struct verbs_buf *)wr->buf)->mr->lkey };
	chain->wr[i] = (struct ibv_send_wr){
		.wr_id = c->posted,
		.sg_list = &chain->sge[i], .num_sge = 1,
		.opcode = wr->op == FABRIC_OP_READ ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
		.send_flags = fits ? IBV_SEND_INLINE : 0,
		.wr.rdma = { .remote_addr = wr->raddr, .rkey = wr->rkey },
	};
	c->ops[c->posted++ % c->depth] = (struct verbs_op){ .ctx = wr->ctx };
	chain->n++;
	if (!wr->more || chain->n == VERBS_CHAIN)
		start(c);
	return 0;
}

void verbs_kick(struct fabric_conn *conn)
{
	start((struct verbs_client *)conn);
}

/* Nothing completes any more: what has not is lost. */
static void give_up(struct verbs_client *c, int status)
{
	die(c);
	for (; c->done < c->posted; c->done++)
		c->ops[c->done % c->depth].status = status;
	c->started = c->posted;
	c->chain->n = 0;
}

/* A completion: of its operation, and of those before it that did not ask for one. */
static void note(struct verbs_client *c, const struct ibv_wc *wc)
{
	uint64_t n = wc->wr_id;

	if (n < c->done || n >= c->started)
		return;		/* told already */
	while (c->done < n)
		c->ops[c->done++ % c->depth].status = 0;
	c->ops[c->done++ % c->depth].status = status_of(wc->status);
	if (wc->status != IBV_WC_SUCCESS)
		die(c);
}

/* Moves completions to @wc. */
static int take(struct verbs_client *c, struct fabric_wc *wc, int n)
{
	struct ibv_wc got[BATCH];
	int nr, i;

	if (c->taken == c->done && c->done < c->posted && !c->device_gone) {
		nr = ibv_poll_cq(c->cq, BATCH, got);
		for (i = 0; i < nr; i++)
			note(c, &got[i]);
		if (nr < 0)
			c->device_gone = true;
	}
	if (c->device_gone)
		give_up(c, -ECONNRESET);
	else if (c->broken && c->done == c->started)
		give_up(c, c->broken);
	for (i = 0; i < n && c->taken < c->done; i++, c->taken++) {
		const struct verbs_op *op = &c->ops[c->taken % c->depth];

		wc[i] = (struct fabric_wc){ .ctx = op->ctx, .status = op->status };
	}
	return i;
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

/* Forgets the event that woke us: the next completion needs to be asked for. */
static void take_cq_events(struct verbs_client *c)
{
	struct ibv_cq *cq;
	void *ignored;

	while (!ibv_get_cq_event(c->completions, &cq, &ignored)) {
		ibv_ack_cq_events(cq, 1);
		c->armed = false;
	}
}

int verbs_fds(struct fabric_conn *conn, int fds[FABRIC_FDS], short events[FABRIC_FDS])
{
	struct verbs_client *c = (struct verbs_client *)conn;

	fds[0] = c->completions->fd;
	fds[1] = c->channel->fd;
	events[0] = events[1] = POLLIN;
	return 2;
}

bool verbs_arm(struct fabric_conn *conn)
{
	struct verbs_client *c = (struct verbs_client *)conn;

	take_cq_events(c);
	if (c->armed)
		return c->dead && c->taken == c->posted;
	/* What comes after this is told; what came before must be looked for. */
	if (ibv_req_notify_cq(c->cq, 0))
		c->device_gone = true;
	c->armed = true;
	return true;
}

static void sleep_until_news(struct verbs_client *c, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = c->completions->fd, .events = POLLIN },
				 { .fd = c->channel->fd, .events = POLLIN } };

	poll(fds, 2, timeout_ms);
	if (fds[1].revents)
		take_cm_events(c);
}

int verbs_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms)
{
	struct verbs_client *c = (struct verbs_client *)conn;
	uint64_t start_ms = timeout_ms > 0 ? verbs_now_ms() : 0;
	int left, nr;

	start(c);
	for (;;) {
		nr = take(c, wc, n);
		if (nr)
			return nr;
		if (c->dead && c->taken == c->posted)
			return -ECONNRESET;
		left = verbs_left_ms(timeout_ms, start_ms);
		if (left && verbs_arm(conn))
			continue;
		if (!left) {
			take_cm_events(c);
			return c->dead && c->taken == c->posted ? -ECONNRESET : 0;
		}
		sleep_until_news(c, left);
	}
}
