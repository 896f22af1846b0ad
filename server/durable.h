/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a call changed survives power loss before it is answered (RFC 1813 section 4.7's
 * synchronous operations, nfsd's commit_metadata()).
 *
 * fsync(2) of a directory carries its names; the inodes that they name too where the file
 * system writes both in one transaction (XFS, ext4, btrfs, f2fs).  What can be opened without
 * disturbing anybody, new files and directories, is synced besides.  Symbolic links and the
 * inode of a file that got another name rest on the transaction.
 */
#ifndef IOPMEM_SERVER_DURABLE_H
#define IOPMEM_SERVER_DURABLE_H

#include "base/err.h"

struct export;

/* Names in the directory @fd (O_PATH), and its own attributes.  As the server; blocks. */
int durable_dir(const struct export *exp, int fd, struct iopmem_err *err);

/* All of @exp's file system: for what has no fsync(2) or cannot be opened for it.  Blocks. */
int durable_all(const struct export *exp, struct iopmem_err *err);

#endif
