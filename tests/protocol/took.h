/* SPDX-License-Identifier: BSD-3-Clause */
/* How long calls took, in microseconds. */
#ifndef IOPMEM_TESTS_PROTOCOL_TOOK_H
#define IOPMEM_TESTS_PROTOCOL_TOOK_H

#include <stdlib.h>
#include <time.h>

static inline double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static inline int took_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the @n of @took, ascending. */
static inline void took_sort(double *took, size_t n)
{
	qsort(took, n, sizeof(took[0]), took_compare);
}

#endif
