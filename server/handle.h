/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File handles (RFC 8881 section 4): the file system's own handle of an inode with the
 * export it belongs to, authenticated by a key in the state directory.  They survive
 * renames and the server; nobody but the server makes one.
 */
#ifndef IOPMEM_SERVER_HANDLE_H
#define IOPMEM_SERVER_HANDLE_H

#include "base/err.h"
#include "iopmem_rpc.h"
#include "status.h"

#define HANDLE_KEY_BYTES 32

struct export;
struct server;

struct handle {
	uint32_t len;			/* 0: there is none */
	uint8_t bytes[IOPMEM_HANDLE_MAX];
};

/* The key of @state_dir, made when there is none.  Blocks. */
int handle_key_load(const char *state_dir, uint8_t key[HANDLE_KEY_BYTES], struct iopmem_err *err);

/* Sets @exp's mount_fd, handles and whole_fs: the file system has handles and we may use them. */
void handle_export_open(struct export *exp);
void handle_export_close(struct export *exp);

/* Of the file behind @path_fd.  Blocks. */
void handle_make(const struct export *exp, int path_fd, struct handle *h);

/*
 * Whose it is.  BADHANDLE: not one of ours; STALE: the export is gone; NOTSUPP: the server
 * may not open by handle now.  Does not block.
 */
enum iopmem_status handle_check(struct server *srv, const iopmem_handle *h, struct export **exp);

/*
 * Opens what a checked handle names, O_PATH, with the server's rights.  -ESTALE: deleted, or
 * not in the export any more.  @path (of @size): where it is, for messages.  Blocks.
 */
int handle_open(const struct export *exp, const iopmem_handle *h, int *fd, char *path, size_t size,
		struct iopmem_err *err);

#endif
