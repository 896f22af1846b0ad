/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection of the admin channel: lines in, one request at a time, answers out.  All bounded. */
#ifndef IOPMEM_SERVER_ADMIN_CONN_H
#define IOPMEM_SERVER_ADMIN_CONN_H

#include "admin.h"

struct admin_conns {
	struct server *srv;
	struct admin_conn *list;
	unsigned int n;
};

/*
 * Serves @fd, which is the connection's from then on; @who is for messages.  -EUSERS: there are
 * too many, or there is no memory; -EMFILE: too many descriptors.  Then @fd is still the caller's.
 */
int admin_conn_new(struct admin_conns *all, int fd, const char *who);
/* Each is ended, and its call told that it is lost. */
void admin_conns_close(struct admin_conns *all);

/* Takes @answer over and ends the call.  The connection may be gone behind it. */
void admin_conn_answer(struct admin_call *call, struct json_object *answer);
/* A line before the answer; @line stays the caller's. */
void admin_conn_progress(struct admin_conn *c, struct json_object *line);

/* admin.c's: runs the command that the request asks for. */
void admin_start(struct admin_call *call);

#endif
