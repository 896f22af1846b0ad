/* SPDX-License-Identifier: BSD-3-Clause */
/* The admin socket in the file system, and who may use it. */
#ifndef IOPMEM_SERVER_ADMIN_SOCKET_H
#define IOPMEM_SERVER_ADMIN_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "config.h"

/* Where it is: as configured, else in /run/iopmem for the default state directory, else in that. */
void admin_socket_path(const struct config *cfg, char *path, size_t size);

#define ADMIN_NO_GROUP	((gid_t)-1)

struct admin_socket {
	int fd;
	gid_t group;
	struct sockaddr_un address;
};

/*
 * Listens there, mode 0600, or 0660 with the configured group.  A socket that nobody
 * listens on any more is replaced; one that is in use, or a file of another kind, is
 * an error.
 */
int admin_socket_listen(const struct config *cfg, struct admin_socket *s, struct iopmem_err *err);
void admin_socket_close(struct admin_socket *s);

/* Is the peer root, the user of this process, or of @group?  @who is for messages. */
bool admin_socket_allows(int fd, gid_t group, char *who, size_t size);

#endif
