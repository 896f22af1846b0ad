// SPDX-License-Identifier: BSD-3-Clause
/* The admin commands that only look. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "admin.h"
#include "admin_find.h"
#include "base/clock.h"
#include "base/log.h"
#include "client.h"
#include "export.h"
#include "json_put.h"
#include "layout.h"
#include "report.h"

/* The loop stands still while a list is made. */
#define ROWS_DEFAULT	1000
#define ROWS_MAX	5000

static const char *const levels[] = { "error", "warn", "info", "debug" };

/* A list of a reply, cut at what was asked for; what was left out is counted. */
struct rows {
	struct json_object *list;
	int64_t max;
	uint64_t more;
};

static struct rows rows_begin(const struct admin_call *call)
{
	struct rows r = { .list = json_object_new_array(),
			  .max = admin_number(call, "limit", ROWS_DEFAULT) };

	if (r.max < 1 || r.max > ROWS_MAX)
		r.max = ROWS_MAX;
	return r;
}

/* NULL: no more room. */
static struct json_object *row_add(struct rows *r)
{
	struct json_object *row;

	if ((int64_t)json_object_array_length(r->list) >= r->max) {
		r->more++;
		return NULL;
	}
	row = json_object_new_object();
	json_object_array_add(r->list, row);
	return row;
}

static void rows_reply(struct admin_call *call, struct rows *r, const char *key)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, key, r->list);
	put_number(o, "more", r->more);
	admin_reply(call, o);
}

/* ---- waits ---- */

static void add_waits(const struct server *srv, struct rows *r)
{
	const struct wait *w;

	for (w = wait_first(&srv->waits); w; w = wait_next(w)) {
		struct json_object *row = row_add(r);
		struct wait_about a = { .what = "" };

		if (!row)
			continue;
		w->type->about(w, &a);
		put_text(row, "type", w->type->name);
		put_number(row, "ms", wait_age_ms(w));
		put_text(row, "for", a.what);
		if (a.client)
			put_text(row, "client", a.client);
		if (a.file)
			put_text(row, "file", a.file);
		if (a.export)
			put_text(row, "export", a.export);
	}
}

void admin_waits(struct admin_call *call)
{
	struct rows r = rows_begin(call);

	add_waits(call->srv, &r);
	rows_reply(call, &r, "waits");
}

/* ---- status ---- */

void admin_status(struct admin_call *call)
{
	const struct server *srv = call->srv;
	struct json_object *o = json_object_new_object();
	struct rows r = rows_begin(call);
	struct metrics_gauges g;

	report_gauges(srv, &g);
	put_text(o, "version", g.version);
	put_text(o, "instance", g.instance);
	put_text(o, "state", srv->stopping ? "stopping" : "serving");
	put_number(o, "pid", (uint64_t)getpid());
	put_number(o, "uptime_ms", g.uptime_ms);
	put_text(o, "listen", srv->cfg.listen);
	put_number(o, "port", srv->port);
	put_text(o, "fabric", g.fabric);
	put_number(o, "fabric_port", srv->fabric_info.port);
	put_text(o, "fabric_why", srv->fabric_why);
	put_number(o, "lease_ms", srv->cfg.lease_ms);
	put_number(o, "recall_ms", srv->cfg.recall_ms);
	put_text(o, "log_level", levels[log_get_level()]);
	put_number(o, "exports", g.exports);
	put_number(o, "quiesced", g.quiesced);
	put_number(o, "clients", g.clients);
	put_number(o, "connections", g.connections);
	put_number(o, "max_connections", srv->cfg.max_connections);
	put_number(o, "files", g.files);
	put_number(o, "opens", g.opens);
	put_number(o, "layouts", g.layouts);
	put_number(o, "segments", g.segments);
	put_number(o, "granted_bytes", g.bytes);
	put_number(o, "memory_regions", g.regions);
	put_number(o, "recalls_pending", g.recalls_pending);
	add_waits(srv, &r);
	json_object_object_add(o, "waits", r.list);
	put_number(o, "more_waits", r.more);
	admin_reply(call, o);
}

/* ---- clients ---- */

static void owner_text(const struct client *c, char *text, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < c->owner_len && n + 5 < size; i++) {
		if (c->owner[i] > ' ' && c->owner[i] < 127 && c->owner[i] != '\\')
			text[n++] = (char)c->owner[i];
		else
			n += (size_t)snprintf(text + n, size - n, "\\x%02x", c->owner[i]);
	}
	text[n] = '\0';
}

