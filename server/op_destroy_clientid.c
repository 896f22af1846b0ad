// SPDX-License-Identifier: BSD-3-Clause
/* DESTROY_CLIENTID, RFC 8881 section 18.50: the client leaves, all its state goes. */
#include "call.h"
#include "client.h"
#include "known.h"

void op_destroy_clientid(struct call *call)
{
	struct client *c = call->client;

	call_status(call, IOPMEM_OK);
	if (c->dying)
		return;
	known_ended(c, true, false);
	client_destroy(c, "client left", NULL);
}
