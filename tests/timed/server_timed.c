// SPDX-License-Identifier: BSD-3-Clause
/*
 * What tests/timed adds to the product's objects, by the linker's --wrap: lease time that
 * a test controls, and a gate inside grants.  Commands are lines on the socket whose
 * number is in IOPMEM_TEST_CONTROL:
 *
 *   hold        time stands still
 *   go          it passes again, from where it was
 *   step MS     it jumps ahead, held or not
 *   rest        nothing but the answer
 *   shut        the next grants stop before they register memory
 *   stands      waits until one has come to the gate
 *   open        they go on
 *
 * Each is answered "ok".  All but shut and stands are answered when the server is at rest:
 * every timer that was due has fired, and all that helper threads had to do has come back.
 * Without the variable it is the product.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fabric/fabric.h"
#include "loop.h"

static struct loop *server_loop;

/* ---- time ---- */

static struct {
	pthread_mutex_t lock;		/* the rest */
	bool held;
	uint64_t at;			/* while held */
	uint64_t lag;			/* behind the clock, for all the time that it was held */
} lease_time = { .lock = PTHREAD_MUTEX_INITIALIZER };

uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);

uint64_t __wrap_clock_ms(void)
{
	uint64_t now;

	pthread_mutex_lock(&lease_time.lock);
	now = lease_time.held ? lease_time.at : __real_clock_ms() - lease_time.lag;
	pthread_mutex_unlock(&lease_time.lock);
	return now;
}

static void hold(bool held)
{
	uint64_t now = __wrap_clock_ms();

	pthread_mutex_lock(&lease_time.lock);
	if (held)
		lease_time.at = now;
	else
		lease_time.lag = __real_clock_ms() - now;
	lease_time.held = held;
	pthread_mutex_unlock(&lease_time.lock);
}

static void step(uint64_t ms)
{
	pthread_mutex_lock(&lease_time.lock);
	lease_time.at += ms;
	clock_step(ms);
	pthread_mutex_unlock(&lease_time.lock);
}

/* ---- rest ---- */

static atomic_uint busy;		/* errands that have not come back */
static bool waiting;			/* loop thread: somebody waits for the last of them */
static struct timer last;		/* fires behind all others that are due */
static sem_t rested;

static void look(struct timer *t)
{
	(void)t;
	waiting = busy > 0;
	if (!waiting)
		sem_post(&rested);
}

/* Loop thread. */
static void look_last(void)
{
	last.fire = look;
	/* wraps to "due now": timers are sorted, and among equals the last armed is the last */
	timer_arm(server_loop, &last, UINT64_MAX);
}

static void turn_has_come(struct job *job)
{
	(void)job;
	look_last();
}

static void await_rest(void)
{
	static struct job job = { .done = turn_has_come };

	loop_post(server_loop, &job);
	while (sem_wait(&rested))
		;
}

/* A job in the place of the server's own, to know when it is back. */
struct errand {
	struct job job;
	struct job *inner;
};

static void errand_run(struct job *job)
{
	struct job *inner = ((struct errand *)job)->inner;

	inner->run(inner);
}

static void errand_done(struct job *job)
{
	struct job *inner = ((struct errand *)job)->inner;

	free(job);
	inner->done(inner);
	if (!--busy && waiting)
		look_last();
}

void __real_pool_submit(struct pool *pool, struct job *job);
void __wrap_pool_submit(struct pool *pool, struct job *job);

void __wrap_pool_submit(struct pool *pool, struct job *job)
{
	struct errand *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	e->job.run = errand_run;
	e->job.done = errand_done;
	e->inner = job;
	busy++;
	__real_pool_submit(pool, &e->job);
}

/* ---- the gate ---- */

static struct {
	pthread_mutex_t lock;		/* the rest */
	pthread_cond_t moved;
	bool shut;
	unsigned int standing;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

int __real_fabric_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
			 struct fabric_mr **mr, struct iopmem_err *err);
int __wrap_fabric_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
			 struct fabric_mr **mr, struct iopmem_err *err);

int __wrap_fabric_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
			 struct fabric_mr **mr, struct iopmem_err *err)
{
	pthread_mutex_lock(&gate.lock);
	gate.standing++;
	pthread_cond_broadcast(&gate.moved);
	while (gate.shut)
		pthread_cond_wait(&gate.moved, &gate.lock);
	gate.standing--;
	pthread_mutex_unlock(&gate.lock);
	return __real_fabric_mr_reg(peer, src, rights, mr, err);
}

static void set_gate(bool shut)
{
	pthread_mutex_lock(&gate.lock);
	gate.shut = shut;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

static void await_standing(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.standing)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

/* ---- commands ---- */

static void obey(const char *line)
{
	if (!strcmp(line, "shut\n"))
		return set_gate(true);
	if (!strcmp(line, "stands\n"))
		return await_standing();
	if (!strncmp(line, "step ", 5))
		step(strtoull(line + 5, NULL, 10));
	else if (!strcmp(line, "open\n"))
		set_gate(false);
	else if (!strcmp(line, "hold\n") || !strcmp(line, "go\n"))
		hold(line[0] == 'h');
	else if (strcmp(line, "rest\n"))
		abort();
	await_rest();
}

static void *control(void *arg)
{
	FILE *f = arg;
	char line[64];

	while (fgets(line, sizeof(line), f)) {
		obey(line);
		if (dprintf(fileno(f), "ok\n") < 0)
			break;
	}
	fclose(f);
	return NULL;
}

struct loop *__real_loop_new(void);
struct loop *__wrap_loop_new(void);

/* Signals are blocked by now, which a thread inherits; commands wait in the socket. */
struct loop *__wrap_loop_new(void)
{
	const char *number = getenv("IOPMEM_TEST_CONTROL");
	pthread_t thread;
	FILE *f;

	server_loop = __real_loop_new();
	if (!server_loop || !number)
		return server_loop;
	fcntl(atoi(number), F_SETFD, FD_CLOEXEC);
	f = fdopen(atoi(number), "r");
	if (!f || sem_init(&rested, 0, 0) || pthread_create(&thread, NULL, control, f))
		abort();
	pthread_detach(thread);
	return server_loop;
}
