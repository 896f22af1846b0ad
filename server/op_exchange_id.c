// SPDX-License-Identifier: BSD-3-Clause
/* EXCHANGE_ID, RFC 8881 section 18.35: who a client is, and whether it restarted. */
#include <string.h>

#include "base/log.h"
#include "call.h"
#include "client.h"
#include "known.h"

/* Room for one more: of those whose lease is over the first that is found ends. */
static bool make_room(struct call *call)
{
	struct client *c, *tmp;

	if (HASH_COUNT(call->srv->clients) < call->srv->cfg.max_clients)
		return true;
	HASH_ITER(hh, call->srv->clients, c, tmp)
		if (c->courtesy && !c->dying) {
			client_destroy(c, "its lease expired, and its place is needed", call);
			return false;
		}
	log_warn("client refused: max-clients (%u) reached", call->srv->cfg.max_clients);
	call_status(call, IOPMEM_DELAY);
	return false;
}

static void answer(struct call *call, struct client *c)
{
	iopmem_exchange_id_ok *ok = &call->res.exchange_id.iopmem_exchange_id_res_u.ok;

	client_renew(c);
	ok->clientid = c->id;
	memcpy(ok->instance, c->srv->instance, sizeof(ok->instance));
	ok->lease_ms = c->lease_ms;
	ok->slots = CLIENT_SLOTS;
	ok->previous = c->previous;
	memcpy(ok->previous_verifier, c->previous_verifier, sizeof(ok->previous_verifier));
	memcpy(ok->previous_instance, c->previous_instance, sizeof(ok->previous_instance));
	call_reply(call);
}

/* What the owner's last run left, which is over in any case. */
static void take_previous(struct client *c)
{
	static const iopmem_previous previous[] = {
		[STORE_CLIENT_ACTIVE] = IOPMEM_PREVIOUS_RESTART,
		[STORE_CLIENT_REVOKED] = IOPMEM_PREVIOUS_REVOKED,
		[STORE_CLIENT_ENDED] = IOPMEM_PREVIOUS_ENDED,
	};
	const struct store_client *last = known_find(c->srv->known, c->owner, c->owner_len, c->uid);

	if (!last)
		return;
	c->previous = previous[last->state];
	memcpy(c->previous_verifier, last->verifier, sizeof(c->previous_verifier));
	memcpy(c->previous_instance, last->instance, sizeof(c->previous_instance));
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
	if (c && !client_is(c, &call->who))
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
	if (!make_room(call))
		return;
	c = client_new(call->srv, owner, len, (const uint8_t *)args->verifier, &call->who,
		       call->peer);
	if (!c)
		return call_status(call, IOPMEM_DELAY);
	take_previous(c);
	answer(call, c);
}
