// SPDX-License-Identifier: BSD-3-Clause
/* EXCHANGE_ID, RFC 8881 section 18.35: who a client is, and whether it restarted. */
#include <string.h>

#include "call.h"
#include "client.h"

static void answer(struct call *call, struct client *c)
{
	iopmem_exchange_id_ok *ok = &call->res.exchange_id.iopmem_exchange_id_res_u.ok;

	client_renew(c);
	ok->clientid = c->id;
	memcpy(ok->instance, c->srv->instance, sizeof(ok->instance));
	ok->lease_ms = c->srv->cfg.lease_ms;
	ok->slots = CLIENT_SLOTS;
	call_reply(call);
}

void op_exchange_id(struct call *call)
{
	const iopmem_exchange_id_args *args = call->args;
	const void *owner = args->owner.owner_val;
	uint32_t len = args->owner.owner_len;
	struct client *c;

	if (!len)
		return call_status(call, IOPMEM_INVAL);
	if (call->srv->stopping)
		return call_status(call, IOPMEM_DELAY);
	c = client_find_owner(call->srv, owner, len);
	if (c && c->uid != call->cred.uid)
		return call_status(call, IOPMEM_CLID_INUSE);
	if (c && c->dying && c->successor)
		return call_status(call, IOPMEM_DELAY);
	if (c && c->dying) {
		c->successor = call;
		return;
	}
	if (c && !memcmp(c->verifier, args->verifier, sizeof(c->verifier)))
		return answer(call, c);
	if (c)		/* it restarted: its old state dies before its new id lives */
		return client_destroy(c, "owner came back with a new verifier", call);
	c = client_new(call->srv, owner, len, (const uint8_t *)args->verifier, call->cred.uid,
		       call->peer);
	if (!c)
		return call_status(call, IOPMEM_DELAY);
	answer(call, c);
}
