// SPDX-License-Identifier: BSD-3-Clause
/* bench: options, cases, and what is printed; bench_run.c does the work. */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bench_report.h"

enum { OPT_RANDOM = 256, OPT_VERIFY, OPT_COMMIT, OPT_MIXED, OPT_SEED };

struct bench {
	struct cli_list list;
	struct bench_options o;
	bool op[3];
	uint32_t sizes[BENCH_SIZES_MAX];
	unsigned int nr_sizes;
	bool mixed, json;
	const char *out;
};

static const char *const op_names[] = { "write", "read", "rw" };

const char *bench_op_name(enum bench_op op)
{
	return op_names[op];
}

static void parse_sizes(struct bench *b, char *arg, struct argp_state *state)
{
	char *save = NULL, *word;
	uint64_t n;

	b->nr_sizes = 0;
	for (word = strtok_r(arg, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (cli_bytes(word, &n) || n < 8 || n > (1U << 30) || b->nr_sizes == BENCH_SIZES_MAX)
			argp_error(state, "--block-size: '%s': at most %d sizes from 8 to 1G", word,
				   BENCH_SIZES_MAX);
		b->sizes[b->nr_sizes++] = (uint32_t)n;
	}
	if (!b->nr_sizes)
		argp_error(state, "--block-size: no size");
}

static void parse_ops(struct bench *b, char *arg, struct argp_state *state)
{
	char *save = NULL, *word;
	int i;

	memset(b->op, 0, sizeof(b->op));
	for (word = strtok_r(arg, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < 3 && strcmp(word, op_names[i]); i++)
			;
		if (i == 3)
			argp_error(state, "--operation: '%s' is none of: write, read, rw", word);
		else
			b->op[i] = true;
	}
}

static double parse_number(const char *arg, double min, double max, const char *what,
			   struct argp_state *state)
{
	char *end;
	double v = strtod(arg, &end);

	if (*end || end == arg || !(v >= min && v <= max))
		argp_error(state, "--%s: '%s' is not a number from %g to %g", what, arg, min, max);
	return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench *b = state->input;

	switch (key) {
	case 'b': parse_sizes(b, arg, state); return 0;
	case 'o': parse_ops(b, arg, state); return 0;
	case 't': b->o.threads = (unsigned int)parse_number(arg, 1, BENCH_THREADS_MAX, "threads", state); return 0;
	case 'd': b->o.seconds = parse_number(arg, 0.01, 86400, "duration", state); return 0;
	case 's':
		if (cli_bytes(arg, &b->o.region) || b->o.region < 4096)
			argp_error(state, "--size: '%s' is no number of bytes from 4096 on", arg);
		return 0;
	case 'D': b->out = arg; return 0;
	case 'j': b->json = true; return 0;
	case OPT_RANDOM: b->o.random = true; return 0;
	case OPT_VERIFY: b->o.verify = true; return 0;
	case OPT_COMMIT: b->o.commit = true; return 0;
	case OPT_MIXED: b->mixed = true; return 0;
	case OPT_SEED: b->o.seed = (uint64_t)parse_number(arg, 0, 9e15, "seed", state); return 0;
	default: return cli_list_parse(key, &b->list, state);
	}
}

static const struct argp_option options[] = {
	{ "operation", 'o', "LIST", 0, "write, read, rw (half and half); write,read unless given", 0 },
	{ "block-size", 'b', "LIST", 0, "Sizes of an operation; 4K,64K,1M unless given", 0 },
	{ "mixed", OPT_MIXED, NULL, 0, "One case in which each operation has one of the sizes by lot", 0 },
	{ "threads", 't', "N", 0, "Clients at once, 1 unless given", 0 },
	{ "size", 's', "BYTES", 0, "Part of the file that each thread has, 16M unless given", 0 },
	{ "duration", 'd', "SECONDS", 0, "Of each case, 2 unless given", 0 },
	{ "random", OPT_RANDOM, NULL, 0, "Offsets by lot instead of one after the other", 0 },
	{ "commit", OPT_COMMIT, NULL, 0, "Each write is committed before the next", 0 },
	{ "verify", OPT_VERIFY, NULL, 0, "Compare every byte that is read, and read back what was written", 0 },
	{ "seed", OPT_SEED, "N", 0, "Of offsets and contents", 0 },
	{ "output", 'D', "DIR", 0, "Write bench.json and plots (SVG, with rsvg-convert also PNG) there", 0 },
	{ "json", 'j', NULL, 0, "Print the numbers as JSON", 0 },
	{ 0 },
};

static int run_cases(struct bench *b, struct bench_report *report, struct iopmem_err *err)
{
	unsigned int n = b->mixed ? 1 : b->nr_sizes, op, i;
	int ret = 0;

	for (op = 0; !ret && op < 3; op++) {
		for (i = 0; !ret && b->op[op] && i < n; i++) {
			struct bench_entry *e = bench_report_add(report);

			if (!e)
				return cli_error(err, ENOMEM, "memory for", "the results");
			e->bench.op = (enum bench_op)op;
			e->bench.nr_sizes = b->mixed ? b->nr_sizes : 1;
			memcpy(e->bench.sizes, b->sizes + (b->mixed ? 0 : i),
			       e->bench.nr_sizes * sizeof(e->bench.sizes[0]));
			ret = bench_run(&b->o, &e->bench, &e->result, err);
			if (!ret && !b->json)
				bench_report_line(report, e);
		}
	}
	return ret;
}

/* Every size a multiple of the smallest, or verifying has no units; and inside the region. */
static int check(const struct bench *b, struct iopmem_err *err)
{
	uint32_t smallest = UINT32_MAX;
	unsigned int i;

	for (i = 0; i < b->nr_sizes; i++)
		smallest = b->sizes[i] < smallest ? b->sizes[i] : smallest;
	for (i = 0; i < b->nr_sizes; i++) {
		err->code = EINVAL;
		if (b->sizes[i] > b->o.region) {
			snprintf(err->text, sizeof(err->text), "block size %u does not fit into --size %" PRIu64,
				 b->sizes[i], b->o.region);
			return -EINVAL;
		}
		if (b->mixed && b->sizes[i] % smallest) {
			snprintf(err->text, sizeof(err->text), "--mixed: %u is no multiple of %u",
				 b->sizes[i], smallest);
			return -EINVAL;
		}
	}
	err->code = 0;
	return 0;
}

int cmd_bench(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "URL",
		"Measure bandwidth and latency on the file URL, which is overwritten.", NULL, NULL, NULL,
	};
	struct bench b = {
		.list = { .min = 1, .max = 1 },
		.o = { .threads = 1, .region = 16U << 20, .seconds = 2, .seed = 1 },
		.op = { true, true, false },
		.sizes = { 4096, 65536, 1U << 20 }, .nr_sizes = 3,
	};
	struct bench_report report = { .o = &b.o };
	struct iopmem_err err = { 0 };
	int ret;

	cli_parse(&argp, argc, argv, &b);
	b.o.url = b.list.arg[0];
	ret = check(&b, &err);
	if (!ret && b.out && mkdir(b.out, 0777) && errno != EEXIST)
		ret = cli_error(&err, errno, "mkdir", b.out);
	if (!ret)
		ret = run_cases(&b, &report, &err);
	if (!ret && b.json)
		bench_report_json(&report);
	if (!ret && b.out)
		ret = bench_report_write(&report, b.out, &err);
	bench_report_fini(&report);
	return ret ? cli_fail("bench", b.o.url, &err) : 0;
}
