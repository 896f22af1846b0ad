/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The owner thread's loop: descriptors, timers, and work that comes back from
 * helper threads.  All protocol state belongs to the thread that runs it.
 */
#ifndef IOPMEM_SERVER_LOOP_H
#define IOPMEM_SERVER_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The structure that @ptr is the member of: jobs and timers are embedded. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

struct loop;

/* A piece of work: run() on a helper thread, then done() on the loop thread. */
struct job {
	void (*run)(struct job *job);	/* NULL: only done() */
	void (*done)(struct job *job);
	struct job *next;		/* of the queue it is in */
};

struct timer {
	uint64_t due_ms;		/* clock_ms(); 0 = not armed */
	void (*fire)(struct timer *t);
	struct timer *next;
};

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* A descriptor that the loop watches. */
struct fd_watch {
	int fd;
	short events;			/* of poll(); fd_watch_want() changes it */
	bool added;
	void (*ready)(struct fd_watch *w, short revents);
};

/* Loop thread only.  False: no memory, or a descriptor that cannot be watched. */
bool fd_watch_add(struct loop *loop, struct fd_watch *w);
void fd_watch_want(struct loop *loop, struct fd_watch *w, short events);
/* It is not called any more.  Before its descriptor is closed.  One that was not added is no error. */
void fd_watch_remove(struct loop *loop, struct fd_watch *w);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Any thread: @job's done() runs on the loop thread. */
void loop_post(struct loop *loop, struct job *job);

/* Loop thread only.  Arming an armed timer moves it. */
void timer_arm(struct loop *loop, struct timer *t, uint64_t delay_ms);
void timer_cancel(struct loop *loop, struct timer *t);

/* ---- helper pools ---- */

struct pool;

/* @name is the threads' name; @threads of them. */
struct pool *pool_new(struct loop *loop, const char *name, unsigned int threads);
/* Waits until every queued job has run and been posted back. */
void pool_free(struct pool *pool);
/* Any thread: runs @job->run on a thread of @pool, then posts it to the loop. */
void pool_submit(struct pool *pool, struct job *job);

#endif
