// SPDX-License-Identifier: BSD-3-Clause
#include "metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#include "iopmem_rpc.h"
#include "status.h"

static const unsigned int statuses[] = {
#define STATUS(name, number, err, text) number,
#include "status.def"
#undef STATUS
};
#define NR_STATUSES (sizeof(statuses) / sizeof(statuses[0]))
_Static_assert(NR_STATUSES <= METRICS_STATUSES_MAX, "METRICS_STATUSES_MAX is too small");

static const uint32_t bounds_us[METRICS_BUCKETS] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,
	2500000, 5000000, 10000000, 30000000,
};

static const struct { const char *name, *help; } counters[METRIC_COUNT] = {
	[METRIC_CLIENTS] = { "clients_new", "Clients that have identified themselves" },
	[METRIC_LEASES_EXPIRED] = { "leases_expired", "Clients that were silent for too long" },
	[METRIC_GRANTS] = { "grants", "Layout grants" },
	[METRIC_GRANTS_VOID] = { "grants_void", "Grants overtaken by a recall or break" },
	[METRIC_RECALLS] = { "recalls", "Layout recalls" },
	[METRIC_LEASE_BREAKS] = { "lease_breaks", "Recalls asked for by local access" },
	[METRIC_FENCES] = { "fences", "Layouts taken from their client" },
	[METRIC_TEARDOWN_RETRIES] = { "teardown_retries",
				      "Failed attempts to end a memory region or mapping" },
	[METRIC_CONNECTIONS_REFUSED] = { "connections_refused",
					 "Connections over max-connections" },
	[METRIC_PEERS_ENDED] = { "peers_ended", "Connections ended for breaking the rules" },
	[METRIC_FABRIC_VIOLATIONS] = { "fabric_violations",
				       "Accesses with a key that the client does not have" },
	[METRIC_RELOADS] = { "reloads", "Configurations taken while running" },
	[METRIC_RELOADS_REFUSED] = { "reloads_refused", "Configurations that were wrong" },
};

void histogram_add(struct histogram *h, uint64_t us)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && us > bounds_us[i])
		i++;
	h->bucket[i]++;
	h->count++;
	h->sum_us += us;
}

void metrics_call(struct metrics *m, unsigned int proc, unsigned int status, uint64_t us)
{
	size_t i = 0;

	if (!proc || proc >= METRICS_PROCS_MAX)
		return;
	m->calls[proc]++;
	m->call_us[proc] += us;
	if (proc == IOPMEM_PROC_LAYOUTGET)
		histogram_add(&m->layoutget, us);
	while (i < NR_STATUSES && statuses[i] != status)
		i++;
	if (i < NR_STATUSES)
		m->replies[i]++;
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP iopmem_%s %s.\n# TYPE iopmem_%s %s\n", name, help, name, type);
}

/* Without floating point: a locale cannot touch it. */
static void seconds(FILE *out, uint64_t us)
{
	fprintf(out, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

static void print_histogram(FILE *out, const char *name, const char *help,
			    const struct histogram *h)
{
	uint64_t below = 0;
	size_t i;

	head(out, name, "histogram", help);
	for (i = 0; i < METRICS_BUCKETS; i++) {
		below += h->bucket[i];
		fprintf(out, "iopmem_%s_bucket{le=\"%u.%06u\"} %" PRIu64 "\n", name,
			bounds_us[i] / 1000000, bounds_us[i] % 1000000, below);
	}
	fprintf(out, "iopmem_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, h->count);
	fprintf(out, "iopmem_%s_sum ", name);
	seconds(out, h->sum_us);
	fprintf(out, "iopmem_%s_count %" PRIu64 "\n", name, h->count);
}

static void print_calls(const struct metrics *m, const char *(*proc_name)(unsigned int proc),
			FILE *out)
{
	unsigned int i;

	head(out, "calls_total", "counter", "Calls answered, by procedure");
	for (i = 0; i < METRICS_PROCS_MAX; i++)
		if (proc_name(i))
			fprintf(out, "iopmem_calls_total{proc=\"%s\"} %" PRIu64 "\n", proc_name(i),
				m->calls[i]);
	head(out, "call_seconds_total", "counter", "Time from call to answer, by procedure");
	for (i = 0; i < METRICS_PROCS_MAX; i++) {
		if (!proc_name(i))
			continue;
		fprintf(out, "iopmem_call_seconds_total{proc=\"%s\"} ", proc_name(i));
		seconds(out, m->call_us[i]);
	}
	head(out, "replies_total", "counter", "Answers, by status; statuses that came up");
	for (i = 0; i < NR_STATUSES; i++)
		if (m->replies[i])
			fprintf(out, "iopmem_replies_total{status=\"%s\"} %" PRIu64 "\n",
				status_name(statuses[i]), m->replies[i]);
}

static void print_gauges(const struct metrics_gauges *g, FILE *out)
{
	const struct { const char *name, *help; uint64_t value; } gauges[] = {
		{ "clients", "Clients known", g->clients },
		{ "files", "Files open in the server", g->files },
		{ "opens", "Opens of clients", g->opens },
		{ "layouts", "Layouts out: a client and a file each", g->layouts },
		{ "segments", "Segments of layouts, those being granted included", g->segments },
		{ "granted_bytes", "Bytes of files in segments", g->bytes },
		{ "memory_regions", "Memory regions registered with the fabric", g->regions },
		{ "connections", "RPC connections", g->connections },
		{ "exports", "Exports", g->exports },
		{ "exports_quiesced", "Exports that grant nothing until they are resumed",
		  g->quiesced },
		{ "recalls_pending", "Layouts that are recalled and not back", g->recalls_pending },
		{ "waits", "Waits of more than a second", g->waits },
	};
	size_t i;

	for (i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		head(out, gauges[i].name, "gauge", gauges[i].help);
		fprintf(out, "iopmem_%s %" PRIu64 "\n", gauges[i].name, gauges[i].value);
	}
	head(out, "oldest_wait_seconds", "gauge", "Age of the oldest wait of more than a second");
	fprintf(out, "iopmem_oldest_wait_seconds ");
	seconds(out, g->oldest_wait_ms * 1000);
	head(out, "uptime_seconds", "gauge", "Since the server has started");
	fprintf(out, "iopmem_uptime_seconds ");
	seconds(out, g->uptime_ms * 1000);
}

void metrics_print(const struct metrics *m, const struct metrics_gauges *g,
		   const char *(*proc_name)(unsigned int proc), FILE *out)
{
	char name[64];
	size_t i;

	head(out, "info", "gauge", "What runs");
	fprintf(out, "iopmem_info{version=\"%s\",fabric=\"%s\",instance=\"%s\"} 1\n", g->version,
		g->fabric, g->instance);
	for (i = 0; i < METRIC_COUNT; i++) {
		snprintf(name, sizeof(name), "%s_total", counters[i].name);
		head(out, name, "counter", counters[i].help);
		fprintf(out, "iopmem_%s %" PRIu64 "\n", name, (uint64_t)m->counter[i]);
	}
	print_calls(m, proc_name, out);
	print_histogram(out, "layoutget_seconds", "LAYOUTGET from call to answer", &m->layoutget);
	print_histogram(out, "recall_seconds", "Recalls from their start to their end", &m->recall);
	print_gauges(g, out);
}
