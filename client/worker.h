/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads for the operations of queues that have to wait for the server: started
 * when the first one comes.
 */
#ifndef CLIENT_WORKER_H
#define CLIENT_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#define WORKERS_MAX 4

struct iopmem_client;

struct worker_job {
	struct worker_job *next;
	void (*run)(struct worker_job *job);	/* without locks */
};

struct workers {
	pthread_mutex_t lock;		/* all below; leaf */
	pthread_cond_t cond;
	struct worker_job *jobs, **tail;
	unsigned int n, idle;
	bool stop;
	pthread_t thread[WORKERS_MAX];
};

void workers_init(struct workers *w);
/* Assumes: no job is left. */
void workers_fini(struct workers *w);
/* -EAGAIN: not one thread could be started. */
int worker_run(struct workers *w, struct worker_job *job);

#endif
