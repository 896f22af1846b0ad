/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of libiopmem share.
 *
 * Locks, outermost first (none of them is held over a call into the application; a file's,
 * the client's or the connection's never over an RPC or while fabric I/O is waited for):
 *   append_lock         one append at a time, over its calls
 *   conn.lock           posting and completions; dropped while anything is waited for
 *   rpc_channel.lock    one call on a connection
 *   session.lock        identity
 *   iopmem_client.lock  list of files, reference counts
 *   iopmem_file.lock    everything of a file and its leases
 *   recall.lock, iopmem_client.gets_lock  (leaves)
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conn.h"
#include "events.h"
#include "extent_map.h"
#include "iopmem.h"
#include "pool.h"
#include "recall.h"
#include "rpc.h"
#include "session.h"
#include "url.h"
#include "wire.h"
#include "worker.h"
#include "written.h"

struct iopmem_client {
	struct rpc_target target;
	char export_name[URL_EXPORT_MAX + 1];
	char owner[IOPMEM_OWNER_MAX + 1];
	uint32_t timeout_ms;
	uint32_t depth;
	uint32_t spin_us;
	atomic_bool closing;		/* one attempt a call from now on */
	atomic_bool unreachable;	/* the last call got no answer in all its time */
	atomic_bool restarted;		/* the last identity is on another instance */
	struct session session;
	struct rpc_channel main, control;
	struct conn conn;
	struct events events;
	struct recall recall;

	pthread_mutex_t append_lock;	/* outermost: one append at a time */
	uint64_t cache_bytes;		/* cached leases may have so much */
	_Atomic uint64_t cached;	/* and have so much */
	_Atomic uint64_t uses;		/* counts them, for the order of use */
	struct pool pool;
	struct workers workers;

	pthread_mutex_t lock;		/* the ones below */
	pthread_cond_t files_cond;	/* a file has gone */
	struct file *files;
	struct iopmem_file *handles;
	struct iopmem_queue *queues;
	iopmem_event_fn event_fn;
	void *event_arg;
	iopmem_cover_fn cover_fn;
	void *cover_arg;

	pthread_mutex_t gets_lock;	/* leaf; the ones below */
	pthread_cond_t gets_cond;
	uint64_t gets_started, gets_done;	/* LAYOUTGETs */
};

enum lease_state {
	LEASE_ACTIVE,
	LEASE_RECALLED,		/* no new I/O; the worker drains, commits, returns */
	LEASE_RETURNED,		/* nothing is held under it any more */
	LEASE_LOST,		/* fenced, or the server instance died */
};

struct iopmem_lease {
	struct file *file;
	struct iopmem_file *handle;	/* it was taken through; NULL: a cached one */
	struct iopmem_lease *next;
	struct range range;		/* asked for */
	struct range wire;		/* rounded out to the granule */
	bool rw;
	bool cached;			/* taken by a call that leases for itself (cached.h) */
	bool told, telling;		/* file->lock: of its end (iopmem_set_cover_fn()) */
	bool ending;			/* file->lock: nobody begins to use it any more */
	/* file->lock: */
	unsigned int users;		/* calls that use it now; cached ones only */
	uint64_t used;			/* when, by client->uses */
	enum lease_state state;
	unsigned int inflight;		/* slices of I/O and flushes */
	const struct commit *commit;	/* that took its dirty ranges; one at a time */
	int level;			/* what the last commit or the recall reached */
	struct written written;
	struct written lost;		/* DIRTY ranges that were never committed */
};

/* What the application has open: several of one file share everything but their rights. */
struct iopmem_file {
	struct file *file;
	struct iopmem_file *next;	/* client->lock */
	bool writable;
};

struct file {
	struct iopmem_client *client;
	struct file *next;		/* client->lock */
	unsigned int refs;		/* client->lock: the open handles together, recalls */
	unsigned int handles;		/* client->lock; 0: it is being closed */
	char *path;
	uint64_t generation;		/* lock */
	bool writable;			/* lock; one of the handles is */
	bool shared;			/* lock; IOPMEM_O_SHARED */
	uint64_t fileid;
	unsigned int handle_len;	/* 0: the export has none */
	uint8_t handle[IOPMEM_HANDLE_MAX];

