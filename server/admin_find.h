/* SPDX-License-Identifier: BSD-3-Clause */
/* What a request means by a client, a layout, an export. */
#ifndef IOPMEM_SERVER_ADMIN_FIND_H
#define IOPMEM_SERVER_ADMIN_FIND_H

#include "admin.h"

struct client;
struct export;
struct layout;
struct state;

/* An id as in "iopmemctl clients" (16 hexadecimal digits), or the name in log lines, with or without address. */
struct client *admin_find_client(struct server *srv, const char *text);
/* An id as in "iopmemctl layouts", 24 hexadecimal digits. */
struct layout *admin_find_layout(struct server *srv, const char *text);
/* The export that the request's "export" names; NULL: the error is answered. */
struct export *admin_need_export(struct admin_call *call);

#endif
