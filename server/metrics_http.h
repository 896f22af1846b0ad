/* SPDX-License-Identifier: BSD-3-Clause */
/* The metrics over HTTP, for Prometheus: GET /metrics. */
#ifndef IOPMEM_SERVER_METRICS_HTTP_H
#define IOPMEM_SERVER_METRICS_HTTP_H

#include "server.h"

/* Listens where cfg.metrics_listen says; nothing when that is empty. */
int metrics_http_open(struct server *srv, struct iopmem_err *err);
void metrics_http_close(struct server *srv);

#endif
