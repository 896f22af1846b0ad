// SPDX-License-Identifier: BSD-3-Clause
#include "quiesce.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "call.h"
#include "client.h"
#include "export.h"
#include "file.h"
#include "layout.h"
#include "recall.h"

static bool busy(const struct file *f)
{
	return f->layouts || f->lease != FILE_LEASE_NONE || f->jobs ||
	       !layout_table_empty(&f->table);
}

static unsigned int count(const struct export *exp, const struct file **first)
{
	unsigned int n = call_count_changing(exp->srv, exp);
	const struct file *f;

	for (f = exp->srv->files; f; f = f->hh.next) {
		if (f->exp != exp || !busy(f))
			continue;
		if (!*first)
			*first = f;
		n++;
	}
	return n;
}

static void about(const struct wait *w, struct wait_about *a)
{
	const struct quiesce *q = container_of(w, struct quiesce, wait);
	const struct export *exp = container_of(q, struct export, quiesce);
	const struct file *first = NULL;
	const char *client = NULL;
	unsigned int n = count(exp, &first);

	if (first && first->layouts)
		client = first->layouts->st.client->name;
	snprintf(a->what, sizeof(a->what), "export '%s' to be quiesced: %u left%s%.100s%s%s%s",
		 exp->cfg->name, n, first ? ", as '" : "", first ? first->name : "",
		 first ? "'" : "", client ? " of client " : "", client ? client : "");
	a->export = exp->cfg->name;
	a->file = first ? first->name : NULL;
	a->client = client;
}

static const struct wait_type type = { "quiesce", about };

void quiesce_start(struct export *exp)
{
	struct quiesce *q = &exp->quiesce;
	struct server *srv = exp->srv;
	struct file *f, *tmp;

	q->active = true;
	q->reached = false;
	q->since_ms = clock_ms();
	wait_begin(&srv->waits, &q->wait, &type);
	log_info("export '%s': quiescing", exp->cfg->name);
	HASH_ITER(hh, srv->files, f, tmp)
		if (f->exp == exp)
			recall_file(f, NULL, (struct range){ 0, UINT64_MAX }, "export is quiesced");
}

unsigned int quiesce_left(struct export *exp, char *text, size_t size)
{
	struct quiesce *q = &exp->quiesce;
	struct wait_about a = { .what = "" };
	const struct file *first = NULL;
	unsigned int n = count(exp, &first);

	if (n) {
		about(&q->wait, &a);
		snprintf(text, size, "waiting %llu.%llu s for %s",
			 (unsigned long long)wait_age_ms(&q->wait) / 1000,
			 (unsigned long long)wait_age_ms(&q->wait) / 100 % 10, a.what);
		return n;
	}
	wait_end(&exp->srv->waits, &q->wait);
	if (!q->reached)
		log_info("export '%s': quiesced after %llu ms", exp->cfg->name,
			 (unsigned long long)(clock_ms() - q->since_ms));
	q->reached = true;
	return 0;
}

void quiesce_end(struct export *exp)
{
	struct server *srv = exp->srv;
	struct client *c;

	exp->quiesce.active = false;
	wait_end(&srv->waits, &exp->quiesce.wait);
	log_info("export '%s': resumed after %llu ms", exp->cfg->name,
		 (unsigned long long)(clock_ms() - exp->quiesce.since_ms));
	for (c = srv->clients; c; c = c->hh.next)
		if (!c->courtesy)
			client_renew(c);
}

bool quiesce_any(const struct server *srv)
{
	unsigned int i;

	for (i = 0; i < srv->cfg.nr_exports; i++)
		if (srv->exports[i].quiesce.active)
			return true;
	return false;
}

bool quiesce_delays(struct call *call, const struct export *exp)
{
	if (!exp->quiesce.active)
		return false;
	call_status(call, IOPMEM_DELAY);
	return true;
}
