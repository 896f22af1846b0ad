// SPDX-License-Identifier: BSD-3-Clause
/* The admin commands that take layouts back: recall asks, revoke does not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "admin.h"
#include "admin_find.h"
#include "admin_wait.h"
#include "client.h"
#include "export.h"
#include "fence.h"
#include "json_put.h"
#include "layout.h"
#include "recall.h"

#define WHOLE ((struct range){ 0, UINT64_MAX })

/* ---- recall ---- */

struct recalling {
	struct admin_wait wait;
	char *file;		/* NULL: any */
	uint64_t client;	/* 0: any.  By id: it may end meanwhile */
	unsigned int recalled;
};

static bool matches(const struct recalling *r, const struct layout *l)
{
	return (!r->client || l->st.client->id == r->client) &&
	       (!r->file || !strcmp(l->file->name, r->file));
}

/* What @l waits for to come back; NULL: nothing, a client may have new ones since. */
static const struct wait *wait_of(const struct layout *l)
{
	if (l->recall.active)
		return &l->recall.wait;
	/* Of one that was kept for courtesy nobody asks: all it has is being fenced. */
	return l->st.client->dying ? &l->st.client->end_wait : NULL;
}

static unsigned int recall_left(struct admin_wait *w, char *text, size_t size)
{
	struct recalling *r = (struct recalling *)w;
	const struct wait *oldest = NULL;
	struct wait_about a = { .what = "" };
	const struct client *c;
	const struct layout *l;
	unsigned int n = 0;

	for (c = w->call->srv->clients; c; c = c->hh.next) {
		DL_FOREACH(c->layouts, l) {
			const struct wait *wait = matches(r, l) ? wait_of(l) : NULL;

			if (!wait)
				continue;
			n++;
			if (!oldest || wait->since_ms < oldest->since_ms)
				oldest = wait;
		}
	}
	if (!oldest)
		return 0;
	oldest->type->about(oldest, &a);
	snprintf(text, size, "waiting %llu.%llu s for %s", 
		 (unsigned long long)wait_age_ms(oldest) / 1000,
		 (unsigned long long)wait_age_ms(oldest) / 100 % 10, a.what);
	return n;
}

static void recall_end(struct admin_wait *w, int rc, struct json_object *result)
{
	struct recalling *r = (struct recalling *)w;

	if (!rc)
		put_number(result, "recalled", r->recalled);
	free(r->file);
}

static void recall_all(struct recalling *r, struct server *srv)
{
	struct client *c, *tmp;
	struct layout *l, *next;

	HASH_ITER(hh, srv->clients, c, tmp) {
		DL_FOREACH_SAFE(c->layouts, l, next) {
			if (!matches(r, l) || !l->segs)
				continue;
			r->recalled++;
			recall_start(l, NULL, WHOLE, "asked for by the administrator");
		}
	}
}

/* {"command": "recall", "file": NAME | "client": ID | "all": true, "wait": false, "timeout_ms": N} */
void admin_recall(struct admin_call *call)
{
	const char *file = admin_text(call, "file"), *who = admin_text(call, "client");
	const struct client *c = who ? admin_find_client(call->srv, who) : NULL;
	struct json_object *wanted;
	struct recalling *r;

	if (!file && !who && !admin_flag(call, "all"))
		return admin_error(call, EINVAL, "recall: neither \"file\" nor \"client\" nor \"all\"");
	if (who && !c)
		return admin_error(call, ENOENT, "there is no client '%.64s'", who);
	r = calloc(1, sizeof(*r));
	if (r && file) {
		r->file = strdup(file);
		if (!r->file) {		/* it would be everybody's */
			free(r);
			r = NULL;
		}
	}
	if (!r)
		return admin_error(call, ENOMEM, "recall: out of memory");
	r->client = c ? c->id : 0;
	r->wait.left = recall_left;
	r->wait.end = recall_end;
	recall_all(r, call->srv);
	if (json_object_object_get_ex(call->request, "wait", &wanted) &&
	    !json_object_get_boolean(wanted)) {
		struct json_object *o = json_object_new_object();

		recall_end(&r->wait, 0, o);
		free(r);
		return admin_reply(call, o);
	}
	admin_wait_start(&r->wait, call);
}

/* ---- revoke ---- */

struct revoking {
	struct admin_wait wait;
	uint64_t client;	/* 0: a layout */
	uint8_t layout[12];	/* its stateid */
	char name[256];
};

/* The id of a layout that was fenced names a tombstone, or nothing. */
static unsigned int revoke_left(struct admin_wait *w, char *text, size_t size)
{
	struct revoking *r = (struct revoking *)w;
	struct server *srv = w->call->srv;
	const struct state *st;

	snprintf(text, size, "waiting for the end of %s", r->name);
	if (r->client)
		return client_find(srv, r->client) != NULL;
	HASH_FIND(hh, srv->states, r->layout, sizeof(r->layout), st);
	return st && st->type == STATE_LAYOUT;
}

static void revoke_end(struct admin_wait *w, int rc, struct json_object *result)
{
	if (!rc)
		put_text(result, "revoked", ((struct revoking *)w)->name);
}

static void revoke_client(struct revoking *r, struct client *c)
{
	r->client = c->id;
	snprintf(r->name, sizeof(r->name), "client %s", c->name);
	if (!c->dying)
		client_destroy(c, "revoked by the administrator", NULL);
}

static bool being_granted(const struct layout *l)
{
	const struct segment *seg;

	DL_FOREACH2(l->segs, seg, own_next)
		if (seg->state == SEGMENT_GRANTING)
			return true;
	return false;
}

static void revoke_layout(struct revoking *r, struct layout *l)
{
	memcpy(r->layout, l->st.other, sizeof(r->layout));
	snprintf(r->name, sizeof(r->name), "the layout of client %s on '%.128s'",
		 l->st.client->name, l->file->name);
	fence_layout(l, WHOLE, "revoked by the administrator");
	/* What is not there yet cannot be fenced: a recall overtakes it. */
	if (being_granted(l))
		recall_start(l, NULL, WHOLE, "revoked by the administrator");
}

/* {"command": "revoke", "client": ID | "layout": ID, "timeout_ms": N} */
void admin_revoke(struct admin_call *call)
{
	const char *who = admin_text(call, "client"), *what = admin_text(call, "layout");
	struct client *c = who ? admin_find_client(call->srv, who) : NULL;
	struct layout *l = what ? admin_find_layout(call->srv, what) : NULL;
	struct revoking *r;

	if (!who && !what)
		return admin_error(call, EINVAL, "revoke: neither \"client\" nor \"layout\"");
	if (who && what)
		return admin_error(call, EINVAL, "revoke: \"client\" and \"layout\", one of both");
	if (who && !c)
		return admin_error(call, ENOENT, "there is no client '%.64s'", who);
	if (what && !l)
		return admin_error(call, ENOENT, "there is no layout '%.64s'", what);
	r = calloc(1, sizeof(*r));
	if (!r)
		return admin_error(call, ENOMEM, "revoke: out of memory");
	r->wait.left = revoke_left;
	r->wait.end = revoke_end;
	if (c)
		revoke_client(r, c);
	else
		revoke_layout(r, l);
	admin_wait_start(&r->wait, call);
}
