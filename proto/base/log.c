// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static void to_stderr(enum log_level level, const char *line, const struct log_about *about,
		      void *arg)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	struct timespec ts;
	struct tm tm;

	(void)about;
	(void)arg;
	clock_gettime(CLOCK_REALTIME, &ts);	/* for the reader, never for leases */
	localtime_r(&ts.tv_sec, &tm);
	fprintf(stderr, "%02d:%02d:%02d.%03ld %-5s %s\n", tm.tm_hour, tm.tm_min,
		tm.tm_sec, ts.tv_nsec / 1000000, names[level], line);
}

static log_fn sink = to_stderr;
static void *sink_arg;
static _Atomic int max_level = LOG_LEVEL_INFO;

void log_set_sink(log_fn fn, void *arg)
{
	sink = fn ? fn : to_stderr;
	sink_arg = arg;
}

void log_set_level(enum log_level level)
{
	max_level = (int)level;
}

enum log_level log_get_level(void)
{
	return (enum log_level)max_level;
}

static void put(enum log_level level, const struct log_about *about, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void put(enum log_level level, const struct log_about *about, const char *fmt, va_list ap)
{
	int saved = errno;
	char line[1024];

	if ((int)level > max_level)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	sink(level, line, about, sink_arg);
	errno = saved;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(level, NULL, fmt, ap);
	va_end(ap);
}

void log_write_about(enum log_level level, const struct log_about *about, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(level, about, fmt, ap);
	va_end(ap);
}
