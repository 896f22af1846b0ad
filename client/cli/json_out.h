/* SPDX-License-Identifier: BSD-3-Clause */
/* What --json prints: one object or array on standard output. */
#ifndef CLIENT_CLI_JSON_OUT_H
#define CLIENT_CLI_JSON_OUT_H

#include <json-c/json.h>

#include "transfer.h"

/* A new object: name, type, size, mode and the rest. */
struct json_object *json_stat(const char *name, const struct iopmem_stat *st);
void json_transfer(const struct transfer *t, const char *from, const char *to,
		   const struct flow_result *r, double seconds);
/* Prints @o on a line of its own, and frees it. */
void json_print(struct json_object *o);

/* "file", "directory", "symbolic link", ... */
const char *stat_type(const struct iopmem_stat *st);

#endif
