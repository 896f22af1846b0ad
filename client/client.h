/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of libiopmem share.
 *
 * Locks, outermost first (none of them is held over a call into the application,
 * a file's or the client's never over an RPC or fabric I/O):
 *   conn (ticket)       one thread on the fabric connection, over whole I/O slices
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
#include "recall.h"
#include "rpc.h"
#include "session.h"
#include "url.h"
#include "wire.h"
#include "written.h"

struct iopmem_client {
	struct rpc_target target;
	char export_name[URL_EXPORT_MAX + 1];
	char owner[IOPMEM_OWNER_MAX + 1];
	uint32_t timeout_ms;
	uint32_t depth;
	atomic_bool closing;		/* one attempt a call from now on */
	atomic_bool unreachable;	/* the last call got no answer in all its time */
	atomic_bool restarted;		/* the last identity is on another instance */
	struct session session;
	struct rpc_channel main, control;
	struct conn conn;
	struct events events;
	struct recall recall;

	pthread_mutex_t lock;		/* the ones below */
	struct iopmem_file *files;
	iopmem_event_fn event_fn;
	void *event_arg;

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
	struct iopmem_file *file;
	struct iopmem_lease *next;
	struct range range;		/* asked for */
	struct range wire;		/* rounded out to the granule */
	bool rw;
	/* file->lock: */
	enum lease_state state;
	unsigned int inflight;		/* slices of I/O and flushes */
	bool committing;		/* one iopmem_commit() at a time */
	int level;			/* what the last commit or the recall reached */
	struct written written;
	struct written lost;		/* DIRTY ranges that were never committed */
};

struct iopmem_file {
	struct iopmem_client *client;
	struct iopmem_file *next;	/* client->lock */
	unsigned int refs;		/* client->lock: the handle, recalls */
	char *path;
	uint64_t generation;
	bool writable;
	iopmem_stateid open;

	pthread_mutex_t lock;		/* all below */
	pthread_cond_t cond;		/* any change below */
	bool stale;			/* the identity it belongs to is dead */
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
struct iopmem_file *file_find_layout(struct iopmem_client *client, const iopmem_stateid *id);
void file_put(struct iopmem_file *file);
/* Commits, returns, closes; first error.  Does not free. */
int file_shutdown(struct iopmem_file *file, struct iopmem_err *err);
/* Drops the handle's reference. */
void file_release(struct iopmem_file *file);
void file_stat_from_wire(const iopmem_attr *attr, struct iopmem_stat *st);

/* lease.c; all assume file->lock */
void lease_lose(struct iopmem_lease *lease, struct range r);
void file_lose(struct iopmem_file *file, struct range r);
int lease_check(const struct iopmem_lease *lease, struct iopmem_err *err);

/* commit.c */
int commit_lease(struct iopmem_lease *lease, struct iopmem_err *err);
/* Reads the last bytes of each range back through the fabric.  Assumes: conn locked. */
int commit_flush(struct iopmem_file *file, struct rpc_channel *ch, bool rw_map,
		 const struct range *ranges, size_t n, struct iopmem_err *err);

#endif
