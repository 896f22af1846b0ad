// SPDX-License-Identifier: BSD-3-Clause
#include "recall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client.h"
#include "cover.h"
#include "layout.h"

struct recall_job {
	struct recall_job *next;
	bool running;
	iopmem_stateid stateid;
	uint64_t generation;
	struct range r;
	uint64_t gets;		/* LAYOUTGETs started when the event came */
	uint64_t until_ms;	/* deadline on our clock */
};

/* ---- one recall ---- */

/* Every lease that @r touches is recalled as a whole: @r grows to cover them. */
static void mark_leases(struct file *file, struct range *r)
{
	struct iopmem_lease *l;
	bool grew;

	do {
		grew = false;
		for (l = file->leases; l; l = l->next) {
			if (l->state != LEASE_ACTIVE || !range_overlaps(l->wire, *r))
				continue;
			l->state = LEASE_RECALLED;
			if (l->wire.offset < r->offset)
				r->offset = l->wire.offset;
			if (l->wire.end > r->end)
				r->end = l->wire.end;
			grew = true;
		}
	} while (grew);
	pthread_cond_broadcast(&file->cond);
}

static bool draining(const struct file *file)
{
	const struct iopmem_lease *l;

	for (l = file->leases; l; l = l->next)
		if (l->state == LEASE_RECALLED && l->inflight)
			return true;
	return false;
}

