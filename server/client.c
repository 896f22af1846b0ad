// SPDX-License-Identifier: BSD-3-Clause
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "call.h"
#include "fence.h"
#include "state.h"

struct client *client_find(struct server *srv, uint64_t id)
{
	struct client *c;

	HASH_FIND(hh, srv->clients, &id, sizeof(id), c);
	return c;
}

struct client *client_find_owner(struct server *srv, const void *owner, uint32_t len)
{
	struct client *c, *tmp;

	HASH_ITER(hh, srv->clients, c, tmp)
		if (c->owner_len == len && !memcmp(c->owner, owner, len))
			return c;
	return NULL;
}

/* The lease (RFC 8881 section 8.3): a client that is silent for all of it is gone. */
static void lease_check(struct timer *t)
{
	struct client *c = container_of(t, struct client, lease_timer);
	uint64_t due = c->renewed_ms + c->srv->cfg.lease_ms, now = clock_ms();

	/* A call in progress holds the lease, a parked EVENT_WAIT says nothing. */
	if (c->calls > (c->events.waiting ? 1u : 0u))
		timer_arm(c->srv->loop, t, c->srv->cfg.lease_ms);
	else if (now < due)
		timer_arm(c->srv->loop, t, due - now);
	else
		client_destroy(c, "lease expired", NULL);
}

void client_renew(struct client *c)
{
	c->renewed_ms = clock_ms();
}

struct client *client_new(struct server *srv, const void *owner, uint32_t len,
			  const uint8_t verifier[8], uid_t uid, const char *address)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	do {
		while (getrandom(&c->id, sizeof(c->id), 0) != sizeof(c->id))
			;
	} while (!c->id || client_find(srv, c->id));
	c->srv = srv;
	memcpy(c->owner, owner, len);
	c->owner_len = len;
	memcpy(c->verifier, verifier, sizeof(c->verifier));
	c->uid = uid;
	snprintf(c->name, sizeof(c->name), "%08x@%.30s", (unsigned int)c->id, address);
	client_renew(c);
	c->lease_timer.fire = lease_check;
	timer_arm(srv->loop, &c->lease_timer, srv->cfg.lease_ms);
	HASH_ADD(hh, srv->clients, id, sizeof(c->id), c);
	log_info("client %s: new, uid %u", c->name, uid);
	return c;
}

/* ---- the end ---- */

struct peer_job {
	struct job job;
	struct client *client;
	struct fabric_peer *peer;
};

static void disconnect_run(struct job *job)
{
	fabric_peer_disconnect(((struct peer_job *)job)->peer);
}

static void disconnect_done(struct job *job)
{
	struct client *c = ((struct peer_job *)job)->client;

	free(job);
	c->peer_closing = false;
	client_progress(c);
}

static void free_run(struct job *job)
{
	fabric_peer_free(((struct peer_job *)job)->peer);
}

static void free_done(struct job *job)
{
	struct client *c = ((struct peer_job *)job)->client;

	free(job);
	c->peer_closing = false;
	c->peer = NULL;
	client_progress(c);
}

/* False: no memory; the caller tries again later. */
static bool peer_submit(struct client *c, void (*run)(struct job *job),
			void (*done)(struct job *job))
{
	struct peer_job *pj = calloc(1, sizeof(*pj));

	if (!pj)
		return false;
	pj->job.run = run;
	pj->job.done = done;
	pj->client = c;
	pj->peer = c->peer;
	c->peer_closing = true;
	pool_submit(c->srv->teardown_pool, &pj->job);
	return true;
}

static void free_client(struct client *c)
{
	struct server *srv = c->srv;
	struct call *successor = c->successor;
	struct state *st, *tmp;
	int i;

	HASH_ITER(hh, srv->states, st, tmp) {
		if (st->client == c) {		/* tombstones are all that is left */
			state_remove(srv, st);
			free(st);
		}
	}
	for (i = 0; i < CLIENT_SLOTS; i++)
		free(c->slots[i].reply);
	timer_cancel(srv->loop, &c->lease_timer);
	HASH_DEL(srv->clients, c);
	log_info("client %s: all its state is gone", c->name);
	free(c);
	if (successor)
		successor->op->run(successor);
	server_progress(srv);
}

void client_progress(struct client *c)
{
	if (c->calls || c->layouts || c->peer_closing)
		return;
	if (!c->peer)
		return free_client(c);
	if (!peer_submit(c, free_run, free_done))
		log_error("client %s: no memory to free its protection domain", c->name);
}

void client_destroy(struct client *c, const char *why, struct call *successor)
{
	struct layout *l, *next_l;
	struct open *o, *next_o;

	c->successor = successor;
	c->dying = true;
	log_info("client %s: ends (%s)", c->name, why);
	c->calls++;		/* keeps it while everything below calls back */
	timer_cancel(c->srv->loop, &c->lease_timer);
	event_queue_fini(c, IOPMEM_STALE_CLIENTID);
	if (c->peer && !peer_submit(c, disconnect_run, disconnect_done))
		log_error("client %s: no memory to end its connections", c->name);
	DL_FOREACH_SAFE(c->layouts, l, next_l)
		fence_layout(l, (struct range){ 0, UINT64_MAX }, why);
	DL_FOREACH_SAFE(c->opens, o, next_o)
		open_close(o);
	c->calls--;
	client_progress(c);
}
