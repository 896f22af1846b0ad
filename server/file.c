// SPDX-License-Identifier: BSD-3-Clause
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attr_watch.h"
#include "base/log.h"
#include "export.h"
#include "layout.h"
#include "recall.h"

/* ---- the queue ---- */

static void job_run(struct job *job)
{
	struct file_job *fj = (struct file_job *)job;

	fj->run(fj);
}

static void about_job(const struct wait *w, struct wait_about *a)
{
	const struct file *f = container_of(w, struct file, job_wait);

	snprintf(a->what, sizeof(a->what), "the file system: %s of '%.120s'",
		 f->jobs->what ? f->jobs->what : "work", f->name);
	a->file = f->name;
	a->export = f->exp->cfg->name;
}

static const struct wait_type job_type = { "file", about_job };

static void start_head(struct file *f)
{
	if (!f->jobs)
		return;
	wait_begin(&f->srv->waits, &f->job_wait, &job_type);
	pool_submit(f->srv->fs_pool, &f->jobs->job);
}

static void job_done(struct job *job)
{
	struct file_job *fj = (struct file_job *)job;
	struct file *f = fj->file;

	wait_end(&f->srv->waits, &f->job_wait);
	f->jobs = fj->next;
	if (!f->jobs)
		f->jobs_tail = &f->jobs;
	start_head(f);
	f->refs++;		/* done() may drop what keeps the file */
	fj->done(fj);
	file_put(f);
}

void file_submit(struct file *f, struct file_job *fj)
{
	bool idle = !f->jobs;

	fj->job.run = job_run;
	fj->job.done = job_done;
	fj->file = f;
	fj->next = NULL;
	*f->jobs_tail = fj;
	f->jobs_tail = &fj->next;
	if (idle)
		start_head(f);
}

static void wake(struct file_waiter **list)
{
	struct file_waiter *w = *list, *next;

	*list = NULL;
	for (; w; w = next) {
		next = w->next;
		w->ready(w);
	}
}

bool file_inside_eof(const struct file *f, struct range r)
{
	return f->lease == FILE_LEASE_HELD &&
	       r.end <= round_up_sat(f->size, f->exp->info.granule);
}

/* ---- opening and closing ---- */

struct open_job {
	struct file_job fj;
	int path_fd;
	int rc;
	struct iopmem_err err;
	struct backing_file *bf;
	int watch;
};

static void open_run(struct file_job *fj)
{
	struct open_job *oj = (struct open_job *)fj;
	struct file *f = fj->file;

	oj->rc = f->exp->ops->file_open(f->exp->backing, oj->path_fd, f, &oj->bf, &oj->err);
	close(oj->path_fd);
	if (!oj->rc)
		oj->watch = attr_watch_add(f->srv->attr_watch, f->exp->ops->file_fd(oj->bf), f->name);
}

static void open_done(struct file_job *fj)
{
	struct open_job *oj = (struct open_job *)fj;
	struct file *f = fj->file;

	f->opening = false;
	f->open_rc = oj->rc;
	f->open_err = oj->err;
	f->bf = oj->rc ? NULL : oj->bf;
	f->watch = oj->watch;
	free(oj);
	wake(&f->open_waiters);
}

static void start_open(struct file *f, int path_fd)
{
	struct open_job *oj = calloc(1, sizeof(*oj));

	if (!oj) {
		close(path_fd);
		f->open_rc = -ENOMEM;
		return wake(&f->open_waiters);
	}
	f->opening = true;
	oj->path_fd = path_fd;
	oj->fj.what = "open";
	oj->fj.run = open_run;
	oj->fj.done = open_done;
	file_submit(f, &oj->fj);
}

static struct file *find(struct server *srv, const struct file_key *key)
{
	struct file *f;

	HASH_FIND(hh, srv->files, key, sizeof(*key), f);
	return f;
}

static struct file_key key_of(const struct export *exp, const struct stat *st)
{
	return (struct file_key){ exp->index, st->st_dev, st->st_ino };
}

struct file *file_hold(struct export *exp, const struct stat *st, const char *name)
{
	struct file_key key = key_of(exp, st);
	struct file *f = find(exp->srv, &key);

	if (!f) {
		f = HASH_COUNT(exp->srv->files) < exp->srv->max_files ?
		    calloc(1, sizeof(*f)) : NULL;
		if (!f)
			return NULL;
		f->key = key;
		f->srv = exp->srv;
		f->exp = exp;
		f->jobs_tail = &f->jobs;
		snprintf(f->name, sizeof(f->name), "%s/%s", exp->cfg->name, name);
		HASH_ADD(hh, exp->srv->files, key, sizeof(f->key), f);
		if (!f->hh.tbl) {
			free(f);
			return NULL;
		}
	}
	f->refs++;
	return f;
}

struct file *file_get(struct export *exp, int path_fd, const struct stat *st,
		      const char *name, struct file_waiter *w)
{
	struct file *f = file_hold(exp, st, name);

	if (!f) {
		close(path_fd);
		return NULL;
	}
	w->file = f;
	w->next = f->open_waiters;
	f->open_waiters = w;
	/* While it is being closed the open queues behind the close. */
	if (f->bf && !f->closing) {
		close(path_fd);
		f->open_rc = 0;
		wake(&f->open_waiters);
	} else if (f->opening) {
		close(path_fd);
	} else {
		f->open_err.code = 0;
		start_open(f, path_fd);
	}
	return f;
}

