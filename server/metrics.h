/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server counts, and its printing in the text format that Prometheus reads
 * (version 0.0.4).  Counters may be added to by any thread; all else is the loop's.
 */
#ifndef IOPMEM_SERVER_METRICS_H
#define IOPMEM_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#define METRICS_PROCS_MAX	64
#define METRICS_STATUSES_MAX	80
#define METRICS_BUCKETS		17

/* Ever growing, each with its name and help in metrics.c. */
enum metric {
	METRIC_CLIENTS, METRIC_LEASES_EXPIRED, METRIC_GRANTS, METRIC_GRANTS_VOID, METRIC_RECALLS,
	METRIC_LEASE_BREAKS, METRIC_FENCES, METRIC_TEARDOWN_RETRIES, METRIC_CONNECTIONS_REFUSED,
	METRIC_PEERS_ENDED, METRIC_FABRIC_VIOLATIONS, METRIC_RELOADS, METRIC_RELOADS_REFUSED,
	METRIC_COUNT
};

struct histogram {
	uint64_t count;
	uint64_t sum_us;
	uint64_t bucket[METRICS_BUCKETS + 1];	/* the last: longer than any bound */
};

struct metrics {
	_Atomic uint64_t counter[METRIC_COUNT];
	uint64_t layouts;			/* alive */
	uint64_t calls[METRICS_PROCS_MAX];	/* answered, by procedure */
	uint64_t call_us[METRICS_PROCS_MAX];
	uint64_t replies[METRICS_STATUSES_MAX];	/* by the index in status.def */
	struct histogram layoutget;		/* from the call to its answer */
	struct histogram recall;		/* from the recall to its end */
};

/* What is counted only when somebody asks. */
struct metrics_gauges {
	const char *version, *fabric, *instance;
	uint64_t uptime_ms, clients, files, opens, layouts, segments, bytes, regions, connections,
		 exports, quiesced, recalls_pending, waits, oldest_wait_ms;
};

static inline void metrics_add(struct metrics *m, enum metric which)
{
	atomic_fetch_add_explicit(&m->counter[which], 1, memory_order_relaxed);
}

void histogram_add(struct histogram *h, uint64_t us);
/* A call of procedure @proc was answered with @status after @us; procedure 0 is not counted. */
void metrics_call(struct metrics *m, unsigned int proc, unsigned int status, uint64_t us);

/* @proc_name: of procedures that do not exist NULL. */
void metrics_print(const struct metrics *m, const struct metrics_gauges *g,
		   const char *(*proc_name)(unsigned int proc), FILE *out);

#endif
