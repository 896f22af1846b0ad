// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

#include "client.h"
#include "fence.h"
#include "file.h"
#include "layout.h"
#include "turn.h"

bool state_add(struct server *srv, struct state *st, enum state_type type,
	       struct client *client)
{
	struct state *other;

	do {
		while (getrandom(st->other, sizeof(st->other), 0) != sizeof(st->other))
			;
		HASH_FIND(hh, srv->states, st->other, sizeof(st->other), other);
	} while (other);
	st->seqid = 1;
	st->type = type;
	st->client = client;
	HASH_ADD(hh, srv->states, other, sizeof(st->other), st);
	return st->hh.tbl;
}

void state_remove(struct server *srv, struct state *st)
{
	if (st->hh.tbl)
		HASH_DELETE(hh, srv->states, st);
	st->hh.tbl = NULL;
}

void state_bump(struct state *st)
{
	if (++st->seqid == 0)
		st->seqid = 1;
}

void state_wire(const struct state *st, iopmem_stateid *out)
{
	out->seqid = st->seqid;
	memcpy(out->other, st->other, sizeof(st->other));
}

enum iopmem_status state_find(struct server *srv, const struct client *client,
			      const iopmem_stateid *id, struct state **st)
{
	struct state *found;
	int32_t age;

	HASH_FIND(hh, srv->states, id->other, sizeof(found->other), found);
	if (!found || found->client != client || id->seqid == 0)
		return IOPMEM_BAD_STATEID;
	if (found->type == STATE_REVOKED)
		return IOPMEM_ADMIN_REVOKED;
	age = (int32_t)(found->seqid - id->seqid);
	if (age < 0)
		return IOPMEM_BAD_STATEID;
	/* Every slot may have a reply, and every layout a recall, on its way. */
	if (age > 2 * CLIENT_SLOTS)
		return IOPMEM_OLD_STATEID;
	*st = found;
	return IOPMEM_OK;
}

enum iopmem_status state_find_open(struct server *srv, const struct client *client,
				   const iopmem_stateid *id, struct open **open)
{
	struct state *st;
	enum iopmem_status status = state_find(srv, client, id, &st);

	if (status)
		return status;
	if (st->type != STATE_OPEN)
		return IOPMEM_BAD_STATEID;
	*open = (struct open *)st;
	return IOPMEM_OK;
}

enum iopmem_status open_may(const struct open *o, uint32_t access)
{
	if (access & ~o->asked)
		return IOPMEM_OPENMODE;
	return access & ~o->access ? IOPMEM_ACCESS : IOPMEM_OK;
}

enum iopmem_status open_any_may(const struct file *f, const struct client *c, uint32_t access,
				bool *shared)
{
	enum iopmem_status status = IOPMEM_BAD_STATEID, one;
	const struct open *o;

	*shared = true;
	DL_FOREACH2(f->opens, o, file_next) {
		if (o->st.client != c)
			continue;
		*shared &= o->shared;
		one = open_may(o, access);
		if (!one || (status && status != IOPMEM_ACCESS))
			status = one;
	}
	return status;
}

bool open_any(const struct file *f, const struct client *c)
{
	const struct open *o;

	DL_FOREACH2(f->opens, o, file_next)
		if (o->st.client == c)
			return true;
	return false;
}

/* The oldest goes when there are too many: BAD_STATEID instead of ADMIN_REVOKED. */
static void bury(struct client *c, struct state *grave)
{
	struct state *old;

	HASH_ADD(hh, c->srv->states, other, sizeof(grave->other), grave);
	if (!grave->hh.tbl)
		return free(grave);
	DL_APPEND(c->revoked, grave);
	c->nr_revoked++;
	while (c->nr_revoked > c->srv->cfg.client_tombstones) {
		old = c->revoked;
		DL_DELETE(c->revoked, old);
		c->nr_revoked--;
		state_remove(c->srv, old);
		free(old);
	}
}

void state_revoke(struct server *srv, struct state *st)
{
	struct state *grave = calloc(1, sizeof(*grave));
	struct client *c = st->client;

	if (!grave)
		return;
	grave->type = STATE_REVOKED;
	grave->client = c;
	grave->seqid = st->seqid;
	memcpy(grave->other, st->other, sizeof(grave->other));
	state_remove(srv, st);
	state_add(srv, st, STATE_LAYOUT, c);
	st->seqid = 0;
	bury(c, grave);
}

struct open *open_new(struct client *c, struct file *f, uint32_t access,
		      const struct cred *cred, const struct sockaddr_storage *from)
{
	struct open *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	if (!state_add(c->srv, &o->st, STATE_OPEN, c)) {
		free(o);
		return NULL;
	}
	o->file = f;
	o->shared = access & IOPMEM_ACCESS_SHARED;
	o->asked = o->access = access & ~(uint32_t)IOPMEM_ACCESS_SHARED;
	o->cred = *cred;
	o->from = *from;
	DL_APPEND(c->opens, o);
	DL_APPEND2(f->opens, o, file_prev, file_next);
	c->usage.opens++;
	c->srv->usage.opens++;
	return o;
}

void open_close(struct open *o)
{
	struct client *c = o->st.client;
	struct file *f = o->file;
	struct layout *layout;

	DL_DELETE(c->opens, o);
	DL_DELETE2(f->opens, o, file_prev, file_next);
	c->usage.opens--;
	c->srv->usage.opens--;
	state_remove(c->srv, &o->st);
	free(o);
	if (!open_any(f, c)) {
		turn_forget(f, c);
		layout = layout_find(f, c);
		if (layout)
			fence_layout(layout, (struct range){ 0, UINT64_MAX }, "file closed");
	}
	file_put(f);
}
