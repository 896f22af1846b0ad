// SPDX-License-Identifier: BSD-3-Clause
#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "call.h"
#include "client.h"
#include "conn.h"
#include "export.h"
#include "file.h"

static void count_waits(const struct server *srv, struct metrics_gauges *g)
{
	const struct wait *w;

	DL_FOREACH(srv->waits.head, w)
		g->recalls_pending += !strcmp(w->type->name, "recall");
	for (w = wait_first(&srv->waits); w; w = wait_next(w))
		g->waits++;
	w = wait_first(&srv->waits);
	g->oldest_wait_ms = w ? wait_age_ms(w) : 0;
}

void report_gauges(const struct server *srv, struct metrics_gauges *g)
{
	unsigned int i;

	memset(g, 0, sizeof(*g));
	g->version = IOPMEM_VERSION;
	g->fabric = srv->fabric_info.provider;
	g->instance = srv->instance_text;
	g->uptime_ms = clock_ms() - srv->started_ms;
	g->layouts = srv->metrics.layouts;
	g->clients = HASH_COUNT(srv->clients);
	g->files = HASH_COUNT(srv->files);
	g->opens = srv->usage.opens;
	g->segments = srv->usage.segments;
	g->bytes = srv->usage.bytes;
	g->regions = srv->usage.regions;
	g->connections = conns_count();
	g->exports = srv->cfg.nr_exports;
	for (i = 0; i < srv->cfg.nr_exports; i++)
		g->quiesced += srv->exports[i].quiesce.active;
	count_waits(srv, g);
}

char *report_metrics(const struct server *srv, size_t *len)
{
	struct metrics_gauges g;
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (!out)
		return NULL;
	report_gauges(srv, &g);
	metrics_print(&srv->metrics, &g, op_name, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
