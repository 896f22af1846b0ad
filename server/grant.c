// SPDX-License-Identifier: BSD-3-Clause
/*
 * A grant: lease -> map -> register -> re-check (RFC 8881 section 12.5.2).  The
 * kernel lease is there before the blocks are looked up, so a break that comes
 * while we work is seen at the end, before the client learns a key.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/log.h"
#include "export.h"
#include "fabric/fabric.h"
#include "layout.h"
#include "recall.h"
#include "recall_any.h"

#define DEREG_RETRY_MS 100

/* Takes back what a half-done grant has; the client never had the keys. */
static void undo(struct file *f, struct grant *g, size_t n)
{
	const struct backing_ops *ops = f->exp->ops;
	size_t i;
	int rc;

	for (i = 0; i < n; i++) {
		if (!g->mr[i])
			continue;
		while ((rc = fabric_mr_dereg(g->mr[i]))) {
			log_error("%s: deregister an ungranted segment: %d, trying again",
				  f->name, rc);
			poll(NULL, 0, DEREG_RETRY_MS);
		}
		ops->mem_put(f->bf, &g->mem[i]);
	}
	/* Other readers may share the range: it stays mapped, without a key, until
	 * the lease is closed. */
}

static int add_memory(struct file *f, struct grant *g, size_t i)
{
	const struct backing_ops *ops = f->exp->ops;
	uint32_t rights = g->mode == BACKING_RW ? FABRIC_READ | FABRIC_WRITE : FABRIC_READ;
	int rc;

	if (g->ext[i].state == BACKING_NONE)
		return 0;
	rc = ops->mem_get(f->bf, g->ext[i].range, g->mode, &g->mem[i], &g->err);
	if (rc)
		return rc;
	rc = fabric_mr_reg(g->layout->st.client->peer, &g->mem[i], rights, &g->mr[i], &g->err);
	if (rc)
		ops->mem_put(f->bf, &g->mem[i]);
	return rc;
}

/* Up to EOF is enough for READ (RFC 8881 section 18.43.3). */
static bool enough(const struct grant *g)
{
	uint64_t end = g->n ? g->ext[g->n - 1].range.end : g->range.offset;

	return end >= g->min_end || (g->mode == BACKING_READ && end >= g->size);
}

/* The extents become segments; returns an array, or NULL when there is no memory. */
static struct segment **make_segments(struct grant *g)
{
	struct segment **segs = calloc(g->n ? g->n : 1, sizeof(*segs));
	size_t i;

	for (i = 0; segs && i < g->n; i++) {
		segs[i] = calloc(1, sizeof(*segs[i]));
		if (!segs[i]) {
			while (i)
				free(segs[--i]);
			free(segs);
			return NULL;
		}
		segs[i]->range = g->ext[i].range;
		segs[i]->mode = g->mode;
		segs[i]->state = SEGMENT_GRANTED;
		segs[i]->owner = g->layout->st.client;
		segs[i]->layout = g->layout;
		segs[i]->data = g->ext[i].state;
		/* What is mapped for READ ends at EOF. */
		segs[i]->no_commit = g->ext[i].no_commit || g->mode == BACKING_READ;
		segs[i]->coop = g->coop && segs[i]->no_commit;
		segs[i]->mem = g->mem[i];
		segs[i]->mr = g->mr[i];
		segs[i]->region = g->mr[i] != NULL;
	}
	return segs;
}

static void grant_run(struct file_job *fj)
{
	struct grant *g = (struct grant *)fj;
	struct file *f = fj->file;
	const struct backing_ops *ops = f->exp->ops;
	size_t i;

	if (!f->lease_open) {
		g->rc = ops->layout_open(f->bf, &g->err);
		if (g->rc)
			return;
		f->lease_open = true;
	}
	g->n = GRANT_EXTENTS_MAX;
	g->rc = ops->map(f->bf, g->range, g->mode, g->ext, &g->n, &g->size, &g->err);
	if (!g->rc && !enough(g))
		g->rc = err_msg(&g->err, ERANGE, "less than the least length asked for");
	if (g->rc) {
		g->n = 0;
		return;
	}
	for (i = 0; i < g->n; i++) {
		g->rc = add_memory(f, g, i);
		if (g->rc) {
			g->mr[i] = NULL;
			undo(f, g, i);
			return;
		}
	}
	g->segs = make_segments(g);
	if (!g->segs) {
		undo(f, g, g->n);
		g->rc = -ENOMEM;
	}
}

