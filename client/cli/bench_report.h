/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers of a benchmark: lines, JSON, plots. */
#ifndef CLIENT_CLI_BENCH_REPORT_H
#define CLIENT_CLI_BENCH_REPORT_H

#include "bench.h"

struct bench_entry {
	struct bench_case bench;
	struct bench_result result;
};

struct bench_report {
	const struct bench_options *o;
	struct bench_entry *entry;
	size_t n;
};

/* A new one, empty; NULL: no memory.  Earlier ones may move. */
struct bench_entry *bench_report_add(struct bench_report *r);
void bench_report_line(const struct bench_report *r, const struct bench_entry *e);
void bench_report_json(const struct bench_report *r);
/* bench.json, bandwidth.svg and latency.svg (and .png) in @dir. */
int bench_report_write(const struct bench_report *r, const char *dir, struct iopmem_err *err);
void bench_report_fini(struct bench_report *r);

const char *bench_op_name(enum bench_op op);

#endif
