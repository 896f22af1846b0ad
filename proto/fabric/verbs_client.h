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
	uint32_t depth;
	uint64_t taken, posted;
	void **ctx;		/* of operation n at n % depth */
};

uint64_t verbs_now_ms(void);
/* What is left of @timeout_ms (-1 = for ever) that began at @start. */
int verbs_left_ms(int timeout_ms, uint64_t start);

#endif
