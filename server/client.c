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
#include "known.h"
#include "quiesce.h"
#include "state.h"

#define client_log(c, ...) \
	log_write_about(LOG_LEVEL_INFO, &(struct log_about){ .client = (c)->name }, __VA_ARGS__)

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

/* ---- the lease ---- */

#define EXPIRED_MAX 1024	/* ids that are remembered; the oldest then is only unknown */

struct expired {
	uint64_t id;
	uid_t uid;
	struct expired *prev, *next;
};

static void remember_expired(const struct client *c)
{
	struct server *srv = c->srv;
	struct expired *e = calloc(1, sizeof(*e));

	if (!e)
		return;		/* it hears STALE_CLIENTID instead of EXPIRED */
	e->id = c->id;
	e->uid = c->uid;
	DL_APPEND(srv->expired, e);
	if (srv->nr_expired++ < EXPIRED_MAX)
		return;
	e = srv->expired;
	DL_DELETE(srv->expired, e);
	srv->nr_expired--;
	free(e);
}

bool client_expired(const struct server *srv, uint64_t id, uid_t uid)
{
	const struct expired *e;

	DL_FOREACH(srv->expired, e)
		if (e->id == id && e->uid == uid)
			return true;
	return false;
}

static void expire(struct client *c, const char *why)
{
	metrics_add(&c->srv->metrics, METRIC_LEASES_EXPIRED);
	remember_expired(c);
	client_destroy(c, why, NULL);
}

bool client_courtesy_over(struct client *c)
{
	if (c->dying)
		return c->courtesy;
	if (!c->courtesy)
		return false;
	expire(c, "its lease expired, and somebody wants what it holds");
	return true;
}

static bool under_recall(const struct client *c)
{
	const struct layout *l;

	DL_FOREACH(c->layouts, l)
		if (l->recall.active)
			return true;
	return false;
}

/* RFC 8881 section 8.4.2.1: its state may stay until somebody conflicts with it. */
static void lease_over(struct client *c)
{
	uint64_t kept = c->courtesy ? clock_ms() - c->courtesy_ms : 0;

	if (!c->srv->cfg.courtesy_ms || (!c->layouts && !c->opens))
		return expire(c, "lease expired");
	if (kept >= c->srv->cfg.courtesy_ms)
		return expire(c, "its lease expired, and it did not come back");
	if (under_recall(c))
		return expire(c, "its lease expired during a recall");
	if (!c->courtesy) {
		c->courtesy = true;
		c->courtesy_ms = clock_ms();
		log_info("client %s: lease expired, kept until somebody conflicts", c->name);
	}
	timer_arm(c->srv->loop, &c->lease_timer, c->srv->cfg.courtesy_ms - kept);
}

/* RFC 8881 section 8.3. */
static void lease_check(struct timer *t)
{
	struct client *c = container_of(t, struct client, lease_timer);
	uint64_t due = c->renewed_ms + c->lease_ms, now = clock_ms();

	/* A call in progress holds the lease, a parked EVENT_WAIT says nothing. */
	if (c->calls > (c->events.waiting ? 1u : 0u) || quiesce_any(c->srv))
		timer_arm(c->srv->loop, t, c->lease_ms);
	else if (now < due)
		timer_arm(c->srv->loop, t, due - now);
	else
		lease_over(c);
}

void client_renew(struct client *c)
{
	c->renewed_ms = clock_ms();
	if (!c->courtesy || c->dying)
		return;
	c->courtesy = false;
	log_info("client %s: came back, nobody has conflicted", c->name);
	timer_arm(c->srv->loop, &c->lease_timer, c->lease_ms);
}

