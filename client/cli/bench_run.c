// SPDX-License-Identifier: BSD-3-Clause
/*
 * One case of the benchmark: each thread is a client of its own with a lease on its own
 * part of the file.  The file is filled and committed before the clock starts, so that
 * what is measured overwrites and reads inside the file.
 *
 * Verify: the file is made of units (the smallest size); each knows how often it was
 * written, and its bytes follow from seed, offset and that number.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

/* Where the threads wait until all are ready, or one has failed. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned int ready;
	bool open, failed;
};

struct worker {
	const struct bench_options *o;
	const struct bench_case *c;
	pthread_t thread;
	struct gate *gate;
	struct remote remote;
	struct iopmem_file *file;
	struct iopmem_lease *lease;
	int mode;			/* of the lease */
	uint8_t *data, *expected;	/* of the largest size */
	uint32_t largest, unit;
	uint32_t *generation;		/* of each unit */
	uint64_t base, random;
	struct bench_result result;
	struct iopmem_err err;
	int ret;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* splitmix64: a generator, and a hash of its argument. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15U;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	return x ^ (x >> 31);
}

static uint64_t draw(struct worker *w)
{
	return w->random = mix(w->random);
}

/* What the units of [offset, offset + len) of this thread's part have as bytes. */
static void contents(const struct worker *w, uint8_t *out, uint64_t offset, size_t len)
{
	uint64_t word, at;
	size_t i;

	for (i = 0; i < len; i += sizeof(word)) {
		at = offset + i;
		word = mix(w->o->seed ^ (w->base + at) ^
			   ((uint64_t)w->generation[at / w->unit] << 44));
		memcpy(out + i, &word, len - i < sizeof(word) ? len - i : sizeof(word));
	}
}

static int compare(struct worker *w, uint64_t offset, size_t len)
{
	contents(w, w->expected, offset, len);
	w->result.verified += len;
	if (!memcmp(w->data, w->expected, len))
		return 0;
	w->err.code = EILSEQ;
	snprintf(w->err.text, sizeof(w->err.text),
		 "%zu bytes at %llu are not what was written there", len,
		 (unsigned long long)(w->base + offset));
	return -EILSEQ;
}

static int lease(struct worker *w)
{
	return iopmem_lease(w->file, w->base, w->o->region, w->mode, 0, &w->lease, &w->err);
}

/* One operation; a recall in between is counted, and it is done again. */
static int operate(struct worker *w, bool writing, uint64_t offset, size_t len)
{
	struct iopmem_err cause;
	ssize_t ret;

	for (;;) {
		cause = (struct iopmem_err){ 0 };
		ret = writing ? iopmem_write(w->lease, w->remote.buf, w->data, len, w->base + offset,
					     &cause) :
				iopmem_read(w->lease, w->remote.buf, w->data, len, w->base + offset,
					    &cause);
		if (ret >= 0 && writing && w->o->commit)
			ret = iopmem_commit(w->lease, &cause);
		if (ret >= 0)
			return 0;
		if (ret != -ESTALE && ret != -ECONNRESET) {
			w->err = cause;
			return (int)ret;
		}
		w->result.recalls++;
		iopmem_return(w->lease, NULL);
		w->lease = NULL;
		ret = lease(w);
		if (ret)
			return (int)ret;
	}
}

/* All of this thread's part. */
static int sweep(struct worker *w, bool writing)
{
	uint64_t offset;
	size_t len;
	int ret = 0;

	for (offset = 0; !ret && offset < w->o->region; offset += len) {
		len = w->o->region - offset < w->largest ? (size_t)(w->o->region - offset) : w->largest;
		if (writing)
			contents(w, w->data, offset, len);
		ret = operate(w, writing, offset, len);
		if (!ret && !writing)
			ret = compare(w, offset, len);
	}
	return ret;
}

static int prepare(struct worker *w)
{
	int ret;

	ret = remote_open(w->o->url, &w->remote, &w->err);
	if (!ret)
		ret = iopmem_open(w->remote.client, w->remote.url.path, O_RDWR | O_CREAT, 0644,
				  &w->file, &w->err);
	if (!ret)
		ret = remote_register(&w->remote, w->data, w->largest, &w->err);
	if (!ret)
		ret = lease(w);
	if (!ret)
		ret = sweep(w, true);
	if (!ret && iopmem_commit(w->lease, &w->err) < 0)
		ret = -w->err.code;
	if (!ret) {	/* what grew has moved: again, now inside the file */
		ret = iopmem_return(w->lease, &w->err);
		w->lease = NULL;
	}
	if (w->c->op == BENCH_READ)
		w->mode = IOPMEM_LEASE_READ;
	return ret ? ret : lease(w);
}

