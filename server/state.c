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

void state_add(struct server *srv, struct state *st, enum state_type type,
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
}

void state_remove(struct server *srv, struct state *st)
{
	HASH_DELETE(hh, srv->states, st);
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

void open_close(struct open *o)
{
	struct client *c = o->st.client;
	struct file *f = o->file;
	struct layout *layout;
	struct open *p;

	DL_DELETE(c->opens, o);
	state_remove(c->srv, &o->st);
	free(o);
	DL_FOREACH(c->opens, p)
		if (p->file == f)
			break;
	layout = layout_find(f, c);
	if (!p && layout)
		fence_layout(layout, (struct range){ 0, UINT64_MAX }, "file closed");
	file_put(f);
}
