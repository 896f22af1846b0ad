// SPDX-License-Identifier: BSD-3-Clause
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL 0.1
#define MIB (1024.0 * 1024.0)
#define BAR 20			/* characters */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void progress_start(struct progress *p, const char *verb, int mode, uint64_t total)
{
	*p = (struct progress){
		.verb = verb, .mode = mode, .total = total,
		.bar = mode == 1 || (mode == PROGRESS_AUTO && isatty(STDERR_FILENO)),
		.start = now(),
	};
}

void progress_update(struct progress *p, uint64_t done)
{
	static const char full[] = "####################", none[] = "                    ";
	double t = now(), rate;
	int filled;

	if (!p->bar || t - p->shown < INTERVAL)
		return;
	p->shown = t;
	rate = t > p->start ? (double)done / (t - p->start) : 0;
	filled = p->total && done <= p->total ? (int)(BAR * done / p->total) : 0;
	if (p->total && done <= p->total)
		fprintf(stderr, "\r%s [%.*s%.*s] %3.0f %%  %.1f / %.1f MiB  %.1f MiB/s  ETA %.0f s \033[K",
			p->verb, filled, full, BAR - filled, none,
			100.0 * (double)done / (double)p->total, (double)done / MIB,
			(double)p->total / MIB, rate / MIB,
			rate > 0 ? (double)(p->total - done) / rate : 0);
	else
		fprintf(stderr, "\r%s %.1f MiB  %.1f MiB/s \033[K", p->verb, (double)done / MIB,
			rate / MIB);
	fflush(stderr);
}

void progress_abort(struct progress *p)
{
	if (p->bar)
		fputs("\r\033[K", stderr);
}

double progress_finish(struct progress *p, uint64_t done)
{
	double seconds = now() - p->start;

	progress_abort(p);
	if (p->mode)
		fprintf(stderr, "%s: %llu bytes, %.2f s, %.1f MB/s\n", p->verb,
			(unsigned long long)done, seconds,
			seconds > 0 ? (double)done / seconds / 1e6 : 0);
	return seconds;
}