struct client *client_new(struct server *srv, const void *owner, uint32_t len,
			  const uint8_t verifier[8], const struct caller *who, const char *address)
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
	c->uid = who->cred.uid;
	c->flavor = who->flavor;
	strcpy(c->principal, who->principal);
	snprintf(c->address, sizeof(c->address), "%s", address);
	snprintf(c->name, sizeof(c->name), "%08x@%.30s", (unsigned int)c->id, address);
	HASH_ADD(hh, srv->clients, id, sizeof(c->id), c);
	if (!c->hh.tbl) {
		free(c);
		return NULL;
	}
	c->lease_ms = srv->cfg.lease_ms;
	client_renew(c);
	c->lease_timer.fire = lease_check;
	timer_arm(srv->loop, &c->lease_timer, c->lease_ms);
	metrics_add(&srv->metrics, METRIC_CLIENTS);
	client_log(c, "client %s: new, uid %u%s%s", c->name, c->uid,
		   *c->principal ? ", principal " : "", c->principal);
	return c;
}

bool client_is(const struct client *c, const struct caller *who)
{
	return c->uid == who->cred.uid && !strcmp(c->principal, who->principal);
}

/* ---- the end ---- */

static void about_end(const struct wait *w, struct wait_about *a)
{
	const struct client *c = container_of(w, struct client, end_wait);

	snprintf(a->what, sizeof(a->what), "client %s to end: %u call(s)%s%s", c->name, c->calls,
		 c->layouts ? ", layouts" : "", c->peer_closing ? ", its fabric connections" : "");
	a->client = c->name;
}

static const struct wait_type end_type = { "client", about_end };

static void disconnect_run(struct job *job)
{
	fabric_peer_disconnect(container_of(job, struct client, peer_job)->peer);
}

static void disconnect_done(struct job *job)
{
	struct client *c = container_of(job, struct client, peer_job);

	c->peer_closing = false;
	client_progress(c);
}

static void free_run(struct job *job)
{
	fabric_peer_free(container_of(job, struct client, peer_job)->peer);
}

static void free_done(struct job *job)
{
	struct client *c = container_of(job, struct client, peer_job);

	c->peer_closing = false;
	c->peer = NULL;
	client_progress(c);
}

static void peer_submit(struct client *c, void (*run)(struct job *job),
			void (*done)(struct job *job))
{
	c->peer_job.run = run;
	c->peer_job.done = done;
	c->peer_closing = true;
	pool_submit(c->srv->teardown_pool, &c->peer_job);
}

static void free_client(struct client *c)
{
	struct server *srv = c->srv;
	struct call *successor = c->successor;
	struct state *st, *tmp;
	int i;

	DL_FOREACH_SAFE(c->revoked, st, tmp) {	/* all that is left */
		state_remove(srv, st);
		free(st);
	}
	for (i = 0; i < CLIENT_SLOTS; i++)
		free(c->slots[i].reply);
	timer_cancel(srv->loop, &c->lease_timer);
	wait_end(&srv->waits, &c->end_wait);
	HASH_DEL(srv->clients, c);
	client_log(c, "client %s: all its state is gone", c->name);
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
	peer_submit(c, free_run, free_done);
}

void client_destroy(struct client *c, const char *why, struct call *successor)
{
	struct layout *l, *next_l;
	struct open *o, *next_o;

	c->successor = successor;
	c->dying = true;
	known_ended(c, false, c->layouts != NULL);
	wait_begin(&c->srv->waits, &c->end_wait, &end_type);
	client_log(c, "client %s: ends (%s)", c->name, why);
	c->calls++;		/* keeps it while everything below calls back */
	timer_cancel(c->srv->loop, &c->lease_timer);
	event_queue_fini(c, IOPMEM_STALE_CLIENTID);
	if (c->peer)
		peer_submit(c, disconnect_run, disconnect_done);
	DL_FOREACH_SAFE(c->layouts, l, next_l)
		fence_layout(l, (struct range){ 0, UINT64_MAX }, why);
	DL_FOREACH_SAFE(c->opens, o, next_o)
		open_close(o);
	c->calls--;
	client_progress(c);
}
