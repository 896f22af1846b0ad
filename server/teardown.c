// SPDX-License-Identifier: BSD-3-Clause
/*
 * The one way a segment ends, whatever the cause: memory region dead -> commit ->
 * unmap -> gone.  A step that fails is repeated; nothing behind it happens before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "export.h"
#include "fabric/fabric.h"
#include "layout.h"

#define RETRY_MS 100
#define RETRY_MAX_MS 5000

enum phase { PHASE_DEREG, PHASE_COMMIT, PHASE_UNMAP, PHASE_DONE };

static void next_phase(struct teardown *t);

static void about(const struct wait *w, struct wait_about *a)
{
	static const char *const phases[] = { "deregister", "commit", "unmap", "forget" };
	const struct teardown *t = container_of(w, struct teardown, wait);
	const struct layout *l = t->layout;
	int n;

	n = snprintf(a->what, sizeof(a->what), "segments of client %s on '%.100s' to %s (%s)",
		     l->st.client->name, l->file->name, phases[t->phase], t->why);
	/* Between two attempts nobody else writes to it. */
	if (t->tries && t->retry.due_ms)
		snprintf(a->what + n, sizeof(a->what) - (size_t)n, ", %u attempts failed: %.60s",
			 t->tries, t->err.code ? t->err.text : strerror(-t->rc));
	a->client = l->st.client->name;
	a->file = l->file->name;
	a->export = l->file->exp->cfg->name;
}

static const struct wait_type type = { "teardown", about };

static void dereg_run(struct teardown *t)
{
	struct file *f = t->layout->file;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct segment *seg = t->segs[i];
		int rc = seg->mr ? fabric_mr_dereg(seg->mr) : 0;

		if (rc) {
			t->rc = rc;
			continue;
		}
		if (seg->mr)
			f->exp->ops->mem_put(f->bf, &seg->mem);
		seg->mr = NULL;
	}
}

static void unmap_run(struct teardown *t)
{
	struct file *f = t->layout->file;
	size_t i;

	for (i = 0; i < t->n && !t->rc; i++)
		if (!t->segs[i]->shared)
			t->rc = f->exp->ops->unmap(f->bf, t->segs[i]->range, &t->err);
}

/* Teardown pool. */
static void run(struct job *job)
{
	struct teardown *t = (struct teardown *)job;

	t->rc = 0;
	t->err.code = 0;
	if (t->phase == PHASE_DEREG)
		dereg_run(t);
	else
		unmap_run(t);
}

static void retry(struct timer *timer)
{
	struct teardown *t = container_of(timer, struct teardown, retry);

	pool_submit(t->layout->file->srv->teardown_pool, &t->job);
}

static void run_done(struct job *job)
{
	struct teardown *t = (struct teardown *)job;
	struct file *f = t->layout->file;
	unsigned int delay;

	if (!t->rc) {
		t->tries = 0;
		t->phase++;
		return next_phase(t);
	}
	metrics_add(&f->srv->metrics, METRIC_TEARDOWN_RETRIES);
	/* Each time the wait doubles, and each time it is said. */
	delay = RETRY_MS << (t->tries < 6 ? t->tries : 6);
	if (delay > RETRY_MAX_MS)
		delay = RETRY_MAX_MS;
	t->tries++;
	layout_log(t->layout, LOG_LEVEL_ERROR,
		   "%s: %s of client %s's segments (%s): error %d %s; not released, again in %u ms",
		   f->name, t->phase == PHASE_DEREG ? "deregistering" : "unmapping",
		   t->layout->st.client->name, t->why, -t->rc,
		   t->err.code ? t->err.text : "", delay);
	t->retry.fire = retry;
	timer_arm(f->srv->loop, &t->retry, delay);
}

/* fs pool: may wait behind a truncate that waits for other clients' regions. */
static void commit_run(struct file_job *fj)
{
	struct teardown *t = container_of(fj, struct teardown, fj);
	struct file *f = fj->file;

	t->commit_rc = f->exp->ops->commit(f->bf, t->commit, t->nr_commit, t->new_size,
					   &t->size, &t->commit_err);
}

static void commit_done(struct file_job *fj)
{
	struct teardown *t = container_of(fj, struct teardown, fj);

	server_write_failed(fj->file->srv, t->commit_rc);
	if (!t->commit_rc)
		fj->file->size = t->size;
	t->phase++;
	next_phase(t);
}

static void finish(struct teardown *t)
{
	struct layout *l = t->layout;
	size_t i;

	for (i = 0; i < t->n; i++) {
		layout_remove(l, t->segs[i]);
		free(t->segs[i]);
	}
	wait_end(&l->file->srv->waits, &t->wait);
	free(t->segs);
	free(t->commit);
	t->segs = NULL;
	t->commit = NULL;
	t->done(t);
}

static void next_phase(struct teardown *t)
{
	struct file *f = t->layout->file;
	size_t i;

	if (t->phase == PHASE_COMMIT && !t->nr_commit && !t->new_size)
		t->phase++;
	/* Each phase costs a way to a helper and back. */
	if (t->phase == PHASE_UNMAP && !f->exp->ops->unmap)
		t->phase++;
	/* No new one can come: RETURNING segments forbid every grant. */
	for (i = 0; t->phase == PHASE_UNMAP && i < t->n; i++)
		t->segs[i]->shared = layout_table_shared(&f->table, t->segs[i]);
	switch (t->phase) {
	case PHASE_DEREG:
	case PHASE_UNMAP:
		t->job.run = run;
		t->job.done = run_done;
		pool_submit(f->srv->teardown_pool, &t->job);
		break;
	case PHASE_COMMIT:
		t->fj.what = "commit of a return";
		t->fj.run = commit_run;
		t->fj.done = commit_done;
		file_submit(f, &t->fj);
		break;
	default:
		finish(t);
	}
}

void teardown_start(struct teardown *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		t->segs[i]->state = SEGMENT_RETURNING;
	t->phase = PHASE_DEREG;
	wait_begin(&t->layout->file->srv->waits, &t->wait, &type);
	next_phase(t);
}
