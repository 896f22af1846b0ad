/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mount: an export, or a directory in it, as a file system of the kernel's FUSE.  Bytes go
 * by iopmem_pread() and iopmem_pwrite(), which lease; everything else the server is asked.
 *
 * Locks, outermost first: mount.names (held over calls to the server), mount.lock,
 * nodes.lock.  Functions called by libfuse may run in any number of threads at once.
 */
#ifndef CLIENT_CLI_MOUNT_MOUNT_H
#define CLIENT_CLI_MOUNT_MOUNT_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cache.h"
#include "iopmem.h"
#include "node.h"

#define MOUNT_IO_MAX (1U << 20)	/* bytes of one read or write of the kernel's */

struct mount {
	struct iopmem_client *client;
	struct fuse_session *session;
	struct nodes nodes;
	double timeout;			/* seconds that the kernel may keep attributes and names */
	bool to_stderr;			/* messages go there, else to syslog */
	atomic_bool level_told;		/* that fsync() does not reach power loss */

	/* Paths hold for whoever has read it; a rename writes. */
	pthread_rwlock_t names;

	pthread_mutex_t lock;		/* the ones below */
	struct io_buf *bufs;		/* registered ones that nobody uses */
	struct cache cache;
};

/* An open file; the kernel's file handle. */
struct handle {
	struct node *node;		/* with a reference */
	struct handle *next;		/* nodes.lock */
	unsigned int refs;		/* nodes.lock */
	struct iopmem_file *file;
	bool writable, append;
};

/* mount.c */
/* @session is there before the first call of the kernel's. */
int mount_init(struct mount *m, struct iopmem_client *client, const char *prefix,
	       struct iopmem_err *err);
/* After the session: nothing is asked of the kernel any more, what is open is committed and closed. */
void mount_stop(struct mount *m);
/* After the client is disconnected. */
void mount_fini(struct mount *m);
void mount_log(const struct mount *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
struct mount *mount_of(fuse_req_t req);
struct node *mount_node(fuse_req_t req, fuse_ino_t ino);
extern const struct fuse_lowlevel_ops mount_ops;

/* attr.c */
void attr_fill(const struct iopmem_stat *from, struct stat *to);
/* Of @node, by an open handle or its path.  mount.names is read by the callee. */
int attr_get(struct mount *m, struct node *node, struct iopmem_stat *st);
/* The same for somebody who has mount.names. */
int attr_get_named(struct mount *m, struct node *node, struct iopmem_stat *st);
/* Of an open file: what was written and is not committed counts. */
int attr_of_handle(const struct handle *h, struct iopmem_stat *st);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* names.c */
/* Fills what is known of @node, which was looked up. */
void entry_fill(const struct mount *m, struct node *node, const struct iopmem_stat *st,
		struct fuse_entry_param *e);
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t from, const char *from_name, fuse_ino_t to,
	       const char *to_name, unsigned int flags);

/* dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* handle.c */
/* One of @node that is open (for writing, if @writable), with a reference, or NULL. */
struct handle *handle_find(struct mount *m, struct node *node, bool writable);
/* With the last reference it is closed: 0 or -errno. */
int handle_put(struct mount *m, struct handle *h);
/* Closes all. */
void handles_close(struct mount *m);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* data.c */
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
	      struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void data_fini(struct mount *m);

#endif
