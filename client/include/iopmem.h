/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libiopmem: files in a server's device memory, written and read one-sidedly.
 *
 * A client connects, opens a file, takes a lease on a range, moves bytes while it
 * holds it, commits, gives it back.  The server may recall a lease at any time: a
 * thread of the library lets running I/O of the range drain, flushes it, returns
 * the layout together with what was written and not yet committed, and later I/O
 * on that lease gets -ESTALE until the caller leases again.
 *
 * Offsets and lengths are bytes.  Calls return 0 or a count, or -errno; those with
 * a struct iopmem_err * fill it (it may be NULL) with a text that names object,
 * operation and cause.  The library never prints, exits or aborts.
 *
 * Threads: any thread may use any object; calls on one client are serialised
 * where the connection is.  A handle must not be closed while another thread uses it.
 */
#ifndef IOPMEM_H
#define IOPMEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#ifndef IOPMEM_ERR_DEFINED
#define IOPMEM_ERR_DEFINED
/* Caller-owned, zero it before use.  Filled once; untouched on success. */
struct iopmem_err {
	int code;		/* errno, positive */
	char text[508];
};
#endif

struct iopmem_client;
struct iopmem_file;
struct iopmem_lease;
struct iopmem_buf;

/**
 * struct iopmem_connect_args - what iopmem_connect() needs
 * @size:	sizeof(struct iopmem_connect_args)
 * @owner:	NULL, or a name that identifies this client across restarts: state
 *		of an earlier run of the same owner is dropped (RFC 8881 2.4)
 * @timeout_ms:	per RPC, 0 = 30000
 * @depth:	one-sided operations in flight at most, 0 = 64
 */
struct iopmem_connect_args {
	size_t size;
	const char *owner;
	uint32_t timeout_ms;
	uint32_t depth;
};

/**
 * iopmem_connect() - connect to an export
 * @url:	iopmem://host[:port]/export (IPv6 in brackets; port default 20490)
 * @args:	NULL for defaults
 * @client:	result; iopmem_disconnect() frees it
 *
 * Errors: -EINVAL url, -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -ENOENT no such
 * export, -EPROTONOSUPPORT fabric or version, -ENOMEM.
 */
int iopmem_connect(const char *url, const struct iopmem_connect_args *args,
		   struct iopmem_client **client, struct iopmem_err *err);

/**
 * iopmem_disconnect() - return every layout, close every file, free @client
 *
 * Leases and files still open are committed and closed first.  Returns the first
 * error met on that way (the client is freed all the same).  NULL is fine.
 */
int iopmem_disconnect(struct iopmem_client *client);

/* ---- name space ---- */

#define IOPMEM_STAT_REG 1
#define IOPMEM_STAT_DIR 2
#define IOPMEM_STAT_OTHER 3

struct iopmem_stat {
	uint32_t type;		/* IOPMEM_STAT_* */
	uint32_t mode;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint64_t fileid;
	uint64_t size;		/* committed size */
	uint64_t space_used;	/* bytes */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	int64_t ctime_sec;
	uint32_t ctime_nsec;
	uint64_t change;
};

int iopmem_stat(struct iopmem_client *client, const char *path,
		struct iopmem_stat *st, struct iopmem_err *err);
int iopmem_mkdir(struct iopmem_client *client, const char *path, mode_t mode,
		 struct iopmem_err *err);
int iopmem_remove(struct iopmem_client *client, const char *path,
		  struct iopmem_err *err);

/* Returns 0 to go on, anything else stops and becomes iopmem_readdir()'s result. */
typedef int (*iopmem_dirent_fn)(const char *name, const struct iopmem_stat *st,
				void *arg);
int iopmem_readdir(struct iopmem_client *client, const char *path,
		   iopmem_dirent_fn fn, void *arg, struct iopmem_err *err);

/* ---- files ---- */

/**
 * iopmem_open() - open a file
 * @flags: O_RDONLY or O_RDWR (O_WRONLY is O_RDWR), with O_CREAT, O_EXCL, O_TRUNC
 * @mode:  permission bits with O_CREAT
 *
 * Errors: -ENOENT, -EACCES, -EEXIST, -EISDIR, -EXDEV (path leaves the export),
 * -EROFS, -ENOSPC, -EINVAL, connection errors.
 */
int iopmem_open(struct iopmem_client *client, const char *path, int flags,
		mode_t mode, struct iopmem_file **file, struct iopmem_err *err);
/*
 * Commits and returns what is left, closes.  Frees @file even on error.  A file that the
 * server has forgotten closes without error, unless something written was lost with it.
 */
