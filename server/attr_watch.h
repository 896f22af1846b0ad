/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notices local changes of mode, owner and ACL of open files (inotify, IN_ATTRIB), so
 * that rights.h can look again.  The change has taken effect by then: between it and
 * the recall lies the time this thread and a helper need to run.
 */
#ifndef IOPMEM_SERVER_ATTR_WATCH_H
#define IOPMEM_SERVER_ATTR_WATCH_H

#include "server.h"

/* Sets srv->attr_watch and starts its thread. */
int attr_watch_open(struct server *srv, struct iopmem_err *err);
/* Assumes: no file is open.  NULL is fine. */
void attr_watch_close(struct attr_watch *w);

/*
 * Helper threads: the watch of @fd's inode, or 0 (logged with @name: the file is then
 * served without; so it is where @w is NULL).  attr_watch_del() of 0 is fine.
 */
int attr_watch_add(struct attr_watch *w, int fd, const char *name);
void attr_watch_del(struct attr_watch *w, int watch);

#endif
