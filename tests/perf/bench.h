/* SPDX-License-Identifier: BSD-3-Clause */
/* What the benchmarks with a server of their own share: its CPU time, and main(). */
#ifndef IOPMEM_TESTS_PERF_BENCH_H
#define IOPMEM_TESTS_PERF_BENCH_H

#include <stdio.h>
#include <unistd.h>

#include "../protocol/rig.h"

/* Microseconds of CPU that a process has used so far, in steps of a clock tick. */
static inline double cpu_us(pid_t pid)
{
	unsigned long user, sys;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				&user, &sys), 2);
	fclose(f);
	return (double)(user + sys) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* The body of main(): @fn is the benchmark, @down undoes what it leaves, even when it fails. */
static inline int bench_main(int argc, char **argv, const char *name, CMUnitTestFunction fn,
			     CMFixtureFunction down)
{
	const struct CMUnitTest tests[] = { { name, fn, NULL, down, NULL } };

	rig_main(argc, argv);
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

#endif