	pthread_mutex_t lock;		/* all below */
	pthread_cond_t cond;		/* any change below */
	bool stale;			/* the identity it belongs to is dead */
	bool reviving;			/* somebody opens it again */
	iopmem_stateid open;
	uint64_t size;			/* committed, as last told */
	bool layout_present;
	iopmem_stateid layout;		/* newest seqid seen */
	struct extent_map maps[2];	/* [0] READ, [1] RW segments */
	bool layout_busy;		/* a LAYOUTGET or LAYOUTRETURN is on its way */
	uint64_t layout_epoch;		/* bumped when a recall has emptied the layout */
	unsigned int recalls;		/* queued or being served */
	bool gate;			/* a return replaces segments: I/O waits */
	unsigned int refusal;		/* status of the last LAYOUTGET that got nothing */
	unsigned int inflight;		/* of all leases */
	struct iopmem_lease *leases;
	struct written lost;		/* what cached leases have lost and nobody was told yet */
	struct written unstable;	/* written through the server and not synced */
	iopmem_verifier verifier;	/* of those writes */
	uint64_t layouts_after_ms;	/* no LAYOUTGET is tried before: the file can have none */
	int level;			/* the lowest that a commit or a recall has reached */
	int lost_error;			/* why, -ESTALE or what a commit said */
	struct { uint64_t next, ahead; } run[2];	/* sequential: where a reader, writer goes on */
	unsigned int contended;		/* leases to be taken without anything ahead */
};

/* client.c */
void client_event(struct iopmem_client *client, enum iopmem_client_event event,
		  const char *path, uint64_t offset, uint64_t length);
/* Every file of @generation is stale, its leases are lost. */
void client_state_lost(struct iopmem_client *client, uint64_t generation);
/* Waits on @cond at most until @until_ms (clock_ms).  False: time is up. */
bool client_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ms);
void client_cond_init(pthread_cond_t *cond);

/* file.c */
struct file *file_find_layout(struct iopmem_client *client, const iopmem_stateid *id);
void file_put(struct file *file);
/* Opens it, or gives the one that is open already, with one handle more. */
int file_open(struct iopmem_client *client, const char *path, int flags, mode_t mode,
	      struct file **file, struct iopmem_err *err);
/* One handle less; with the last one it commits, returns, closes.  First error. */
int file_close(struct file *file, struct iopmem_file *handle, struct iopmem_err *err);
int file_getattr(struct file *file, struct iopmem_stat *st, struct iopmem_err *err);
int file_setsize(struct file *file, uint64_t size, struct iopmem_err *err);
/* CLOSE of @open; @file is for the message. */
int file_close_wire(struct file *file, const iopmem_stateid *open, uint64_t generation,
		    struct iopmem_err *err);

/* revive.c */
/* Opens it again if it is stale.  Assumes: file->lock, which it may drop meanwhile. */
int file_ensure(struct file *file, struct iopmem_err *err);
/* The same, and what a call on the file needs.  No lock. */
int file_identity(struct file *file, iopmem_stateid *open, uint64_t *generation,
		  struct iopmem_err *err);

/* attr.c */
void file_stat_from_wire(const iopmem_attr *attr, struct iopmem_stat *st);

/* lease.c */
int lease_take(struct file *file, struct range r, bool rw, uint64_t until_ms,
	       struct iopmem_lease **lease, struct iopmem_err *err);
/* Returns, unlinks, frees.  Assumes: file->lock, which it drops. */
int lease_end(struct iopmem_lease *lease, struct iopmem_err *err);
/* The ones below assume file->lock. */
void lease_lose(struct iopmem_lease *lease, struct range r);
void file_lose(struct file *file, struct range r);
/* Tells that nothing covers any of it.  Drops and takes the lock. */
void file_uncovered(struct file *file);
int lease_check(const struct iopmem_lease *lease, struct iopmem_err *err);

/* commit.c */
int commit_lease(struct iopmem_lease *lease, struct iopmem_err *err);
/*
 * Everything written under any lease of @file; the lowest level.  What was lost under leases
 * of other handles than @handle is theirs to hear of.
 */
int commit_file(struct file *file, const struct iopmem_file *handle, struct iopmem_err *err);

/* flush.c */
/* Reads the last bytes of each range back through the fabric.  Assumes: conn locked. */
int flush_ranges(struct file *file, const struct range *ranges, size_t n, struct iopmem_err *err);

/* sync.c: all of a file's leases, and what went through the server. */
int sync_file(struct file *file, const struct iopmem_file *handle, struct iopmem_err *err);

#endif