static int step(struct worker *w, uint64_t *next)
{
	uint32_t len = w->c->sizes[w->c->nr_sizes > 1 ? draw(w) % w->c->nr_sizes : 0];
	bool writing = w->c->op == BENCH_WRITE || (w->c->op == BENCH_RW && (draw(w) & 1));
	uint64_t slots = w->o->region / len, offset, begin, unit;
	int ret;

	if (w->o->random)
		offset = draw(w) % slots * len;
	else
		offset = *next + len <= w->o->region ? *next : 0;
	*next = offset + len;
	if (writing && w->o->verify) {
		for (unit = offset / w->unit; unit < (offset + len) / w->unit; unit++)
			w->generation[unit]++;
		contents(w, w->data, offset, len);
	}
	begin = now_ns();
	ret = operate(w, writing, offset, len);
	hist_add(&w->result.latency, now_ns() - begin);
	w->result.ops++;
	w->result.bytes += len;
	return !ret && !writing && w->o->verify ? compare(w, offset, len) : ret;
}

/* True when all are ready and the clock may start. */
static bool gate_pass(struct gate *g, int ret)
{
	bool go;

	pthread_mutex_lock(&g->lock);
	g->ready++;
	g->failed = g->failed || ret;
	pthread_cond_broadcast(&g->cond);
	while (!g->open)
		pthread_cond_wait(&g->cond, &g->lock);
	go = !g->failed;
	pthread_mutex_unlock(&g->lock);
	return go;
}

/* When @n threads are there. */
static void gate_open(struct gate *g, unsigned int n, bool failed)
{
	pthread_mutex_lock(&g->lock);
	g->failed = g->failed || failed;
	while (g->ready < n)
		pthread_cond_wait(&g->cond, &g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t begin, next = 0;

	w->ret = prepare(w);
	if (!gate_pass(w->gate, w->ret))
		goto out;
	begin = now_ns();
	while (!w->ret && (double)(now_ns() - begin) < w->o->seconds * 1e9)
		w->ret = step(w, &next);
	w->result.seconds = (double)(now_ns() - begin) / 1e9;
	if (!w->ret && w->c->op != BENCH_READ && iopmem_commit(w->lease, &w->err) < 0)
		w->ret = -w->err.code;
	if (!w->ret && w->o->verify && w->c->op != BENCH_READ)
		w->ret = sweep(w, false);
out:
	if (w->lease)
		iopmem_return(w->lease, NULL);
	if (w->file)
		iopmem_close(w->file, NULL);
	remote_close(&w->remote);
	return NULL;
}

static int worker_init(struct worker *w, const struct bench_options *o,
		       const struct bench_case *c, unsigned int number)
{
	unsigned int i;

	*w = (struct worker){ .o = o, .c = c, .base = o->region * number,
			      .unit = c->sizes[0], .mode = IOPMEM_LEASE_RW, .random = mix(o->seed + number) };
	for (i = 0; i < c->nr_sizes; i++) {
		w->largest = c->sizes[i] > w->largest ? c->sizes[i] : w->largest;
		w->unit = c->sizes[i] < w->unit ? c->sizes[i] : w->unit;
	}
	w->data = aligned_alloc(4096, ((size_t)w->largest + 4095) & ~(size_t)4095);
	w->expected = malloc(w->largest);
	w->generation = calloc(o->region / w->unit + 1, sizeof(*w->generation));
	return w->data && w->expected && w->generation ? 0 : -ENOMEM;
}

static void worker_fini(struct worker *w)
{
	free(w->data);
	free(w->expected);
	free(w->generation);
}

static void collect(struct worker *w, unsigned int n, struct bench_result *r, int *ret,
		    struct iopmem_err *err)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		hist_merge(&r->latency, &w[i].result.latency);
		r->bytes += w[i].result.bytes;
		r->ops += w[i].result.ops;
		r->recalls += w[i].result.recalls;
		r->verified += w[i].result.verified;
		if (w[i].result.seconds > r->seconds)
			r->seconds = w[i].result.seconds;
		if (w[i].ret && !*ret) {
			*ret = w[i].ret;
			*err = w[i].err;
		}
	}
}

int bench_run(const struct bench_options *o, const struct bench_case *c,
	      struct bench_result *result, struct iopmem_err *err)
{
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, false };
	struct worker *w = calloc(o->threads, sizeof(*w));
	unsigned int i, n = 0;
	int ret = w ? 0 : -ENOMEM;

	memset(result, 0, sizeof(*result));
	for (i = 0; !ret && i < o->threads; i++)
		ret = worker_init(&w[i], o, c, i);
	while (!ret && n < o->threads) {
		w[n].gate = &gate;
		ret = -pthread_create(&w[n].thread, NULL, work, &w[n]);
		n += !ret;
	}
	if (ret)
		cli_error(err, -ret, "start", "threads");
	gate_open(&gate, n, ret);
	for (i = 0; i < n; i++)
		pthread_join(w[i].thread, NULL);
	collect(w, n, result, &ret, err);
	for (i = 0; w && i < o->threads; i++)
		worker_fini(&w[i]);
	free(w);
	return ret;
}