int iopmem_close(struct iopmem_file *file, struct iopmem_err *err);
int iopmem_fstat(struct iopmem_file *file, struct iopmem_stat *st,
		 struct iopmem_err *err);
/* Waits for the server to recall whoever holds what changes. */
int iopmem_ftruncate(struct iopmem_file *file, uint64_t size, struct iopmem_err *err);

/* ---- buffers ---- */

/**
 * iopmem_buf_register() - make caller's memory usable for I/O
 *
 * @addr stays the caller's and must stay valid until iopmem_buf_unregister().
 * Survives reconnects of the fabric.  Errors: -ENOMEM (RLIMIT_MEMLOCK), -EINVAL.
 */
int iopmem_buf_register(struct iopmem_client *client, void *addr, size_t len,
			struct iopmem_buf **buf, struct iopmem_err *err);
void iopmem_buf_unregister(struct iopmem_buf *buf);

/* ---- leases ---- */

#define IOPMEM_LEASE_READ 1
#define IOPMEM_LEASE_RW 2

/**
 * iopmem_lease() - take a layout on [offset, offset + length)
 *
 * Waits for conflicting layouts to be recalled, at most @timeout_ms (0 = the
 * server's lease time twice).  The range is rounded out to the server's granule
 * on the wire; I/O is checked against the range asked for.  A READ lease may
 * reach past EOF; bytes there read as zero.
 * Errors: -ETIMEDOUT, -EBADF RW on a file opened read-only, -ENOSPC,
 * -EOPNOTSUPP layouts unavailable for this file, connection errors.
 */
int iopmem_lease(struct iopmem_file *file, uint64_t offset, uint64_t length,
		 int mode, uint32_t timeout_ms, struct iopmem_lease **lease,
		 struct iopmem_err *err);

/**
 * iopmem_write() - write from a registered buffer
 *
 * Pipelines, returns when all bytes are placed in the server's memory.  They are
 * not promised to survive anything before iopmem_commit().
 * Errors: -ESTALE the lease was recalled or revoked (lease again; a recall has
 * committed what completed before it), -ERANGE outside the lease or buffer, -EBADF READ lease,
 * -ECONNRESET the fabric broke.  On any error the range's content is undefined.
 */
ssize_t iopmem_write(struct iopmem_lease *lease, struct iopmem_buf *buf,
		     const void *addr, size_t len, uint64_t offset,
		     struct iopmem_err *err);
/* Reads; past EOF of the grant zeroes.  Errors as iopmem_write(). */
ssize_t iopmem_read(struct iopmem_lease *lease, struct iopmem_buf *buf, void *addr,
		    size_t len, uint64_t offset, struct iopmem_err *err);

/* What a successful commit promises (docs/guarantees.md). */
#define IOPMEM_LEVEL_VISIBLE 1		/* to every reader that leases afterwards */
#define IOPMEM_LEVEL_SERVER_DEATH 2	/* and survives the server process */
#define IOPMEM_LEVEL_POWER_LOSS 3	/* and survives power loss of the server */

/**
 * iopmem_commit() - flush and commit everything written under @lease
 *
 * Returns the level reached (IOPMEM_LEVEL_*), or -errno.  Inside EOF on durable
 * memory it is a flush without an RPC.  After -ESTALE, iopmem_lease_lost() tells
 * whether something was lost.
 */
int iopmem_commit(struct iopmem_lease *lease, struct iopmem_err *err);

struct iopmem_range {
	uint64_t offset;
	uint64_t length;
};
/**
 * iopmem_lease_lost() - ranges written under @lease that were never committed
 * because the lease was revoked or the server instance died
 *
 * Returns their number (0 = nothing lost); fills up to @n.
 */
size_t iopmem_lease_lost(struct iopmem_lease *lease, struct iopmem_range *ranges,
			 size_t n);

/* Commits what is left, returns the layout, frees @lease even on error. */
int iopmem_return(struct iopmem_lease *lease, struct iopmem_err *err);

/* ---- events ---- */

enum iopmem_client_event {
	IOPMEM_CLIENT_RECALLED = 1,	/* a recall was served: range returned */
	IOPMEM_CLIENT_REVOKED,		/* the server fenced this range */
	IOPMEM_CLIENT_EXPIRED,		/* all state is gone */
	IOPMEM_CLIENT_SERVER_RESTARTED,
};
/* Called from the library's thread; must not call into the library. */
typedef void (*iopmem_event_fn)(enum iopmem_client_event event, const char *path,
				uint64_t offset, uint64_t length, void *arg);
void iopmem_set_event_fn(struct iopmem_client *client, iopmem_event_fn fn, void *arg);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
