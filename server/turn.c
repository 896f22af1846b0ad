// SPDX-License-Identifier: BSD-3-Clause
#include "turn.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "client.h"
#include "file.h"

struct turn {
	struct client *client;
	struct file *file;
	struct range range;
	enum backing_iomode mode;
	bool coop;
	uint64_t asked_ms;		/* last */
	struct turn *prev, *next;	/* file->turns, who asked first is first */
	struct turn *client_prev, *client_next;	/* client->turns */
};

static void drop(struct turn *t)
{
	DL_DELETE(t->file->turns, t);
	DL_DELETE2(t->client->turns, t, client_prev, client_next);
	t->client->nr_turns--;
	free(t);
}

static bool same(const struct turn *t, const struct claim *claim, struct range r)
{
	return t->client == claim->owner && t->mode == claim->mode &&
	       t->range.offset == r.offset && t->range.end == r.end;
}

static bool in_the_way(const struct turn *t, const struct claim *claim, struct range r)
{
	return t->client != claim->owner && range_overlaps(t->range, r) &&
	       (t->mode == BACKING_RW || claim->mode == BACKING_RW) &&
	       !(t->coop && claim->coop);
}

bool turn_blocks(struct file *f, const struct claim *claim, struct range r)
{
	uint64_t now = clock_ms();
	struct turn *t, *next;

	DL_FOREACH_SAFE(f->turns, t, next) {
		if (same(t, claim, r))
			return false;	/* those behind came later */
		if (now - t->asked_ms >= TURN_MS)
			drop(t);
		else if (in_the_way(t, claim, r))
			return true;
	}
	return false;
}

void turn_wait(struct file *f, struct client *c, const struct claim *claim, struct range r)
{
	struct turn *t;

	DL_FOREACH(f->turns, t)
		if (same(t, claim, r))
			break;
	if (!t) {
		t = c->nr_turns < TURNS_MAX ? calloc(1, sizeof(*t)) : NULL;
		if (!t)
			return;		/* it asks without a turn */
		*t = (struct turn){ .client = c, .file = f, .range = r, .mode = claim->mode,
				    .coop = claim->coop };
		DL_APPEND(f->turns, t);
		DL_APPEND2(c->turns, t, client_prev, client_next);
		c->nr_turns++;
	}
	t->asked_ms = clock_ms();
}

void turn_taken(struct file *f, struct client *c, struct range r)
{
	struct turn *t, *next;

	DL_FOREACH_SAFE2(c->turns, t, next, client_next)
		if (t->file == f && range_overlaps(t->range, r))
			drop(t);
}

void turn_forget(struct file *f, struct client *c)
{
	turn_taken(f, c, (struct range){ 0, UINT64_MAX });
}
