// SPDX-License-Identifier: BSD-3-Clause
/*
 * The one way a segment ends, whatever the cause: memory region dead -> commit ->
 * unmap -> gone.  A step that fails is repeated; nothing behind it happens before.
 */
#include <stdlib.h>

#include "base/log.h"
#include "export.h"
#include "fabric/fabric.h"
#include "layout.h"

#define RETRY_MS 100

enum phase { PHASE_DEREG, PHASE_COMMIT, PHASE_UNMAP, PHASE_DONE };

static void next_phase(struct teardown *t);

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

	if (!t->rc) {
		t->tries = 0;
		t->phase++;
		return next_phase(t);
	}
	if (t->tries++ % 50 == 0)
		log_error("%s: %s of client %s's segments (%s): error %d %s; not released, trying again",
			  f->name, t->phase == PHASE_DEREG ? "deregistering" : "unmapping",
			  t->layout->st.client->name, t->why, -t->rc,
			  t->err.code ? t->err.text : "");
	t->retry.fire = retry;
	timer_arm(f->srv->loop, &t->retry, RETRY_MS);
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
		layout_table_remove(&l->file->table, t->segs[i]);
		l->segments--;
		free(t->segs[i]);
	}
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
	next_phase(t);
}
