// SPDX-License-Identifier: BSD-3-Clause
#include "bench_report.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_OPS 3U

struct bench_entry *bench_report_add(struct bench_report *r)
{
	struct bench_entry *grown = reallocarray(r->entry, r->n + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	r->entry = grown;
	memset(&grown[r->n], 0, sizeof(*grown));
	return &grown[r->n++];
}

void bench_report_fini(struct bench_report *r)
{
	free(r->entry);
}

static void size_text(uint32_t size, char out[16])
{
	if (size % (1U << 20) == 0)
		snprintf(out, 16, "%uM", size >> 20);
	else if (size % 1024 == 0)
		snprintf(out, 16, "%uK", size >> 10);
	else
		snprintf(out, 16, "%u", size);
}

static void case_text(const struct bench_case *c, char *out, size_t room)
{
	char size[16];

	size_text(c->sizes[0], size);
	snprintf(out, room, "%s %s", bench_op_name(c->op), c->nr_sizes > 1 ? "mixed" : size);
}

static double mb_per_s(const struct bench_result *r)
{
	return r->seconds > 0 ? (double)r->bytes / r->seconds / 1e6 : 0;
}

static double quantile_us(const struct bench_result *r, double part)
{
	return (double)hist_quantile(&r->latency, part) / 1e3;
}

void bench_report_line(const struct bench_report *r, const struct bench_entry *e)
{
	char name[64];

	case_text(&e->bench, name, sizeof(name));
	printf("%-12s %u thread%s  %9.1f MB/s  %8.0f op/s  us: mean %.1f p50 %.1f p99 %.1f p99.9 %.1f max %.1f",
	       name, r->o->threads, r->o->threads > 1 ? "s" : "", mb_per_s(&e->result),
	       e->result.seconds > 0 ? (double)e->result.ops / e->result.seconds : 0,
	       e->result.ops ? e->result.latency.sum_ns / (double)e->result.ops / 1e3 : 0,
	       quantile_us(&e->result, 0.5), quantile_us(&e->result, 0.99),
	       quantile_us(&e->result, 0.999), (double)e->result.latency.max_ns / 1e3);
	if (e->result.recalls)
		printf("  %" PRIu64 " recalls", e->result.recalls);
	if (r->o->verify)
		printf("  %" PRIu64 " bytes verified", e->result.verified);
	putchar('\n');
	fflush(stdout);
}

/* ---- JSON ---- */

static void add_number(struct json_object *o, const char *key, double v)
{
	json_object_object_add(o, key, json_object_new_double(v));
}

static void add_count(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static struct json_object *histogram(const struct hist *h)
{
	struct json_object *array = json_object_new_array(), *pair;
	unsigned int i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		if (!h->count[i])
			continue;
		pair = json_object_new_array();
		json_object_array_add(pair, json_object_new_uint64(hist_bucket_ns(i)));
		json_object_array_add(pair, json_object_new_uint64(h->count[i]));
		json_object_array_add(array, pair);
	}
	return array;
}

static struct json_object *entry_json(const struct bench_entry *e)
{
	struct json_object *o = json_object_new_object(), *sizes = json_object_new_array();
	const struct bench_result *r = &e->result;
	unsigned int i;

	for (i = 0; i < e->bench.nr_sizes; i++)
		json_object_array_add(sizes, json_object_new_uint64(e->bench.sizes[i]));
	json_object_object_add(o, "operation", json_object_new_string(bench_op_name(e->bench.op)));
	json_object_object_add(o, "block_sizes", sizes);
	add_number(o, "seconds", r->seconds);
	add_count(o, "bytes", r->bytes);
	add_count(o, "operations", r->ops);
	add_count(o, "recalls", r->recalls);
	add_count(o, "verified_bytes", r->verified);
	add_number(o, "mb_per_s", mb_per_s(r));
	add_number(o, "mean_us", r->ops ? r->latency.sum_ns / (double)r->ops / 1e3 : 0);
	add_number(o, "min_us", (double)r->latency.min_ns / 1e3);
	add_number(o, "p50_us", quantile_us(r, 0.5));
	add_number(o, "p90_us", quantile_us(r, 0.9));
	add_number(o, "p99_us", quantile_us(r, 0.99));
	add_number(o, "p99_9_us", quantile_us(r, 0.999));
	add_number(o, "max_us", (double)r->latency.max_ns / 1e3);
	json_object_object_add(o, "latency_ns", histogram(&r->latency));
	return o;
}

static struct json_object *report_json(const struct bench_report *r)
{
	struct json_object *o = json_object_new_object(), *cases = json_object_new_array();
	size_t i;

