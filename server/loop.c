// SPDX-License-Identifier: BSD-3-Clause
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MAX_FDS 4096
#define MAX_WAIT_MS 1000

struct loop {
	int wake_fd;
	bool stop;
	pthread_mutex_t lock;		/* posted, posted_tail */
	struct job *posted;
	struct job **posted_tail;
	struct timer *timers;		/* sorted by due_ms */
	int (*prepare)(struct pollfd *fds, int n, void *arg);
	void (*handle)(struct pollfd *fds, int n, void *arg);
	void *arg;
	struct pollfd fds[MAX_FDS];
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		free(loop);
		return NULL;
	}
	pthread_mutex_init(&loop->lock, NULL);
	loop->posted_tail = &loop->posted;
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->wake_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void loop_set_poller(struct loop *loop, int (*prepare)(struct pollfd *fds, int n, void *arg),
		     void (*handle)(struct pollfd *fds, int n, void *arg), void *arg)
{
	loop->prepare = prepare;
	loop->handle = handle;
	loop->arg = arg;
}

void loop_post(struct loop *loop, struct job *job)
{
	uint64_t one = 1;

	job->next = NULL;
	pthread_mutex_lock(&loop->lock);
	*loop->posted_tail = job;
	loop->posted_tail = &job->next;
	pthread_mutex_unlock(&loop->lock);
	if (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("wake the loop: eventfd write failed");
}

static void run_posted(struct loop *loop)
{
	struct job *job;

	for (;;) {
		pthread_mutex_lock(&loop->lock);
		job = loop->posted;
		if (job) {
			loop->posted = job->next;
			if (!loop->posted)
				loop->posted_tail = &loop->posted;
		}
		pthread_mutex_unlock(&loop->lock);
		if (!job)
			return;
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

void loop_run(struct loop *loop)
{
	uint64_t count;
	int n;

	while (!loop->stop) {
		loop->fds[0] = (struct pollfd){ .fd = loop->wake_fd, .events = POLLIN };
		n = loop->prepare ? loop->prepare(loop->fds + 1, MAX_FDS - 1, loop->arg) : 0;
		if (poll(loop->fds, (nfds_t)n + 1, wait_ms(loop)) < 0 && errno != EINTR)
			log_error("poll failed");
		if (loop->fds[0].revents && read(loop->wake_fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN)
			log_error("read of the wake-up eventfd failed");
		run_posted(loop);
		run_timers(loop);
		if (loop->handle)
			loop->handle(loop->fds + 1, n, loop->arg);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
