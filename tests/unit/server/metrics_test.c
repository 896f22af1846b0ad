// SPDX-License-Identifier: BSD-3-Clause
/* Counters, buckets, and the text that Prometheus reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iopmem_rpc.h"
#include "metrics.h"
#include "status.h"

static struct metrics m;
static struct metrics_gauges g;
static char *text;

static const char *proc_name(unsigned int proc)
{
	return proc == 1 ? "EXCHANGE_ID" : proc == IOPMEM_PROC_LAYOUTGET ? "LAYOUTGET" : NULL;
}

static int up(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	g = (struct metrics_gauges){ .version = "V", .fabric = "F", .instance = "I" };
	return 0;
}

static void print(void)
{
	size_t len;
	FILE *out;

	free(text);
	out = open_memstream(&text, &len);
	metrics_print(&m, &g, proc_name, out);
	fclose(out);
}

/* @line stands there as a whole line. */
static void has(const char *line)
{
	const char *at = text;

	while ((at = strstr(at, line))) {
		if ((at == text || at[-1] == '\n') && at[strlen(line)] == '\n')
			return;
		at++;
	}
	fail_msg("no line '%s' in:\n%s", line, text);
}

static void nothing_yet(void **state)
{
	(void)state;
	print();
	has("iopmem_info{version=\"V\",fabric=\"F\",instance=\"I\"} 1");
	has("# TYPE iopmem_recalls_total counter");
	has("iopmem_recalls_total 0");
	has("# TYPE iopmem_layoutget_seconds histogram");
	has("iopmem_layoutget_seconds_bucket{le=\"+Inf\"} 0");
	has("iopmem_oldest_wait_seconds 0.000000");
	has("iopmem_calls_total{proc=\"LAYOUTGET\"} 0");
	assert_null(strstr(text, "status="));
}

static void buckets(void **state)
{
	(void)state;
	histogram_add(&m.recall, 0);
	histogram_add(&m.recall, 100);		/* a bound belongs to its bucket */
	histogram_add(&m.recall, 101);
	histogram_add(&m.recall, 30000000);
	histogram_add(&m.recall, 30000001);
	histogram_add(&m.recall, 1ULL << 62);	/* nobody waits so long, nothing breaks */
	print();
	has("iopmem_recall_seconds_bucket{le=\"0.000100\"} 2");
	has("iopmem_recall_seconds_bucket{le=\"0.000250\"} 3");
	has("iopmem_recall_seconds_bucket{le=\"10.000000\"} 3");
	has("iopmem_recall_seconds_bucket{le=\"30.000000\"} 4");
	has("iopmem_recall_seconds_bucket{le=\"+Inf\"} 6");
	has("iopmem_recall_seconds_count 6");
	has("iopmem_layoutget_seconds_count 0");
}

static void calls(void **state)
{
	(void)state;
	metrics_call(&m, IOPMEM_PROC_LAYOUTGET, IOPMEM_OK, 1500000);
	metrics_call(&m, IOPMEM_PROC_LAYOUTGET, IOPMEM_RECALLCONFLICT, 90);
	metrics_call(&m, 1, IOPMEM_OK, 7);
	metrics_call(&m, METRICS_PROCS_MAX, IOPMEM_OK, 7);	/* none such */
	metrics_call(&m, 1, 123456, 7);				/* nor such a status */
	print();
	has("iopmem_calls_total{proc=\"LAYOUTGET\"} 2");
	has("iopmem_calls_total{proc=\"EXCHANGE_ID\"} 2");
	has("iopmem_call_seconds_total{proc=\"LAYOUTGET\"} 1.500090");
	has("iopmem_replies_total{status=\"OK\"} 2");
	has("iopmem_replies_total{status=\"RECALLCONFLICT\"} 1");
	has("iopmem_layoutget_seconds_sum 1.500090");
	has("iopmem_layoutget_seconds_bucket{le=\"0.000100\"} 1");
	has("iopmem_layoutget_seconds_bucket{le=\"2.500000\"} 2");
}

static void counters_and_gauges(void **state)
{
	(void)state;
	metrics_add(&m, METRIC_FENCES);
	metrics_add(&m, METRIC_FENCES);
	g.clients = 3;
	g.bytes = UINT64_MAX;
	g.oldest_wait_ms = 61234;
	print();
	has("iopmem_fences_total 2");
	has("iopmem_clients 3");
	has("iopmem_granted_bytes 18446744073709551615");
	has("iopmem_oldest_wait_seconds 61.234000");
	free(text);
	text = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_yet, up),
		cmocka_unit_test_setup(buckets, up),
		cmocka_unit_test_setup(calls, up),
		cmocka_unit_test_setup(counters_and_gauges, up),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
