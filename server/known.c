// SPDX-License-Identifier: BSD-3-Clause
#include "known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "client.h"

#define KNOWN_MAX 4096		/* of those that are gone; the oldest are forgotten */
#define RETRY_MS 1000

struct key {
	uint32_t uid;
	uint32_t len;
	uint8_t owner[STORE_OWNER_MAX];
};

struct known_entry {
	struct key key;
	struct store_client row;
	bool live;			/* a client of this process */
	bool gone;			/* out of the store as soon as that is written */
	bool dirty;			/* differs from the store */
	struct known_wait *waiters;
	UT_hash_handle hh;		/* by key; oldest first */
};

struct known {
	struct server *srv;
	struct store *store;
	struct known_entry *entries;
	int64_t seen;			/* of the last change */
	struct flush *flush;		/* being written */
	struct timer retry;
};

/* Some entries, as they were when the writing began. */
struct flush {
	struct job job;
	struct known *known;
	struct known_entry **entries;
	struct store_client *rows;
	size_t n;
	struct known_wait *waiters;
	int rc;
	struct iopmem_err err;
};

static void flush_start(struct known *k);

static struct key make_key(const void *owner, size_t len, uid_t uid)
{
	struct key key;

	memset(&key, 0, sizeof(key));
	key.uid = uid;
	key.len = (uint32_t)len;
	memcpy(key.owner, owner, len);
	return key;
}

static struct known_entry *find(const struct known *k, const struct key *key)
{
	struct known_entry *e;

	HASH_FIND(hh, k->entries, key, sizeof(*key), e);
	return e;
}

static struct known_entry *entry_new(struct known *k, const struct key *key)
{
	struct known_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->key = *key;
	HASH_ADD(hh, k->entries, key, sizeof(e->key), e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	return e;
}

static void entry_free(struct known *k, struct known_entry *e)
{
	HASH_DEL(k->entries, e);
	free(e);
}

static void changed(struct known *k, struct known_entry *e)
{
	e->row.seen = ++k->seen;
	e->row.gone = e->gone;
	e->dirty = true;
	flush_start(k);
}

/* ---- the store ---- */

static void flush_run(struct job *job)
{
	struct flush *fl = (struct flush *)job;

	fl->rc = store_clients_write(fl->known->store, fl->rows, fl->n, &fl->err);
}

static void flush_free(struct flush *fl)
{
	free(fl->entries);
	free(fl->rows);
	free(fl);
}

static void retry(struct timer *t)
{
	flush_start(container_of(t, struct known, retry));
}

static void flush_done(struct job *job)
{
	struct flush *fl = (struct flush *)job;
	struct known *k = fl->known;
	struct known_wait *w, *next;
	size_t i;

	k->flush = NULL;
	for (i = 0; i < fl->n; i++) {
		if (fl->rc)
			fl->entries[i]->dirty = true;
		else if (fl->entries[i]->gone && !fl->entries[i]->dirty)
			entry_free(k, fl->entries[i]);
	}
	if (fl->rc)
		log_error("%s", fl->err.text);
	for (w = fl->waiters; w; w = next) {
		next = w->next;
		w->done(w, fl->rc);
	}
	if (fl->rc)
		timer_arm(k->srv->loop, &k->retry, RETRY_MS);
	else
		flush_start(k);
	flush_free(fl);
}

/* What is dirty goes into @fl; false: no memory. */
static bool collect(struct known *k, struct flush *fl)
{
	struct known_entry *e, *tmp;
	struct known_wait **tail = &fl->waiters;
	size_t n = HASH_COUNT(k->entries);

	fl->entries = calloc(n, sizeof(struct known_entry *));
	fl->rows = calloc(n, sizeof(*fl->rows));
	if (!fl->entries || !fl->rows)
		return false;
	HASH_ITER(hh, k->entries, e, tmp) {
		if (!e->dirty)
			continue;
		e->dirty = false;
		fl->entries[fl->n] = e;
		fl->rows[fl->n++] = e->row;
		*tail = e->waiters;
		e->waiters = NULL;
		while (*tail)
			tail = &(*tail)->next;
	}
	return true;
}

static bool any_dirty(const struct known *k)
{
	struct known_entry *e, *tmp;

	HASH_ITER(hh, k->entries, e, tmp)
		if (e->dirty)
			return true;
	return false;
}

static void flush_start(struct known *k)
{
	struct flush *fl;

	if (k->flush || !any_dirty(k))
		return;
	fl = calloc(1, sizeof(*fl));
	if (!fl || !collect(k, fl)) {
		if (fl)
			flush_free(fl);
		return timer_arm(k->srv->loop, &k->retry, RETRY_MS);
	}
	fl->known = k;
	fl->job.run = flush_run;
	fl->job.done = flush_done;
	k->flush = fl;
	pool_submit(k->srv->fs_pool, &fl->job);
}

/* ---- clients ---- */

/* Whoever is gone for longest makes room. */
static void make_room(struct known *k)
{
	struct known_entry *e, *tmp;

	if (HASH_COUNT(k->entries) < KNOWN_MAX)
		return;
	HASH_ITER(hh, k->entries, e, tmp) {
		if (e->live || e->gone)
			continue;
		e->gone = true;
		return changed(k, e);
	}
}

const struct store_client *known_find(const struct known *k, const void *owner, size_t len,
				      uid_t uid)
{
	struct key key = make_key(owner, len, uid);
	struct known_entry *e = find(k, &key);

	return e && !e->gone ? &e->row : NULL;
}

static struct known_entry *of_client(const struct client *c)
{
	struct key key = make_key(c->owner, c->owner_len, c->uid);

