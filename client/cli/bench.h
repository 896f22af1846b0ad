/* SPDX-License-Identifier: BSD-3-Clause */
/* iopmem bench: what one case is, what it gives, how it is drawn. */
#ifndef CLIENT_CLI_BENCH_H
#define CLIENT_CLI_BENCH_H

#include "cli.h"

#define BENCH_SIZES_MAX 16
#define BENCH_THREADS_MAX 256

/* ---- hist.c: latencies, 16 steps an octave (so within 6.25 %) ---- */

#define HIST_STEPS 16U
#define HIST_BUCKETS (64U * HIST_STEPS)

struct hist {
	uint64_t count[HIST_BUCKETS];
	uint64_t total, min_ns, max_ns;
	double sum_ns;
};

void hist_add(struct hist *h, uint64_t ns);
void hist_merge(struct hist *into, const struct hist *h);
/* The latency that @part (0 to 1) of all do not exceed: the upper end of its bucket. */
uint64_t hist_quantile(const struct hist *h, double part);
/* Upper end of a bucket. */
uint64_t hist_bucket_ns(unsigned int bucket);

/* ---- bench_run.c ---- */

enum bench_op { BENCH_WRITE, BENCH_READ, BENCH_RW };

struct bench_case {
	enum bench_op op;
	uint32_t sizes[BENCH_SIZES_MAX];	/* bytes; several: one of them by lot each time */
	unsigned int nr_sizes;
};

struct bench_options {
	const char *url;
	unsigned int threads;
	uint64_t region;		/* bytes, of each thread */
	double seconds;
	bool random, verify, commit;
	uint64_t seed;
};

struct bench_result {
	struct hist latency;
	uint64_t bytes, ops, recalls;
	uint64_t verified;		/* bytes compared */
	double seconds;
};

/* One case; -EILSEQ: bytes were not what was written. */
int bench_run(const struct bench_options *o, const struct bench_case *c,
	      struct bench_result *result, struct iopmem_err *err);

/* ---- plot.c: an SVG of lines ---- */

struct plot_series {
	char name[64];
	double *x, *y;
	size_t n;
};

struct plot {
	const char *title, *x_label, *y_label;
	const struct plot_series *series;
	size_t n;
	/* Where the horizontal axis, a logarithm, is labelled. */
	const double *tick_x;
	const char (*tick_text)[16];
	size_t nr_ticks;
};

/* Writes @dir/@name.svg, and a PNG of it where rsvg-convert is installed (*png). */
int plot_write(const struct plot *p, const char *dir, const char *name, bool *png,
	       struct iopmem_err *err);

#endif