static enum iopmem_status grant_status(int rc)
{
	switch (-rc) {
	case EAGAIN: case EBUSY: case EINTR: case ENOTCONN: case ENOMEM:
		return IOPMEM_LAYOUTTRYLATER;
	case EOPNOTSUPP:
		return IOPMEM_LAYOUTUNAVAILABLE;
	default:
		return status_from_errno(rc);
	}
}

/* I3: what came in between makes the grant void. */
static bool overtaken(const struct grant *g)
{
	const struct layout *l = g->layout;
	const struct file *f = l->file;

	return f->broken || f->break_seq != g->break_seq || f->gates ||
	       l->st.client->dying || f->srv->stopping || f->exp->quiesce.active ||
	       /* A CLOSE that came meanwhile has fenced what was granted then, not us. */
	       !open_any(f, l->st.client) ||
	       (l->recall.active && range_overlaps(l->recall.range, g->range));
}

static void void_done(struct teardown *t)
{
	struct layout *l = t->layout;

	free(t);
	layout_put(l);
}

static void grant_finish(struct grant *g, enum iopmem_status status,
			 struct segment **segs, size_t n)
{
	struct layout *l = g->layout;

	g->done(g, status, segs, n);
	layout_put(l);
}

/* Nothing was sent to the client: a plain teardown, then RECALLCONFLICT. */
static void grant_void(struct grant *g, struct segment **segs)
{
	struct teardown *t = calloc(1, sizeof(*t));

	if (!t) {
		/* Keep the segments out: the fence of this client will take them. */
		log_error("%s: no memory to undo a grant", g->layout->file->name);
		free(segs);
		return grant_finish(g, IOPMEM_RECALLCONFLICT, NULL, 0);
	}
	t->layout = g->layout;
	metrics_add(&g->layout->file->srv->metrics, METRIC_GRANTS_VOID);
	g->layout->users++;
	t->segs = segs;
	t->n = g->n;
	t->why = "grant overtaken";
	t->done = void_done;
	teardown_start(t);
	grant_finish(g, IOPMEM_RECALLCONFLICT, NULL, 0);
}

static void grant_done(struct file_job *fj)
{
	struct grant *g = (struct grant *)fj;
	struct layout *l = g->layout;
	struct file *f = l->file;
	struct segment **segs = g->segs;
	size_t i;

	layout_remove(l, g->reserved);
	free(g->reserved);
	if (f->lease_open)
		f->lease = FILE_LEASE_HELD;
	server_write_failed(f->srv, g->rc);
	if (g->rc) {
		if (g->err.code)
			layout_log(l, LOG_LEVEL_INFO, "%s: no layout for client %s: %s", f->name,
				   l->st.client->name, g->err.text);
		if (g->rc == -ENOMEM)
			recall_any_scarce(f->srv);
		return grant_finish(g, grant_status(g->rc), NULL, 0);
	}
	f->size = g->size;
	for (i = 0; i < g->n; i++)
		layout_add(l, segs[i]);
	if (g->n && overtaken(g))
		return grant_void(g, segs);
	metrics_add(&f->srv->metrics, METRIC_GRANTS);
	recall_hold(l);
	recall_any_check(f->srv);
	grant_finish(g, IOPMEM_OK, segs, g->n);
	free(segs);
}

int grant_reserve(struct layout *l, struct grant *g)
{
	struct segment *seg = calloc(1, sizeof(*seg));

	if (!seg)
		return -ENOMEM;
	seg->range = g->range;
	seg->mode = g->mode;
	seg->state = SEGMENT_GRANTING;
	seg->owner = l->st.client;
	seg->layout = l;
	seg->coop = g->coop && file_inside_eof(l->file, g->range);
	layout_add(l, seg);
	g->reserved = seg;
	g->break_seq = l->file->break_seq;
	return 0;
}

void grant_start(struct layout *l, struct grant *g)
{
	l->users++;
	g->layout = l;
	if (!g->reserved && grant_reserve(l, g))
		return grant_finish(g, IOPMEM_LAYOUTTRYLATER, NULL, 0);
	g->fj.what = "mapping for a grant";
	g->fj.run = grant_run;
	g->fj.done = grant_done;
	file_submit(l->file, &g->fj);
}
