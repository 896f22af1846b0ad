/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libiopmem: files in a server's device memory, written and read one-sidedly.
 *
 * Two ways to use it.  iopmem_pread(), iopmem_pwrite(), iopmem_sync() lease what they
 * need, keep it for the next call and give it back when the server asks.  Or the caller
 * leases ranges itself (iopmem_lease()), moves bytes from registered buffers, commits,
 * returns.  The server may recall a lease at any time: running I/O of the range drains,
 * is flushed, and the layout goes back together with what was written and not yet
 * committed.  Later I/O on an explicit lease gets -ESTALE until the caller leases again;
 * the calls that lease by themselves wait and go on.
 *
 * Offsets and lengths are bytes.  Calls return 0 or a count, or -errno; those with
 * a struct iopmem_err * fill it (it may be NULL) with a text that names object,
 * operation and cause.  NULL for an object, a path, or a result is -EINVAL (0 or nothing
 * where a call has no error to give).  The library never prints, exits or aborts.
 *
 * Errors that any call which speaks to the server may give, not repeated below:
 * -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH (no answer in the time of the
 * connection), -EACCES (not permitted), -ESTALE (the server has forgotten the object, and
 * it could not be had again), -ENOMEM.
 *
 * Paths are relative to the export's root; iopmem://host[:port]/export/path is taken
 * too, when it names the client's own export (else -EXDEV).
 *
 * Threads: any thread may use any object at any time, several at once, unless a call says
 * otherwise.  No handle may be used while or after another thread closes or frees it.
 * The threads of the library: one for each client that waits for the server's events, up to
 * four that serve recalls, and up to four for what iopmem_submit() cannot do without waiting;
 * each is started when it is first needed, and ends with the client.  Calls block every
 * signal for themselves that they would raise (SIGPIPE).  After fork() the child must not
 * use any object.
 */
#ifndef IOPMEM_H
#define IOPMEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

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
 * @flags:	0
 * @spin_us:	microseconds to look for a completion before sleeping, 0 = none.  Sleeping
 *		costs a wake-up for each completion, spinning a CPU
 * @cache_bytes: how much the calls that lease for you keep leased, 0 = 1 GiB; what was
 *		used least recently goes back first
 */
struct iopmem_connect_args {
	size_t size;
	const char *owner;
	uint32_t timeout_ms;
	uint32_t depth;
	uint32_t flags;
	uint32_t spin_us;
	uint64_t cache_bytes;
};

/**
 * iopmem_connect() - connect to an export
 * @url:	iopmem://host[:port]/export[/path] (IPv6 in brackets; port default 20490);
 *		a path is looked at only for its form. "?sec=krb5", "krb5i" or
 *		"krb5p" behind it asks for Kerberos with the credentials of the process
 *		(KRB5CCNAME); the default is sec=sys
 * @args:	NULL for defaults
 * @client:	result; iopmem_disconnect() frees it
 *
 * Errors: -EACCES no ticket, refused by the server or its export (text says which),
 * -EINVAL url or args, -ENOENT no such export, -EPROTONOSUPPORT fabric or version.
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

/**
 * struct iopmem_info - what a client is connected to
 * @size:	sizeof(struct iopmem_info), set by the caller
 * @fabric:	"tcp" or "verbs"
 * @flush:	how a commit pushes bytes into memory: "read", a one-sided read behind them
 * @io_align:	alignment that one-sided I/O has; the library takes care of the rest
 * @granule:	leases are rounded out to it
 * @durable:	1: what is flushed inside EOF survives power loss without an RPC
 * @lease_ms:	the server ends a client that is silent for so long
 */
struct iopmem_info {
	size_t size;
	char fabric[16];
	char flush[16];
	uint32_t io_align;
	uint32_t granule;
	uint32_t durable;
	uint32_t lease_ms;
};
/* Connects the fabric when it is not.  Errors: -EINVAL. */
int iopmem_info(struct iopmem_client *client, struct iopmem_info *info, struct iopmem_err *err);

/* ---- name space ---- */

#define IOPMEM_STAT_REG 1
#define IOPMEM_STAT_DIR 2
#define IOPMEM_STAT_BLK 3
#define IOPMEM_STAT_CHR 4
#define IOPMEM_STAT_LNK 5
#define IOPMEM_STAT_SOCK 6
#define IOPMEM_STAT_FIFO 7

