// SPDX-License-Identifier: BSD-3-Clause
/*
 * SETATTR, RFC 8881 section 18.30, but for the size: mode, owner, times.
 *
 * A change of mode or owner of a regular file takes effect only when no layout is out
 * that was granted under the old ones (I17): grants are gated, everybody is recalled
 * and at the deadline fenced, then the change is made and the opens are looked at again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "client.h"
#include "durable.h"
#include "export.h"
#include "file.h"
#include "recall.h"
#include "rights.h"
#include "state.h"

#define SET_RIGHTS (IOPMEM_SET_MODE | IOPMEM_SET_UID | IOPMEM_SET_GID)
#define SET_ALL (2 * IOPMEM_SET_MTIME_NOW - 1)
#define NSEC 1000000000U

struct setattr {
	struct file_waiter waiter;
	struct file_job fj;
	struct job job;
	struct call *call;
	struct export *exp;
	struct cred cred;
	struct path_job *pj;		/* BY_PATH; owns fd */
	struct file *file;		/* of a regular file */
	struct backing_file *bf;	/* NULL: no regular file, or one that cannot be opened */
	int fd;
	struct stat st;
	int rc;
	struct iopmem_err err;
};

static const iopmem_setattr *wanted(const struct setattr *s)
{
	return &((const iopmem_setattr_args *)s->call->args)->attr;
}

static void answer(struct setattr *s)
{
	struct call *call = s->call;

	if (s->rc) {
		call_errno(call, s->rc, &s->err);
	} else {
		attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &s->st);
		call_reply(call);
	}
	if (s->file)
		file_put(s->file);
	if (s->pj)
		path_job_free(s->pj);
	free(s);
}

/* ---- the change ---- */

