/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of the server in numbers.  Loop thread only. */
#ifndef IOPMEM_SERVER_REPORT_H
#define IOPMEM_SERVER_REPORT_H

#include <stddef.h>

#include "metrics.h"
#include "server.h"

/* The texts in @g live as long as @srv. */
void report_gauges(const struct server *srv, struct metrics_gauges *g);

/* The text for Prometheus, malloc()ed; NULL: no memory. */
char *report_metrics(const struct server *srv, size_t *len);

#endif
