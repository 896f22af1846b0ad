/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fabric connection: made with a one-time token, made again after it died (a
 * violation, a fence of this client's other layouts, a new identity), with every
 * registered buffer registered again.
 *
 * All threads share it.  Its lock is held while operations are posted or their
 * completions taken, never while waiting: one waiter sleeps on the fabric's descriptors
 * for all, the others on @cond.  Completions come in order of posting, so a ring tells
 * whose they are.
 */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "fabric/fabric.h"
#include "rpc.h"

#define CONN_SCRATCH 65536
#define CONN_FLUSH_AT (CONN_SCRATCH / 2)	/* from here on flushes read; nobody looks at it */
#define CONN_RESERVE 4		/* operations in flight beyond the depth: flushes never queue behind data */

struct iopmem_client;

struct iopmem_buf {
	struct iopmem_client *client;
	struct iopmem_buf *next;
	void *addr;
	size_t len;
	bool owned;			/* @addr is ours (iopmem_buf_alloc()) */
	struct fabric_buf *fb;		/* NULL while there is no connection */
};

/*
 * Waits for some operations.  All fields are under the connection's lock.  Zeroed:
 * nothing posted.
 */
struct conn_wait {
	unsigned int posted, done;
	int status;			/* the first error of them; the offender's says more */
	/* Called, with the lock, when all are done and @open is false.  NULL: somebody waits. */
	void (*complete)(struct conn_wait *w);
	bool open;			/* more may be posted */
};

/* Who has more to post than there was room for. */
struct conn_backlog {
	struct conn_backlog *next;
	/* True: all is posted (it is off the list).  Called with the lock. */
	bool (*post)(struct conn_backlog *b);
};

struct conn {
	pthread_mutex_t lock;		/* all below but the atomics */
	atomic_uint contenders;		/* threads that want the lock */
	pthread_cond_t cond;		/* completions were taken, or the connection has changed */
	struct fabric_conn *fc;
	bool dead;			/* an operation failed: nothing is posted any more */
	bool connecting;		/* somebody makes a connection, without the lock */
	bool sleeping;			/* somebody sleeps on @poll_fd, without the lock */
	uint64_t generation;		/* of the identity it was made for */
	uint64_t moved_ms;		/* when completions were last taken, or the first one posted */
	struct conn_wait **ring;	/* whose operation n is, at n % ring_size */
	uint32_t ring_size;
	uint64_t posted, reaped;
	struct conn_backlog *backlog;	/* oldest first */
	int poll_fd;			/* epoll: the fabric's descriptors and wake_fd */
	int wake_fd;
	int fds[FABRIC_FDS];
	short events[FABRIC_FDS];
	int nr_fds;
	struct iopmem_buf *bufs;
	struct iopmem_buf scratch;	/* flushes, unaligned ends */
	bool scratch_busy;
	struct iopmem_buf any;		/* all memory, where a buffer is free (fb NULL: it is not) */
	char fabric[16];		/* name of the provider */
	_Atomic uint32_t io_align;
	_Atomic uint32_t granule;
	_Atomic bool durable;
};

int conn_init(struct iopmem_client *client);
void conn_fini(struct iopmem_client *client);

void conn_lock(struct iopmem_client *client);
void conn_unlock(struct iopmem_client *client);

/* The ones below assume the lock; those that may wait drop it meanwhile. */

/* Connects when there is no live connection of the current identity; RPC on @ch.  Waits. */
int conn_ensure(struct iopmem_client *client, struct rpc_channel *ch, struct iopmem_err *err);
/* Is there one, without waiting for it? */
bool conn_is_ready(const struct iopmem_client *client);

struct conn_op {
	enum fabric_op op;
	struct iopmem_buf *buf;
	void *addr;
	uint32_t len;
	uint32_t rkey;
	uint64_t raddr;
	bool urgent;			/* may use the reserve */
};
/*
 * Queues one operation; conn_kick() starts what was queued.  Errors: -EAGAIN no room
 * (conn_step(), or the backlog), -ECONNRESET, -EINVAL outside the buffer.
 */
int conn_post(struct iopmem_client *client, struct conn_wait *w, const struct conn_op *op);
void conn_kick(struct iopmem_client *client);
void conn_backlog_add(struct iopmem_client *client, struct conn_backlog *b);

/* Takes completions, and posts from the backlog; their number.  Does not wait. */
unsigned int conn_reap(struct iopmem_client *client);
/* Waits until something has happened; a connection on which nothing does for too long is dead. */
void conn_step(struct iopmem_client *client);
/* The same until @until_ms (clock_ms); false: the time is up. */
bool conn_step_until(struct iopmem_client *client, uint64_t until_ms);
/* Makes poll_fd tell of what comes from now on; nothing that is there already is left. */
void conn_watch(struct iopmem_client *client);
/* The registered buffer that all of @iov is in, or NULL. */
struct iopmem_buf *conn_find_buf(struct iopmem_client *client, const struct iovec *iov,
				 int iovcnt);
/* Queues one, waiting for room, and waits for everything of @w: 0 or the first error. */
void conn_post_wait(struct iopmem_client *client, struct conn_wait *w, const struct conn_op *op);
int conn_drain(struct iopmem_client *client, struct conn_wait *w);

/* The first half of the scratch buffer is for one at a time.  Waits. */
void conn_scratch_get(struct iopmem_client *client);
void conn_scratch_put(struct iopmem_client *client);

#endif
