// SPDX-License-Identifier: BSD-3-Clause
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "backing.h"
#include "base/log.h"
#include "reload.h"

/* What a signal asks for needs no memory; asked for again before it is done it is the same. */
struct request {
	struct job job;
	struct server *srv;
	atomic_bool posted;
};

static void stop_done(struct job *job)
{
	struct request *q = container_of(job, struct request, job);

	q->posted = false;
	server_stop(q->srv);
}

static void reload_done(struct job *job)
{
	struct request *q = container_of(job, struct request, job);

	q->posted = false;
	if (!q->srv->stopping)
		reload_start(q->srv->reload, NULL, NULL);
}

static struct request stop = { .job.done = stop_done }, reload = { .job.done = reload_done };

static void fill(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

static void *thread(void *arg)
{
	struct request *q;
	sigset_t set;
	int sig;

	(void)arg;
	fill(&set);
	for (;;) {
		if (sigwait(&set, &sig))
			continue;
		log_info("signal %d", sig);
		q = sig == SIGHUP ? &reload : &stop;
		if (!atomic_exchange(&q->posted, true))
			loop_post(q->srv->loop, &q->job);
	}
	return NULL;
}

void signals_block(void)
{
	sigset_t set;

	fill(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	backing_block_signals();
}

int signals_start(struct server *srv, struct iopmem_err *err)
{
	pthread_t t;

	stop.srv = reload.srv = srv;
	if (pthread_create(&t, NULL, thread, NULL))
		return err_set(err, ENOMEM, "start the signal thread");
	pthread_detach(t);
	return 0;
}