struct iopmem_stat {
	uint32_t type;		/* IOPMEM_STAT_* */
	uint32_t mode;		/* permission bits */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major;	/* BLK and CHR */
	uint32_t rdev_minor;
	uint64_t fileid;
	uint64_t size;		/* committed size */
	uint64_t space_used;	/* bytes */
	int64_t atime_sec;
	uint32_t atime_nsec;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	int64_t ctime_sec;
	uint32_t ctime_nsec;
	uint64_t change;	/* another value after each change */
};

/*
 * Errors of all calls on names: -ENOENT, -ENOTDIR, -EXDEV (the path leaves the export),
 * -ENAMETOOLONG, -EROFS, -EINVAL, and what the file system says.  Those that change names or
 * attributes survive power loss of the server when they return 0.
 */

/* Attributes; lstat: of a symbolic link itself. */
int iopmem_stat(struct iopmem_client *client, const char *path,
		struct iopmem_stat *st, struct iopmem_err *err);
int iopmem_lstat(struct iopmem_client *client, const char *path,
		 struct iopmem_stat *st, struct iopmem_err *err);
/* -EEXIST */
int iopmem_mkdir(struct iopmem_client *client, const char *path, mode_t mode,
		 struct iopmem_err *err);
/* A file, a symbolic link or an empty directory.  -ENOTEMPTY. */
int iopmem_remove(struct iopmem_client *client, const char *path,
		  struct iopmem_err *err);

#define IOPMEM_RENAME_NOREPLACE 1	/* -EEXIST when @to is there */
#define IOPMEM_RENAME_EXCHANGE 2	/* each gets the other's name */
/* Atomic; replaces a file @to, or an empty directory by one, unless @flags say otherwise. */
int iopmem_rename(struct iopmem_client *client, const char *from, const char *to,
		  unsigned int flags, struct iopmem_err *err);
/* Another name @to for the file @from, which is no directory.  -EEXIST, -EPERM, -EMLINK. */
int iopmem_link(struct iopmem_client *client, const char *from, const char *to,
		struct iopmem_err *err);
/* @target is stored as it is.  -EEXIST. */
int iopmem_symlink(struct iopmem_client *client, const char *target, const char *path,
		   struct iopmem_err *err);
/* Fills @target, with a NUL; returns the length without it.  -EINVAL no link, -ENAMETOOLONG @size. */
ssize_t iopmem_readlink(struct iopmem_client *client, const char *path, char *target,
			size_t size, struct iopmem_err *err);

/* Returns 0 to go on, anything else stops and becomes iopmem_readdir()'s result. */
typedef int (*iopmem_dirent_fn)(const char *name, const struct iopmem_stat *st,
				void *arg);
/* Calls @fn for each entry but . and .. in no order; @fn may call into the library. */
int iopmem_readdir(struct iopmem_client *client, const char *path,
		   iopmem_dirent_fn fn, void *arg, struct iopmem_err *err);

#define IOPMEM_SET_MODE 1
#define IOPMEM_SET_UID 2
#define IOPMEM_SET_GID 4
#define IOPMEM_SET_ATIME 8		/* to the time given */
#define IOPMEM_SET_MTIME 16
#define IOPMEM_SET_ATIME_NOW 32		/* to the server's clock */
#define IOPMEM_SET_MTIME_NOW 64

/* What is to be changed: @size is sizeof(struct iopmem_changes), @set IOPMEM_SET_* together. */
struct iopmem_changes {
	size_t size;
	uint32_t set;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	int64_t atime_sec;
	int64_t mtime_sec;
	uint32_t atime_nsec;
	uint32_t mtime_nsec;
};

#define IOPMEM_NOFOLLOW 1		/* a symbolic link itself */
/*
 * Change attributes of a name or an open file; @st, if not NULL, gets them afterwards.  A new
 * mode or owner waits until every layout of the file is back: rights never outlive it.
 * -EPERM.
 */
int iopmem_setattr(struct iopmem_client *client, const char *path,
		   const struct iopmem_changes *changes, unsigned int flags,
		   struct iopmem_stat *st, struct iopmem_err *err);