	return find(c->srv->known, &key);
}

void known_add(struct client *c, struct known_wait *w)
{
	struct known *k = c->srv->known;
	struct key key = make_key(c->owner, c->owner_len, c->uid);
	struct known_entry *e = find(k, &key);

	if (!e) {
		make_room(k);
		e = entry_new(k, &key);
	}
	if (!e)
		return w->done(w, -ENOMEM);
	e->live = true;
	e->gone = false;
	e->row = (struct store_client){ .uid = c->uid, .owner_len = c->owner_len,
					.state = STORE_CLIENT_ACTIVE };
	memcpy(e->row.owner, c->owner, c->owner_len);
	memcpy(e->row.verifier, c->verifier, sizeof(e->row.verifier));
	memcpy(e->row.instance, c->srv->instance, sizeof(e->row.instance));
	c->known = true;
	w->next = e->waiters;
	e->waiters = w;
	changed(k, e);
}

void known_revoked(struct client *c)
{
	struct known_entry *e = c->known ? of_client(c) : NULL;

	if (!e || e->row.state != STORE_CLIENT_ACTIVE)
		return;
	e->row.state = STORE_CLIENT_REVOKED;
	changed(c->srv->known, e);
}

void known_ended(struct client *c, bool clean, bool out)
{
	struct known_entry *e = clean || c->known ? of_client(c) : NULL;

	if (!e)
		return;
	e->live = false;
	if (clean || (!out && e->row.state == STORE_CLIENT_ACTIVE))
		e->gone = true;
	else if (out)
		e->row.state = STORE_CLIENT_ENDED;
	changed(c->srv->known, e);
}

/* ---- start and end ---- */

static int load(struct known *k, struct iopmem_err *err)
{
	struct store_client *rows;
	size_t i, n;
	int rc = store_clients_list(k->store, KNOWN_MAX, &rows, &n, err);

	if (rc)
		return rc;
	for (i = 0; i < n && !rc; i++) {
		struct key key = make_key(rows[i].owner, rows[i].owner_len, rows[i].uid);
		struct known_entry *e = entry_new(k, &key);

		k->seen = rows[i].seen;		/* ascending */
		if (e)
			e->row = rows[i];
		else
			rc = err_set(err, ENOMEM, "clients of the last server");
	}
	if (n)
		log_info("%zu client(s) of earlier servers left something uncommitted, perhaps", n);
	free(rows);
	return rc;
}

int known_open(struct server *srv, struct iopmem_err *err)
{
	struct known *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return err_set(err, ENOMEM, "clients");
	k->srv = srv;
	k->retry.fire = retry;
	rc = store_open(srv->cfg.state_dir, &k->store, err);
	if (!rc)
		rc = load(k, err);
	if (rc) {
		known_close(k);
		return rc;
	}
	srv->known = k;
	return 0;
}

void known_close(struct known *k)
{
	struct known_entry *e, *tmp;
	struct iopmem_err err = { 0 };
	struct flush fl = { 0 };

	if (!k)
		return;
	if (k->flush)
		flush_free(k->flush);	/* written, but nobody took the result */
	if (any_dirty(k) && (!collect(k, &fl) || store_clients_write(k->store, fl.rows, fl.n, &err)))
		log_error("%s", err.code ? err.text : "no memory to write clients");
	free(fl.entries);
	free(fl.rows);
	HASH_ITER(hh, k->entries, e, tmp)
		entry_free(k, e);
	store_close(k->store);
	free(k);
}