/* Flushes what the recalled leases wrote.  Drops and takes file->lock. */
static int flush(struct file *file, struct rpc_channel *ch)
{
	struct iopmem_client *client = file->client;
	struct range *ranges;
	struct iopmem_lease *l;
	size_t i, n = 0;
	int ret;

	for (l = file->leases; l; l = l->next)
		if (l->state == LEASE_RECALLED)
			n += l->written.n;
	if (!n)
		return 0;
	ranges = calloc(n, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	n = 0;
	for (l = file->leases; l; l = l->next) {
		if (l->state != LEASE_RECALLED)
			continue;
		for (i = 0; i < l->written.n; i++)
			ranges[n++] = l->written.v[i].r;
	}
	pthread_mutex_unlock(&file->lock);
	conn_lock(client);
	ret = conn_ensure(client, ch, NULL);
	if (!ret)
		ret = flush_ranges(file, ranges, n, NULL);
	conn_unlock(client);
	pthread_mutex_lock(&file->lock);
	free(ranges);
	return ret;
}

/* What the return is to commit. */
static void collect(struct file *file, struct layout_return *lr)
{
	struct written all = { 0 };
	struct iopmem_lease *l;
	bool needed = false;
	size_t i, n = 0;

	for (l = file->leases; l; l = l->next) {
		if (l->state != LEASE_RECALLED)
			continue;
		for (i = 0; i < l->written.n; i++, n++) {
			needed |= layout_needs_commit(file, l->written.v[i].r);
			written_add(&all, l->written.v[i].r);
		}
	}
	if (!needed)
		return;
	if (written_top(&all) > file->size)
		lr->new_size = written_top(&all);
	/* Joined over a gap between leases the set could name bytes not held. */
	if (n <= WRITTEN_MAX)
		layout_commit_ranges(file, &all, lr);
	else
		layout_commit_extents(file, lr);
}

static void settle(struct file *file, bool ok, int level)
{
	struct iopmem_lease *l;

	for (l = file->leases; l; l = l->next) {
		if (l->state != LEASE_RECALLED)
			continue;
		if (ok) {
			if (l->written.n) {
				l->level = level;
				file->level = level < file->level ? level : file->level;
			}
			l->written.n = 0;
			l->state = LEASE_RETURNED;
		} else {
			lease_lose(l, (struct range){ 0, UINT64_MAX });
		}
	}
}

/* What goes back, the whole of each lease in it.  Assumes: file->lock. */
static struct range serve_file(struct file *file, struct rpc_channel *ch,
			       const struct recall_job *job, struct cover_ends *told)
{
	struct iopmem_client *client = file->client;
	uint64_t granule = client->conn.granule;
	struct layout_return lr = { 0 };
	bool own, committed;
	uint64_t now = clock_ms();
	int ret;

	file->recalls++;
	/* A LAYOUTGET reply may be on its way; the server does not hold it back. */
	own = layout_wait(file, now + (job->until_ms > now ? job->until_ms - now : 0) / 2);
	layout_seen(file, &job->stateid);
	lr.r = range_round_out(job->r, granule);
	cover_tell_ends(file, lr.r, told);
	mark_leases(file, &lr.r);
	while (draining(file))
		pthread_cond_wait(&file->cond, &file->lock);
	ret = flush(file, ch);
	if (!ret)
		collect(file, &lr);
	committed = !ret;
	ret = layout_return(file, ch, &lr, NULL);
	committed = committed && !ret && !lr.commit_status;
	settle(file, committed, lr.n || lr.new_size || client->conn.durable ?
				IOPMEM_LEVEL_POWER_LOSS : IOPMEM_LEVEL_SERVER_DEATH);
	if (!own)
		file->layout_epoch++;
	else
		layout_end(file);
	file->recalls--;
	pthread_cond_broadcast(&file->cond);
	return lr.r;
}

/* The stateid may be that of a first LAYOUTGET whose reply is not processed yet. */
static struct file *find_file(struct iopmem_client *client, const struct recall_job *job)
{
	struct file *file = file_find_layout(client, &job->stateid);

	if (file)
		return file;
	pthread_mutex_lock(&client->gets_lock);
	while (client->gets_done < job->gets &&
	       client_cond_wait(&client->gets_cond, &client->gets_lock, job->until_ms))
		;
	pthread_mutex_unlock(&client->gets_lock);
	return file_find_layout(client, &job->stateid);
}

static void serve(struct iopmem_client *client, struct rpc_channel *ch,
		  const struct recall_job *job)
{
	struct cover_ends told;
	struct range returned;
	struct file *file;
	uint64_t length = job->r.end == UINT64_MAX ? UINT64_MAX : range_len(job->r);

	if (job->generation != client->session.generation)
		return;
	file = find_file(client, job);
	if (!file) {		/* nothing held: say so (RFC 8881 section 12.5.5.1) */
		layout_return_unknown(client, ch, &job->stateid, job->generation);
		return;
	}
	pthread_mutex_lock(&file->lock);
	returned = serve_file(file, ch, job, &told);
	pthread_mutex_unlock(&file->lock);
	cover_tell_ended(file, returned, &told);
	client_event(client, IOPMEM_CLIENT_RECALLED, file->path, job->r.offset, length);
	file_put(file);
}

/* ---- workers ---- */

static bool same_layout(const struct recall_job *a, const struct recall_job *b)
{
	return !memcmp(a->stateid.other, b->stateid.other, sizeof(a->stateid.other));
}

/* The oldest job whose file nobody else is serving. */
static struct recall_job *next_job(struct recall *rc)
{
	struct recall_job *j, *k;

	for (j = rc->jobs; j; j = j->next) {
		if (j->running)
			continue;
		for (k = rc->jobs; k != j && !same_layout(j, k); k = k->next)
			;
		if (k == j)
			return j;
	}
	return NULL;
}

static void remove_job(struct recall *rc, struct recall_job *job)
{
	struct recall_job **p = &rc->jobs;

	while (*p != job)
		p = &(*p)->next;
	*p = job->next;
	free(job);
}

static void *worker_main(void *arg)
{
	struct recall_worker *w = arg;
	struct recall *rc = &w->client->recall;
	struct recall_job *job;

	pthread_mutex_lock(&rc->lock);
	while (!rc->stop) {
		job = next_job(rc);
		if (!job) {
			rc->idle++;
			pthread_cond_wait(&rc->cond, &rc->lock);
			rc->idle--;
			continue;
		}
		job->running = true;
		pthread_mutex_unlock(&rc->lock);
		serve(w->client, &w->ch, job);
		pthread_mutex_lock(&rc->lock);
		remove_job(rc, job);
		pthread_cond_broadcast(&rc->cond);
	}
	pthread_mutex_unlock(&rc->lock);
	return NULL;
}

/* Assumes: recall.lock. */
static int add_worker(struct iopmem_client *client)
{
	struct recall *rc = &client->recall;
	struct recall_worker *w = &rc->worker[rc->workers];
	int ret;

	w->client = client;
	channel_init(&w->ch, &client->target);
	ret = pthread_create(&w->thread, NULL, worker_main, w);
	if (ret)
		channel_fini(&w->ch);
	else
		rc->workers++;
	return -ret;
}

int recall_init(struct iopmem_client *client)
{
	struct recall *rc = &client->recall;
	int ret;

	pthread_mutex_init(&rc->lock, NULL);
	pthread_cond_init(&rc->cond, NULL);
	pthread_mutex_lock(&rc->lock);
	ret = add_worker(client);
	pthread_mutex_unlock(&rc->lock);
	return ret;
}

void recall_fini(struct iopmem_client *client)
{
	struct recall *rc = &client->recall;
	unsigned int i;

	pthread_mutex_lock(&rc->lock);
	rc->stop = true;
	pthread_cond_broadcast(&rc->cond);
	pthread_mutex_unlock(&rc->lock);
	for (i = 0; i < rc->workers; i++) {
		channel_abort(&rc->worker[i].ch);
		pthread_join(rc->worker[i].thread, NULL);
		channel_fini(&rc->worker[i].ch);
	}
	while (rc->jobs)
		remove_job(rc, rc->jobs);
	pthread_mutex_destroy(&rc->lock);
	pthread_cond_destroy(&rc->cond);
}

int recall_queue(struct iopmem_client *client, const iopmem_event *ev, struct range r)
{
	struct recall *rc = &client->recall;
	struct recall_job *job = calloc(1, sizeof(*job)), **p = &rc->jobs;

	if (!job)
		return -ENOMEM;
	job->stateid = ev->stateid;
	job->generation = client->events.generation;
	job->r = r;
	job->until_ms = clock_ms() + ev->deadline_ms;
	pthread_mutex_lock(&client->gets_lock);
	job->gets = client->gets_started;
	pthread_mutex_unlock(&client->gets_lock);
	pthread_mutex_lock(&rc->lock);
	while (*p)
		p = &(*p)->next;
	*p = job;
	if (!rc->idle && rc->workers < RECALL_WORKERS)
		add_worker(client);	/* if not, a running one takes it later */
	pthread_cond_broadcast(&rc->cond);
	pthread_mutex_unlock(&rc->lock);
	return 0;
}