int iopmem_fsetattr(struct iopmem_file *file, const struct iopmem_changes *changes,
		    struct iopmem_stat *st, struct iopmem_err *err);
int iopmem_chmod(struct iopmem_client *client, const char *path, mode_t mode,
		 struct iopmem_err *err);

/* Of the export's file system; @size is set by the caller.  Bytes, inodes. */
struct iopmem_statfs {
	size_t size;
	uint64_t space_total;
	uint64_t space_free;
	uint64_t space_avail;	/* to callers without privilege */
	uint64_t files_total;
	uint64_t files_free;
	uint64_t files_avail;
	uint32_t block_size;
	uint32_t name_max;
	uint32_t read_only;	/* 1: for this caller */
};
int iopmem_statfs(struct iopmem_client *client, struct iopmem_statfs *fs, struct iopmem_err *err);

/* ---- files ---- */

/*
 * Shared writers: this program and all others that write the file coordinate themselves.
 * If each of them opens it so, always, several may hold RW leases of one range at
 * once, inside the end of file (docs/guarantees.md).
 */
#define IOPMEM_O_SHARED 0x40000000

/**
 * iopmem_open() - open a file; handles of one file share its leases and what is written
 * @flags: O_RDONLY or O_RDWR (O_WRONLY is O_RDWR), with O_CREAT, O_EXCL, O_TRUNC,
 *	   IOPMEM_O_SHARED (of handles of one file with equal rights: in force if all say it)
 * @mode:  permission bits with O_CREAT
 *
 * Errors: -ENOENT, -EACCES, -EEXIST, -EISDIR, -EXDEV (path leaves the export),
 * -EROFS, -ENOSPC, -EINVAL, connection errors.
 */
int iopmem_open(struct iopmem_client *client, const char *path, int flags,
		mode_t mode, struct iopmem_file **file, struct iopmem_err *err);
/* Commits and returns what is left, closes.  Frees @file even on error. */
int iopmem_close(struct iopmem_file *file, struct iopmem_err *err);
int iopmem_fstat(struct iopmem_file *file, struct iopmem_stat *st,
		 struct iopmem_err *err);
/* Waits for the server to recall whoever holds what changes.  -EBADF open read-only, -EINVAL. */
int iopmem_ftruncate(struct iopmem_file *file, uint64_t size, struct iopmem_err *err);
/* The same by path. */
int iopmem_truncate(struct iopmem_client *client, const char *path, uint64_t size,
		    struct iopmem_err *err);

/* ---- files: calls that lease by themselves ---- */

/**
 * iopmem_pread(), iopmem_pwrite(), iopmem_preadv(), iopmem_pwritev() - read, write
 *
 * They take the layouts they need (ahead of a sequential reader or writer), keep them, wait
 * while another client gives back what conflicts, and use the server's own reads and writes
 * where the file can have no layout.  Memory in a registered buffer, and all memory on tcp, is moved
 * without a copy; elsewhere up to 256 KiB go through a pool, more is registered for the call.
 *
 * Return the number of bytes.  Reads: less than asked at the end of file, which includes what
 * was written through @file and is not committed.  Writes: all of them, or an error; then
 * the range's content is undefined.  Nothing is promised before iopmem_sync().
 * A write that was placed and is lost before it is committed is told by iopmem_sync() and
 * iopmem_file_lost().
 * Errors: -EBADF open read-only, -EFBIG, -ENOSPC, -EDQUOT, -EIO.
 */
ssize_t iopmem_pread(struct iopmem_file *file, void *buf, size_t len, uint64_t offset,
		     struct iopmem_err *err);
ssize_t iopmem_pwrite(struct iopmem_file *file, const void *buf, size_t len, uint64_t offset,
		      struct iopmem_err *err);
ssize_t iopmem_preadv(struct iopmem_file *file, const struct iovec *iov, int iovcnt,
		      uint64_t offset, struct iopmem_err *err);
ssize_t iopmem_pwritev(struct iopmem_file *file, const struct iovec *iov, int iovcnt,
		       uint64_t offset, struct iopmem_err *err);

/**
 * iopmem_append() - write at the end of file, wherever that is by now
 * @offset:	NULL, or where the bytes begin
 *
 * Appends of different clients never overlap.  The bytes are committed on return: level as
 * iopmem_sync().  Returns the number of bytes (all).  Errors as iopmem_pwrite().
 */
