/* SPDX-License-Identifier: BSD-3-Clause */
/* What a peer does with names and attributes: RENAME, LINK, SYMLINK, SETATTR... */
#ifndef IOPMEM_TESTS_PROTOCOL_PEER_NAMES_H
#define IOPMEM_TESTS_PROTOCOL_PEER_NAMES_H

#include "peer.h"

u_int peer_lstat(struct peer *p, const char *path, iopmem_attr *attr);
u_int peer_rename(struct peer *p, const char *from, const char *to, u_int flags);
u_int peer_link(struct peer *p, const char *from, const char *to);
u_int peer_symlink(struct peer *p, const char *target, const char *path);
/* @target is a string of at most @size bytes with its NUL. */
u_int peer_readlink(struct peer *p, const char *path, char *target, size_t size);
u_int peer_statfs(struct peer *p, const char *export_name, iopmem_statfs *out);

iopmem_setattr_args peer_setattr_path(struct peer *p, const char *path, iopmem_setattr attr);
iopmem_setattr_args peer_setattr_open(struct peer *p, const iopmem_stateid *id,
				      iopmem_setattr attr);
/* @attr may be NULL. */
u_int peer_setattr_with(struct peer *p, const iopmem_setattr_args *args, iopmem_attr *attr);
u_int peer_chmod(struct peer *p, const char *path, u_int mode);

#endif