struct file *file_peek(struct export *exp, const struct stat *st)
{
	struct file_key key = key_of(exp, st);

	return find(exp->srv, &key);
}

void file_ref(struct file *f)
{
	f->refs++;
}

static void close_run(struct file_job *fj)
{
	struct file_closer *cl = (struct file_closer *)fj;

	attr_watch_del(fj->file->srv->attr_watch, cl->watch);
	fj->file->exp->ops->file_close(cl->bf);
}

static void close_done(struct file_job *fj)
{
	/* job_done's file_put frees the file unless it is wanted again */
	fj->file->closing = false;
}

static void file_release(struct file *f)
{
	struct file_closer *cl = &f->closer;

	if (f->jobs)
		return;		/* its job_done() comes back here */
	if (!f->bf) {
		struct server *srv = f->srv;

		HASH_DELETE(hh, srv->files, f);
		free(f);
		server_progress(srv);
		return;
	}
	cl->bf = f->bf;
	cl->watch = f->watch;
	cl->fj.what = "close";
	cl->fj.run = close_run;
	cl->fj.done = close_done;
	f->bf = NULL;
	f->watch = 0;
	f->closing = true;
	file_submit(f, &cl->fj);
}

void file_put(struct file *f)
{
	if (--f->refs == 0)
		file_release(f);
}

/* ---- the kernel lease ---- */

static void lease_close_run(struct file_job *fj)
{
	struct file *f = fj->file;

	if (f->lease_open)
		f->exp->ops->layout_close(f->bf);
	f->lease_open = false;
}

static void lease_close_done(struct file_job *fj)
{
	struct file *f = fj->file;

	if (f->lease == FILE_LEASE_CLOSING)
		f->lease = FILE_LEASE_NONE;
	f->broken = false;
	log_debug("%s: lease given back", f->name);
	file_put(f);
	file_settle(f);
}

void file_settle(struct file *f)
{
	struct file_job *fj = &f->lease_closer;

	if (!layout_table_empty(&f->table))
		return;
	if (f->lease == FILE_LEASE_HELD) {
		f->lease = FILE_LEASE_CLOSING;
		fj->what = "giving the lease back";
		fj->run = lease_close_run;
		fj->done = lease_close_done;
		file_ref(f);
		file_submit(f, fj);
		return;
	}
	if (f->lease == FILE_LEASE_NONE)
		wake(&f->idle_waiters);
}

void file_wait_idle(struct file *f, struct file_waiter *w)
{
	w->file = f;
	w->next = f->idle_waiters;
	f->idle_waiters = w;
	file_settle(f);
}

static void break_done(struct job *job)
{
	struct file *f = container_of(job, struct file, breaker);

	f->breaking = false;
	if (f->broken)
		return;
	log_info("%s: the kernel breaks its lease, recalling every layout", f->name);
	metrics_add(&f->srv->metrics, METRIC_LEASE_BREAKS);
	f->broken = true;
	f->break_seq++;
	recall_file(f, NULL, (struct range){ 0, UINT64_MAX }, "local access");
	file_settle(f);
}

void file_on_break(void *arg, void *cookie)
{
	struct server *srv = arg;
	struct file *f = cookie;

	/* NULL: the probe's own file, before there is a loop */
	if (!f || atomic_exchange(&f->breaking, true))
		return;
	f->breaker.done = break_done;
	/* layout_close comes after this, and its completion is posted later still:
	 * the file is there when break_done() runs. */
	loop_post(srv->loop, &f->breaker);
}

/* ---- sizes ---- */

static void sizes_run(struct job *job)
{
	struct file_sizes *fs = (struct file_sizes *)job;
	struct stat st;
	size_t i;

	for (i = 0; i < fs->n; i++) {
		struct file *f = fs->files[i];

		if (f && !f->exp->ops->file_stat(f->bf, &st))
			fs->st[i].st_size = st.st_size;
	}
}

static void sizes_done(struct job *job)
{
	struct file_sizes *fs = (struct file_sizes *)job;
	size_t i;

	for (i = 0; i < fs->n; i++)
		if (fs->files[i])
			file_put(fs->files[i]);
	free(fs->files);
	fs->done(fs);
}

bool file_sizes(struct export *exp, struct file_sizes *fs)
{
	bool any = false;
	size_t i;

	fs->files = calloc(fs->n ? fs->n : 1, sizeof(*fs->files));
	if (!fs->files)
		return false;
	for (i = 0; i < fs->n; i++) {
		struct file *f = file_peek(exp, &fs->st[i]);

		if (!f || !f->bf)
			continue;
		file_ref(f);	/* keeps f->bf open */
		fs->files[i] = f;
		any = true;
	}
	fs->job.run = sizes_run;
	fs->job.done = sizes_done;
	if (any)
		pool_submit(exp->srv->fs_pool, &fs->job);
	else
		sizes_done(&fs->job);
	return true;
}