ssize_t iopmem_append(struct iopmem_file *file, const void *buf, size_t len, uint64_t *offset,
		      struct iopmem_err *err);

/**
 * iopmem_sync() - commit everything written through @file, under explicit leases too
 *
 * All ranges are flushed together, and what needs it is committed in one call.  Returns the
 * lowest level reached (IOPMEM_LEVEL_*).
 * Errors: -ESTALE something was lost since the last iopmem_file_lost(): the rest is
 * committed all the same.
 */
int iopmem_sync(struct iopmem_file *file, struct iopmem_err *err);

/**
 * iopmem_file_lost() - ranges that iopmem_pwrite() and the like have written and that were
 * never committed, because they were fenced or the server died: write them again
 *
 * Returns their number; fills up to @n.  When all of them fit they are forgotten.  Ascending,
 * disjoint; where more than 128 would be needed, neighbours are joined.
 */
struct iopmem_range;
size_t iopmem_file_lost(struct iopmem_file *file, struct iopmem_range *ranges, size_t n);

/*
 * Where what was written through any handle of the file and is not committed ends; 0: there is
 * nothing.  A reader through @file finds the end of file there, or at the committed size.  Asks
 * nobody, never waits for the server.
 */
uint64_t iopmem_file_written(struct iopmem_file *file);

/* Commits and gives back what these calls keep leased of @file.  Errors as iopmem_sync(). */
int iopmem_file_return(struct iopmem_file *file, struct iopmem_err *err);

/* ---- buffers ---- */

/**
 * iopmem_buf_register() - make caller's memory usable for I/O
 *
 * @addr stays the caller's and must stay valid until iopmem_buf_unregister().
 * Survives reconnects of the fabric.  Errors: -ENOMEM (RLIMIT_MEMLOCK), -EINVAL.
 */
int iopmem_buf_register(struct iopmem_client *client, void *addr, size_t len,
			struct iopmem_buf **buf, struct iopmem_err *err);
/* The same with memory of the library's, page aligned, zeroed. */
int iopmem_buf_alloc(struct iopmem_client *client, size_t len, struct iopmem_buf **buf,
		     struct iopmem_err *err);
void *iopmem_buf_addr(const struct iopmem_buf *buf);	/* NULL for NULL */
/* Frees @buf, and the memory if it is the library's.  No I/O may be under way.  NULL is fine. */
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
 * iopmem_write(), iopmem_writev() - write from a registered buffer
 *
 * Pipelines, returns when all bytes are placed in the server's memory.  They are
 * not promised to survive anything before iopmem_commit().
 * Errors: -ESTALE the lease was recalled or revoked (lease again; a recall has
 * committed what completed before it), -ERANGE outside the lease or buffer, -EBADF READ lease,
 * -ECONNRESET the fabric broke again and again.  On any error the range's content is undefined.
 */
ssize_t iopmem_write(struct iopmem_lease *lease, struct iopmem_buf *buf,
		     const void *addr, size_t len, uint64_t offset,
		     struct iopmem_err *err);
ssize_t iopmem_writev(struct iopmem_lease *lease, struct iopmem_buf *buf,
		      const struct iovec *iov, int iovcnt, uint64_t offset,
		      struct iopmem_err *err);
/* Read into a registered buffer, without a copy; past EOF of the grant zeroes.  Errors as above. */
ssize_t iopmem_read(struct iopmem_lease *lease, struct iopmem_buf *buf, void *addr,
		    size_t len, uint64_t offset, struct iopmem_err *err);
ssize_t iopmem_readv(struct iopmem_lease *lease, struct iopmem_buf *buf,
		     const struct iovec *iov, int iovcnt, uint64_t offset,
		     struct iopmem_err *err);

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

/* ---- queues: many operations at once ---- */

struct iopmem_queue;

enum iopmem_op_code {
	IOPMEM_OP_READ = 1,	/* lease, buf, iov, offset: as iopmem_readv() */
	IOPMEM_OP_WRITE,	/* as iopmem_writev() */
	IOPMEM_OP_COMMIT,	/* lease: as iopmem_commit() */
	IOPMEM_OP_PREAD,	/* file, iov, offset: as iopmem_preadv() */
	IOPMEM_OP_PWRITE,	/* as iopmem_pwritev() */
	IOPMEM_OP_SYNC,		/* file: as iopmem_sync() */
};

