// SPDX-License-Identifier: BSD-3-Clause
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MAX_EVENTS 64		/* in one round */
#define MAX_WAIT_MS 1000

struct loop {
	int poll_fd;			/* epoll: idle connections cost nothing */
	struct fd_watch wake;		/* eventfd */
	bool stop;
	pthread_mutex_t lock;		/* posted, posted_tail, asleep */
	struct job *posted;
	struct job **posted_tail;
	bool asleep;			/* somebody must wake it */
	struct timer *timers;		/* sorted by due_ms */
	struct epoll_event seen[MAX_EVENTS];	/* data.ptr is NULL: removed since */
	int nr_seen;
};

static void woken(struct fd_watch *w, short revents)
{
	uint64_t count;

	(void)revents;
	if (read(w->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("read of the wake-up eventfd failed");
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	pthread_mutex_init(&loop->lock, NULL);
	loop->posted_tail = &loop->posted;
	loop->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = (struct fd_watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
					.events = POLLIN, .ready = woken };
	if (loop->poll_fd < 0 || loop->wake.fd < 0 || !fd_watch_add(loop, &loop->wake)) {
		loop_free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->wake.fd >= 0)
		close(loop->wake.fd);
	if (loop->poll_fd >= 0)
		close(loop->poll_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void loop_post(struct loop *loop, struct job *job)
{
	uint64_t one = 1;
	bool wake;

	job->next = NULL;
	pthread_mutex_lock(&loop->lock);
	*loop->posted_tail = job;
	loop->posted_tail = &job->next;
	wake = loop->asleep;
	loop->asleep = false;
	pthread_mutex_unlock(&loop->lock);
	if (wake && write(loop->wake.fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("wake the loop: eventfd write failed");
}

/* What is posted meanwhile is for the next round: timers and descriptors have their turn. */
static void run_posted(struct loop *loop)
{
	struct job *job, *next;

	pthread_mutex_lock(&loop->lock);
	job = loop->posted;
	loop->posted = NULL;
	loop->posted_tail = &loop->posted;
	pthread_mutex_unlock(&loop->lock);
	for (; job; job = next) {
		next = job->next;	/* done() may free it or post it again */
		job->done(job);
	}
}

void timer_cancel(struct loop *loop, struct timer *t)
{
	struct timer **p = &loop->timers;

	if (!t->due_ms)
		return;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->due_ms = 0;
}

void timer_arm(struct loop *loop, struct timer *t, uint64_t delay_ms)
{
	struct timer **p = &loop->timers;

	timer_cancel(loop, t);
	t->due_ms = clock_ms() + delay_ms + 1;	/* never early, never 0 */
	while (*p && (*p)->due_ms <= t->due_ms)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
}

static void run_timers(struct loop *loop)
{
	uint64_t now = clock_ms();

	while (loop->timers && loop->timers->due_ms <= now) {
		struct timer *t = loop->timers;

		loop->timers = t->next;
		t->due_ms = 0;
		t->fire(t);
	}
}

static int wait_ms(const struct loop *loop)
{
	uint64_t now = clock_ms();

	if (!loop->timers)
		return MAX_WAIT_MS;
	if (loop->timers->due_ms <= now)
		return 0;
	if (loop->timers->due_ms - now > MAX_WAIT_MS)
		return MAX_WAIT_MS;
	return (int)(loop->timers->due_ms - now);
}

static int control(struct loop *loop, int op, struct fd_watch *w)
{
	/* The bits of poll() and of epoll are the same. */
	struct epoll_event ev = { .events = (unsigned short)w->events, .data.ptr = w };

	return epoll_ctl(loop->poll_fd, op, w->fd, &ev);
}

bool fd_watch_add(struct loop *loop, struct fd_watch *w)
{
	w->added = !control(loop, EPOLL_CTL_ADD, w);
	return w->added;
}

void fd_watch_want(struct loop *loop, struct fd_watch *w, short events)
{
	if (w->events == events)
		return;
	w->events = events;
	if (w->added && control(loop, EPOLL_CTL_MOD, w))
		log_error("change what descriptor %d is watched for: errno %d", w->fd, errno);
}

void fd_watch_remove(struct loop *loop, struct fd_watch *w)
{
	int i;

	if (!w->added)
		return;
	w->added = false;
	if (control(loop, EPOLL_CTL_DEL, w))
		log_error("watch descriptor %d no longer: errno %d", w->fd, errno);
	for (i = 0; i < loop->nr_seen; i++)
		if (loop->seen[i].data.ptr == w)
			loop->seen[i].data.ptr = NULL;
}

/* Who posts from here on wakes the loop, unless something is there already. */
static int fall_asleep(struct loop *loop)
{
	int ms = wait_ms(loop);

	pthread_mutex_lock(&loop->lock);
	loop->asleep = !loop->posted && ms;
	if (!loop->asleep)
		ms = 0;
	pthread_mutex_unlock(&loop->lock);
	return ms;
}

static void wake_up(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->asleep = false;
	pthread_mutex_unlock(&loop->lock);
}

void loop_run(struct loop *loop)
{
	int i;

	while (!loop->stop) {
		loop->nr_seen = epoll_wait(loop->poll_fd, loop->seen, MAX_EVENTS, fall_asleep(loop));
		if (loop->nr_seen < 0 && errno != EINTR)
			log_error("epoll_wait failed: errno %d", errno);
		wake_up(loop);
		run_posted(loop);
		run_timers(loop);
		for (i = 0; i < loop->nr_seen; i++) {
			struct fd_watch *w = loop->seen[i].data.ptr;

			if (w)
				w->ready(w, (short)loop->seen[i].events);
		}
		loop->nr_seen = 0;
	}
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
