// SPDX-License-Identifier: BSD-3-Clause
/* EVENT_WAIT: takes acknowledgements, waits for recalls and revocations. */
#include "call.h"
#include "client.h"

static void lost(struct call *call)
{
	event_call_lost(call->client, call);
}

void op_event_wait(struct call *call)
{
	const iopmem_event_wait_args *args = call->args;

	/* Parked it does not hold the lease (client.c): it says nothing about now. */
	call->lost = lost;
	event_wait(call->client, call, args->acked, args->timeout_ms);
}
