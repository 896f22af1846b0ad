// SPDX-License-Identifier: BSD-3-Clause
#include "worker.h"

#include <errno.h>
#include <string.h>

void workers_init(struct workers *w)
{
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
	w->tail = &w->jobs;
}

void workers_fini(struct workers *w)
{
	unsigned int i;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->cond);
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < w->n; i++)
		pthread_join(w->thread[i], NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->cond);
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	struct worker_job *job;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		job = w->jobs;
		if (!job) {
			if (w->stop)
				break;
			w->idle++;
			pthread_cond_wait(&w->cond, &w->lock);
			w->idle--;
			continue;
		}
		w->jobs = job->next;
		if (!w->jobs)
			w->tail = &w->jobs;
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int worker_run(struct workers *w, struct worker_job *job)
{
	int ret = 0;

	pthread_mutex_lock(&w->lock);
	if (!w->idle && w->n < WORKERS_MAX &&
	    !pthread_create(&w->thread[w->n], NULL, worker_main, w))
		w->n++;
	if (w->n) {
		job->next = NULL;
		*w->tail = job;
		w->tail = &job->next;
		pthread_cond_signal(&w->cond);
	} else {
		ret = -EAGAIN;
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}
