// SPDX-License-Identifier: BSD-3-Clause
/* GETDEVICEINFO, RFC 8881 section 18.40: how to reach the memory, and a token. */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "client.h"
#include "export.h"
#include "known.h"

struct peer_new {
	struct job job;
	struct known_wait wait;
	struct call *call;
	struct fabric_peer *peer;
	int rc;
	struct iopmem_err err;
};

static void answer(struct call *call)
{
	const iopmem_getdeviceinfo_args *args = call->args;
	const struct export *exp = export_find(call->srv, args->export_name);
	const struct fabric_info *info = &call->srv->fabric_info;
	iopmem_deviceinfo *ok = &call->res.getdeviceinfo.iopmem_getdeviceinfo_res_u.ok;
	int rc;

	rc = fabric_peer_token(call->client->peer, (uint8_t *)ok->token);
	ok->fabric = strdup(info->provider);
	ok->address = strdup(info->address);
	if (rc || !ok->fabric || !ok->address)
		return call_status(call, IOPMEM_DELAY);
	ok->port = info->port;
	ok->io_align = info->io_align;
	ok->min_path_mtu = info->min_path_mtu;
	ok->granule = exp->info.granule;
	/* Over tcp it is this host's CPU that stores: its caches and write buffers
	 * are flushed by a commit, not by the client's read. */
	ok->durable = exp->info.durable && !strcmp(info->provider, "verbs");
	call_reply(call);
}

static void new_run(struct job *job)
{
	struct peer_new *pn = (struct peer_new *)job;

	pn->rc = fabric_peer_new(pn->call->srv->fabric, pn->call->client->id, &pn->peer, &pn->err);
}

/* The client is in the store now, so it may have layouts. */
static void recorded(struct known_wait *w, int rc)
{
	struct peer_new *pn = container_of(w, struct peer_new, wait);
	struct call *call = pn->call;
	struct client *c = call->client;

	if (rc || c->peer || c->dying)
		fabric_peer_free(pn->peer);	/* nothing in it: does not block */
	else
		c->peer = pn->peer;
	if (rc)
		call_errno(call, rc, NULL);
	else if (c->dying)
		call_status(call, IOPMEM_STALE_CLIENTID);
	else
		answer(call);
	free(pn);
}

static void new_done(struct job *job)
{
	struct peer_new *pn = (struct peer_new *)job;

	pn->wait.done = recorded;
	if (pn->rc) {
		call_errno(pn->call, pn->rc, &pn->err);
		return free(pn);
	}
	if (pn->call->client->dying)
		return recorded(&pn->wait, 0);
	known_add(pn->call->client, &pn->wait);
}

void op_getdeviceinfo(struct call *call)
{
	const iopmem_getdeviceinfo_args *args = call->args;
	enum iopmem_status status;
	struct peer_new *pn;
	struct export *exp;

	status = export_enter(call, args->export_name, &exp);
	if (status)
		return call_status(call, status);
	if (call->client->peer)
		return answer(call);
	pn = calloc(1, sizeof(*pn));
	if (!pn)
		return call_status(call, IOPMEM_DELAY);
	pn->call = call;
	pn->job.run = new_run;
	pn->job.done = new_done;
	pool_submit(call->srv->fs_pool, &pn->job);
}