	json_object_object_add(o, "url", json_object_new_string(r->o->url));
	add_count(o, "threads", r->o->threads);
	add_count(o, "bytes_per_thread", r->o->region);
	json_object_object_add(o, "random", json_object_new_boolean(r->o->random));
	json_object_object_add(o, "commit", json_object_new_boolean(r->o->commit));
	json_object_object_add(o, "verify", json_object_new_boolean(r->o->verify));
	add_count(o, "seed", r->o->seed);
	for (i = 0; i < r->n; i++)
		json_object_array_add(cases, entry_json(&r->entry[i]));
	json_object_object_add(o, "cases", cases);
	return o;
}

void bench_report_json(const struct bench_report *r)
{
	struct json_object *o = report_json(r);

	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

/* ---- plots ---- */

static int plot_bandwidth(const struct bench_report *r, const char *dir, bool *png,
			  struct iopmem_err *err)
{
	double x[NR_OPS][BENCH_SIZES_MAX], y[NR_OPS][BENCH_SIZES_MAX], tick_x[BENCH_SIZES_MAX];
	struct plot_series series[NR_OPS] = { 0 };
	char tick_text[BENCH_SIZES_MAX][16];
	struct plot p = { "Bandwidth", "bytes of an operation", "MB/s", series, NR_OPS,
			  tick_x, tick_text, 0 };
	const struct bench_case *c;
	struct plot_series *s;
	unsigned int op;
	size_t i;

	for (op = 0; op < NR_OPS; op++) {
		s = &series[op];
		snprintf(s->name, sizeof(s->name), "%s", bench_op_name((enum bench_op)op));
		s->x = x[op];
		s->y = y[op];
	}
	for (i = 0; i < r->n; i++) {
		c = &r->entry[i].bench;
		s = &series[c->op];
		s->x[s->n] = c->sizes[0];
		s->y[s->n++] = mb_per_s(&r->entry[i].result);
		if (s->n > p.nr_ticks) {
			tick_x[p.nr_ticks] = c->sizes[0];
			size_text(c->sizes[0], tick_text[p.nr_ticks++]);
		}
	}
	return plot_write(&p, dir, "bandwidth", png, err);
}

/* Part of the operations, in per cent, over the latency that they do not exceed. */
static void series_latency(const struct bench_entry *e, struct plot_series *s)
{
	uint64_t seen = 0;
	unsigned int i;

	case_text(&e->bench, s->name, sizeof(s->name));
	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += e->result.latency.count[i];
		if (!e->result.latency.count[i])
			continue;
		s->x[s->n] = (double)(hist_bucket_ns(i) + 1) / 1e3;
		s->y[s->n++] = 100.0 * (double)seen / (double)e->result.latency.total;
	}
}

static int plot_latency(const struct bench_report *r, const char *dir, bool *png,
			struct iopmem_err *err)
{
	static const double tick_x[] = { 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7 };
	static const char tick_text[][16] = { "100 ns", "1 us", "10 us", "100 us", "1 ms", "10 ms",
					      "100 ms", "1 s", "10 s" };
	struct plot_series *series = calloc(r->n, sizeof(*series));
	double *points = calloc(r->n, 2 * HIST_BUCKETS * sizeof(*points));
	struct plot p = { "Latency", "an operation takes at most", "% of operations", series, r->n,
			  tick_x, tick_text, sizeof(tick_x) / sizeof(tick_x[0]) };
	int ret = -ENOMEM;
	size_t i;

	if (!series || !points) {
		cli_error(err, ENOMEM, "memory for", "plots");
		goto out;
	}
	for (i = 0; i < r->n; i++) {
		series[i].x = points + 2 * i * HIST_BUCKETS;
		series[i].y = series[i].x + HIST_BUCKETS;
		series_latency(&r->entry[i], &series[i]);
	}
	ret = plot_write(&p, dir, "latency", png, err);
out:
	free(series);
	free(points);
	return ret;
}

int bench_report_write(const struct bench_report *r, const char *dir, struct iopmem_err *err)
{
	struct json_object *o = report_json(r);
	char path[4096];
	bool png = false;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/bench.json", dir);
	if (json_object_to_file_ext(path, o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE))
		ret = cli_error(err, errno ? errno : EIO, "write", path);
	json_object_put(o);
	if (!ret)
		ret = plot_bandwidth(r, dir, &png, err);
	if (!ret)
		ret = plot_latency(r, dir, &png, err);
	if (!ret)
		fprintf(stderr, "bench: %s has bench.json, bandwidth.svg, latency.svg%s\n", dir,
			png ? " and both as PNG" : "; for PNG install rsvg-convert (librsvg2-bin)");
	return ret;
}
