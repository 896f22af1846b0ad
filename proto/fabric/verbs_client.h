/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the verbs client: verbs_connect.c makes it, verbs_client.c uses it. */
#ifndef IOPMEM_FABRIC_VERBS_CLIENT_H
#define IOPMEM_FABRIC_VERBS_CLIENT_H

#include "fabric/verbs.h"

struct verbs_client {
	struct fabric_conn base;
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	struct ibv_pd *pd;
	struct ibv_comp_channel *completions;
	struct ibv_cq *cq;
	bool armed;		/* the next completion raises an event */
	bool dead;
	bool device_gone;	/* nothing completes any more */
	int broken;		/* not 0: why the last batch could not be started */
	uint32_t depth;
	uint32_t inline_max;	/* bytes that go into the work request itself */
	/* Counters only grow: taken <= done <= started <= posted. */
	uint64_t taken, done, started, posted;
	uint64_t signaled;	/* the last operation that asked for a completion, + 1 */
	struct verbs_op *ops;	/* operation n at n % depth */
	struct verbs_chain *chain;	/* those not started yet, as work requests */
};

struct verbs_op {
	void *ctx;
	int status;
};

#define VERBS_CHAIN 32		/* work requests behind one doorbell */
struct verbs_chain {
	unsigned int n;
	struct ibv_send_wr wr[VERBS_CHAIN];
	struct ibv_sge sge[VERBS_CHAIN];
};

uint64_t verbs_now_ms(void);
/* What is left of @timeout_ms (-1 = for ever) that began at @start. */
int verbs_left_ms(int timeout_ms, uint64_t start);

#endif