static void add_client(struct rows *r, const struct client *c)
{
	uint64_t silent = clock_ms() - c->renewed_ms, layouts = 0;
	struct json_object *row = row_add(r);
	char id[17], owner[1100];
	const struct layout *l;

	if (!row)
		return;
	DL_FOREACH(c->layouts, l)
		layouts++;
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)c->id);
	owner_text(c, owner, sizeof(owner));
	put_text(row, "id", id);
	put_text(row, "name", c->name);
	put_text(row, "owner", owner);
	put_number(row, "uid", c->uid);
	put_text(row, "state", c->dying ? "ending" : c->courtesy ? "expired" : "active");
	put_number(row, "silent_ms", silent);
	put_number(row, "lease_ms", c->lease_ms);
	put_number(row, "calls", c->calls);
	put_number(row, "opens", c->usage.opens);
	put_number(row, "layouts", layouts);
	put_number(row, "segments", c->usage.segments);
	put_flag(row, "listens", c->events.waiting != NULL);
}

void admin_clients(struct admin_call *call)
{
	const struct client *c;
	struct rows r = rows_begin(call);

	for (c = call->srv->clients; c; c = c->hh.next)
		add_client(&r, c);
	rows_reply(call, &r, "clients");
}

/* ---- layouts: a row is a segment ---- */

static void add_segments(struct rows *r, const struct file *f, const struct client *only)
{
	static const char *const states[] = { "granting", "granted", "returning" };
	const struct segment *seg;
	char id[STATE_TEXT];

	DL_FOREACH(f->table.head, seg) {
		const struct layout *l = seg->layout;
		struct json_object *row;

		if (only && l->st.client != only)
			continue;
		row = row_add(r);
		if (!row)
			continue;
		put_text(row, "id", state_text(&l->st, id));
		put_text(row, "client", l->st.client->name);
		put_text(row, "file", f->name);
		put_number(row, "offset", seg->range.offset);
		put_number(row, "end", seg->range.end);
		put_text(row, "mode", seg->mode == BACKING_RW ? "rw" : "read");
		put_text(row, "state", states[seg->state]);
		if (l->recall.active && range_overlaps(l->recall.range, seg->range))
			put_number(row, "recalled_ms", wait_age_ms(&l->recall.wait));
	}
}

void admin_layouts(struct admin_call *call)
{
	const char *file = admin_text(call, "file"), *who = admin_text(call, "client");
	const struct client *c = who ? admin_find_client(call->srv, who) : NULL;
	const struct layout *l;
	const struct file *f;
	struct rows r;

	if (who && !c)
		return admin_error(call, ENOENT, "there is no client '%.64s'", who);
	r = rows_begin(call);
	if (c) {
		DL_FOREACH(c->layouts, l)
			if (!file || !strcmp(l->file->name, file))
				add_segments(&r, l->file, c);
	} else {
		for (f = call->srv->files; f; f = f->hh.next)
			if (!file || !strcmp(f->name, file))
				add_segments(&r, f, NULL);
	}
	rows_reply(call, &r, "layouts");
}

/* ---- exports ---- */

void admin_exports(struct admin_call *call)
{
	static const char *const squashes[] = { "root", "none", "all" };
	struct rows r = rows_begin(call);
	unsigned int i;

	for (i = 0; i < call->srv->cfg.nr_exports; i++) {
		const struct export *exp = &call->srv->exports[i];
		struct json_object *row = row_add(&r);

		if (!row)
			continue;
		put_text(row, "name", exp->cfg->name);
		put_text(row, "path", exp->cfg->path);
		put_text(row, "backing", exp->info.kind);
		put_text(row, "memory", exp->info.memory);
		put_number(row, "granule", exp->info.granule);
		put_flag(row, "durable_on_arrival", exp->info.durable);
		put_flag(row, "read_only", exp->cfg->read_only);
		put_text(row, "squash", squashes[exp->cfg->squash]);
		put_number(row, "anon_uid", exp->cfg->anon_uid);
		put_number(row, "anon_gid", exp->cfg->anon_gid);
		put_text(row, "state", !exp->quiesce.active ? "serving" :
			 exp->quiesce.reached ? "quiesced" : "quiescing");
	}
	rows_reply(call, &r, "exports");
}

/* ---- metrics, log level ---- */

void admin_metrics(struct admin_call *call)
{
	struct json_object *o;
	size_t len;
	char *text = report_metrics(call->srv, &len);

	if (!text)
		return admin_error(call, ENOMEM, "metrics: out of memory");
	o = json_object_new_object();
	put_text(o, "text", text);
	free(text);
	admin_reply(call, o);
}

void admin_log_level(struct admin_call *call)
{
	const char *level = admin_text(call, "level");
	struct json_object *o;
	size_t i;

	for (i = 0; level && i < sizeof(levels) / sizeof(levels[0]); i++)
		if (!strcmp(level, levels[i]))
			break;
	if (level && i == sizeof(levels) / sizeof(levels[0]))
		return admin_error(call, EINVAL, "log level '%.32s' is none of: error, warn, info, debug",
				   level);
	if (level) {
		log_set_level((enum log_level)i);
		call->srv->cfg.log_level = (int)i;
		log_info("log level %s", level);
	}
	o = json_object_new_object();
	put_text(o, "level", levels[log_get_level()]);
	admin_reply(call, o);
}