/*
 * Zero what is not named above.  @iov, the memory it names, and the handles belong to
 * the operation until it is completed.
 */
struct iopmem_op {
	uint32_t code;			/* IOPMEM_OP_* */
	uint32_t flags;			/* 0 */
	struct iopmem_lease *lease;
	struct iopmem_file *file;
	struct iopmem_buf *buf;
	const struct iovec *iov;
	uint64_t offset;
	void *user;			/* comes back with the completion */
	int iovcnt;
	uint32_t reserved[3];		/* 0 */
};

struct iopmem_completion {
	void *user;
	ssize_t result;			/* what the call of the same name returns */
};

/**
 * iopmem_queue_new() - a queue for @entries operations in progress
 *
 * A queue belongs to one thread at a time; a client can have many, and all of them share its
 * connection and its depth.  Errors: -EINVAL (0 or above 65536 entries), -EMFILE.
 */
int iopmem_queue_new(struct iopmem_client *client, uint32_t entries,
		     struct iopmem_queue **queue, struct iopmem_err *err);
/* Waits for what is in progress and forgets it.  NULL is fine. */
void iopmem_queue_free(struct iopmem_queue *queue);

/**
 * iopmem_submit() - start up to @n operations, in any order; never waits
 *
 * Reads and writes under a lease that is held go out at once, all of a call together; nothing
 * is allocated for them.  What has to wait for the server (a commit that needs a call, a
 * lease to be taken) is done by up to four helper threads of the client, started when they are first
 * needed, or by iopmem_poll() when none can be started.  Nothing orders operations but their
 * completion: a commit covers the writes completed before it was submitted.
 *
 * Returns how many were taken: less than @n when the queue is full (poll, then again) or
 * when the next one is invalid; the error of the first (-EINVAL, -EBADF, -ERANGE).
 */
int iopmem_submit(struct iopmem_queue *queue, const struct iopmem_op *ops, unsigned int n,
		  struct iopmem_err *err);

/**
 * iopmem_poll() - take up to @n completions
 * @timeout_ms: to wait for the first: 0 not at all, -1 for ever
 *
 * Drives the connection.  Returns their number; 0 when the time is up or nothing is in
 * progress.  Errors: -EINVAL.
 */
int iopmem_poll(struct iopmem_queue *queue, struct iopmem_completion *completions,
		unsigned int n, int timeout_ms);

/**
 * iopmem_queue_fd() - a descriptor for poll(2), select(2), epoll(7): POLLIN
 *
 * Readable when iopmem_poll() has something to do, which need not be a completion.  Before
 * sleeping on it call iopmem_poll() until it returns 0.  It stays the library's and the same
 * for the life of the queue.  -EINVAL for NULL.
 */
int iopmem_queue_fd(const struct iopmem_queue *queue);

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

/* ---- for keepers of copies ---- */

enum iopmem_cover {
	IOPMEM_COVER_ENDS = 1,	/* a layout of this range is about to go back; I/O goes on under it */
	IOPMEM_COVER_ENDED,	/* the same range: it has gone back, or is lost */
	IOPMEM_COVER_NONE,	/* nothing covers the range (any more) */
};
/*
 * Who keeps copies of bytes that iopmem_pread() and the like have read or written, as a mount
 * does, may keep them while a layout covers them: nobody else changes them so long.  Drop
 * them on ENDS, before the call returns, and on NONE; make no new ones of that range until ENDED.
 * Someone waits for the layout: a call of a second or more is too long.  NONE comes
 * without warning: a fence, a server that has forgotten this client (@fileid 0: of all files), bytes
 * that went through the server.  @length may be UINT64_MAX: to the end.
 *
 * Called from threads of the library and in those calls themselves; must not call into the
 * library.  Other threads may use the file meanwhile.
 */
typedef void (*iopmem_cover_fn)(enum iopmem_cover what, uint64_t fileid, uint64_t offset,
				uint64_t length, void *arg);
/* Before the first file is opened.  NULL switches it off. */
void iopmem_set_cover_fn(struct iopmem_client *client, iopmem_cover_fn fn, void *arg);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