static struct timespec when(bool set, bool now, int64_t sec, u_int nsec)
{
	if (now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (!set)
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	return (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
}

static int change(struct setattr *s)
{
	const iopmem_setattr *a = wanted(s);
	struct timespec times[2] = {
		when(a->set & IOPMEM_SET_ATIME, a->set & IOPMEM_SET_ATIME_NOW, a->atime_sec,
		     a->atime_nsec),
		when(a->set & IOPMEM_SET_MTIME, a->set & IOPMEM_SET_MTIME_NOW, a->mtime_sec,
		     a->mtime_nsec),
	};
	char proc[32];

	/* The owner first: chown(2) takes the set-id bits away. */
	if ((a->set & (IOPMEM_SET_UID | IOPMEM_SET_GID)) &&
	    fchownat(s->fd, "", a->set & IOPMEM_SET_UID ? a->uid : (uid_t)-1,
		     a->set & IOPMEM_SET_GID ? a->gid : (gid_t)-1, AT_EMPTY_PATH))
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", s->fd);
	if ((a->set & IOPMEM_SET_MODE) && chmod(proc, a->mode))	/* O_PATH: no fchmod() */
		return -errno;
	if ((a->set & ~SET_RIGHTS) && utimensat(s->fd, "", times, AT_EMPTY_PATH))
		return -errno;
	return 0;
}

/* Links and special files have no fsync(2) that is free of side effects. */
static int make_durable(struct setattr *s)
{
	if (s->bf)
		return s->exp->ops->sync(s->bf, &s->err);
	return S_ISDIR(s->st.st_mode) ? durable_dir(s->exp, s->fd, &s->err) :
					durable_all(s->exp, &s->err);
}

static int stat_now(struct setattr *s)
{
	if (s->bf)
		return s->exp->ops->file_stat(s->bf, &s->st);
	return fstat(s->fd, &s->st) ? -errno : 0;
}

static void change_run(struct setattr *s)
{
	s->rc = cred_enter(&s->cred);
	if (!s->rc) {
		s->rc = change(s);
		cred_leave();
	}
	if (!s->rc)
		s->rc = make_durable(s);
	if (!s->rc)
		s->rc = stat_now(s);
	if (s->rc)
		err_set(&s->err, -s->rc, "set attributes of '%s' as uid %u",
			s->pj ? s->pj->path : s->file->name, s->cred.uid);
}

/* ---- what is no regular file ---- */

static void plain_run(struct job *job)
{
	change_run(container_of(job, struct setattr, job));
}

static void plain_done(struct job *job)
{
	answer(container_of(job, struct setattr, job));
}

static void plain(struct setattr *s)
{
	s->job.run = plain_run;
	s->job.done = plain_done;
	pool_submit(s->call->srv->fs_pool, &s->job);
}

/*
 * ---- regular files: in the file's queue ----
 *
 * So what the end of the last layout, answered already, does to the times is behind it.
 */

static void queued_run(struct file_job *fj)
{
	change_run(container_of(fj, struct setattr, fj));
}

static void queued_done(struct file_job *fj)
{
	struct setattr *s = container_of(fj, struct setattr, fj);

	server_write_failed(s->call->srv, s->rc);
	answer(s);
}

static void queue(struct setattr *s, const char *what, void (*done)(struct file_job *fj))
{
	s->fj.what = what;
	s->fj.run = queued_run;
	s->fj.done = done;
	file_submit(s->file, &s->fj);
}

/* ---- rights of a regular file ---- */

static void gated_looked(void *arg)
{
	struct setattr *s = arg;

	s->file->gates--;
	answer(s);
}

static void gated_done(struct file_job *fj)
{
	struct setattr *s = container_of(fj, struct setattr, fj);

	server_write_failed(s->call->srv, s->rc);
	/* Also after a failure: a part of it may have been done. */
	rights_check(fj->file, gated_looked, s);
}

static void gated_idle(struct file_waiter *w)
{
	queue((struct setattr *)w, "change of mode or owner", gated_done);
}

/* Would the kernel say no?  Then nobody is recalled for it. */
static bool may_change(const struct setattr *s)
{
	const iopmem_setattr *a = wanted(s);
	uid_t uid = cred_uid(&s->cred);

	return !uid || (uid == s->st.st_uid &&
			(!(a->set & IOPMEM_SET_UID) || a->uid == s->st.st_uid));
}

static bool changes_rights(const struct setattr *s)
{
	const iopmem_setattr *a = wanted(s);

	return ((a->set & IOPMEM_SET_MODE) && a->mode != (s->st.st_mode & 07777)) ||
	       ((a->set & IOPMEM_SET_UID) && a->uid != s->st.st_uid) ||
	       ((a->set & IOPMEM_SET_GID) && a->gid != s->st.st_gid);
}

/* fd, st and file are there. */
static void start(struct setattr *s)
{
	s->bf = s->file->bf;
	if (!changes_rights(s))
		return queue(s, "set times", queued_done);
	if (!may_change(s)) {
		s->rc = err_set(&s->err, EPERM, "set attributes of '%s' as uid %u",
				s->pj ? s->pj->path : s->file->name, s->cred.uid);
		return answer(s);
	}
	s->file->gates++;
	recall_file(s->file, s->call->client, (struct range){ 0, UINT64_MAX },
		    "change of mode or owner by a client");
	s->waiter.ready = gated_idle;
	file_wait_idle(s->file, &s->waiter);
}

static void opened(struct file_waiter *w)
{
	struct setattr *s = (struct setattr *)w;

	s->file = w->file;
	start(s);
}

/* By the server's own descriptor, never by another: that would break the file's lease. */
static void open_regular(struct setattr *s)
{
	int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);

	s->waiter.ready = opened;
	if (fd >= 0 && file_get(s->exp, fd, &s->st, s->pj->path, &s->waiter))
		return;
	s->rc = fd < 0 ? -errno : -ENOMEM;
	answer(s);
}

/* ---- which file ---- */

static void path_work(struct path_job *pj)
{
	const iopmem_setattr_args *args = pj->call->args;

	pj->nofollow = args->target.iopmem_target_u.path.flags & IOPMEM_NOFOLLOW;
	pj->rc = path_writable(pj);
	if (!pj->rc)
		pj->rc = path_lookup(pj);
}

static void path_found(struct path_job *pj)
{
	struct setattr *s = calloc(1, sizeof(*s));

	if (!s) {
		call_status(pj->call, IOPMEM_DELAY);
		return path_job_free(pj);
	}
	s->call = pj->call;
	s->pj = pj;
	s->exp = pj->exp;
	s->cred = pj->cred;
	s->fd = pj->fd;
	s->st = pj->st;
	s->rc = pj->rc;
	s->err = pj->err;
	if (s->rc)
		return answer(s);
	if (S_ISREG(s->st.st_mode))
		open_regular(s);
	else
		plain(s);
}

static void open_run(struct job *job)
{
	struct setattr *s = container_of(job, struct setattr, job);

	s->fd = s->exp->ops->file_fd(s->file->bf);
	if (fstat(s->fd, &s->st))
		s->rc = err_set(&s->err, errno, "stat '%s'", s->file->name);
}

static void open_found(struct job *job)
{
	struct setattr *s = container_of(job, struct setattr, job);

	if (s->rc)
		return answer(s);
	start(s);
}

static void by_open(struct call *call)
{
	const iopmem_setattr_args *args = call->args;
	enum iopmem_status status;
	struct setattr *s;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->target.iopmem_target_u.open, &o);
	if (!status && !export_leaves(o->file->exp, &o->from, call->client->flavor))
		status = IOPMEM_ACCESS;
	if (!status && export_read_only(o->file->exp, call))
		status = IOPMEM_ROFS;
	if (status)
		return call_status(call, status);
	if (quiesce_delays(call, o->file->exp))
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return call_status(call, IOPMEM_DELAY);
	s->call = call;
	call->exp = o->file->exp;
	file_ref(o->file);
	s->file = o->file;
	s->exp = o->file->exp;
	export_cred(s->exp, call, &s->cred);
	s->job.run = open_run;
	s->job.done = open_found;
	pool_submit(call->srv->fs_pool, &s->job);
}

static bool valid(const iopmem_setattr_args *args)
{
	const iopmem_setattr *a = &args->attr;
	bool both_a = (a->set & IOPMEM_SET_ATIME) && (a->set & IOPMEM_SET_ATIME_NOW);
	bool both_m = (a->set & IOPMEM_SET_MTIME) && (a->set & IOPMEM_SET_MTIME_NOW);

	if (args->target.type == IOPMEM_BY_PATH &&
	    (args->target.iopmem_target_u.path.flags & ~(u_int)IOPMEM_NOFOLLOW))
		return false;
	return a->set && !(a->set & ~(u_int)SET_ALL) && !both_a && !both_m &&
	       !((a->set & IOPMEM_SET_MODE) && (a->mode & ~07777U)) &&
	       !((a->set & IOPMEM_SET_UID) && a->uid == UINT32_MAX) &&
	       !((a->set & IOPMEM_SET_GID) && a->gid == UINT32_MAX) &&
	       !((a->set & IOPMEM_SET_ATIME) && a->atime_nsec >= NSEC) &&
	       !((a->set & IOPMEM_SET_MTIME) && a->mtime_nsec >= NSEC);
}

void op_setattr(struct call *call)
{
	const iopmem_setattr_args *args = call->args;
	const iopmem_target_path *path = &args->target.iopmem_target_u.path;

	if (!valid(args))
		return call_status(call, IOPMEM_INVAL);
	if (args->target.type == IOPMEM_BY_OPEN)
		return by_open(call);
	path_job_start(call, path->export_name, path->path, path_work, path_found, NULL);
}
