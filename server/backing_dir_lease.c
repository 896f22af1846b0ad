// SPDX-License-Identifier: BSD-3-Clause
/*
 * fcntl leases: taking them, and the thread that learns of their breaks.  The kernel
 * sends a real-time signal with the descriptor to that one thread (F_OWNER_TID); when
 * its queue is full it sends SIGIO, and every lease is looked at.
 */
#include "backing_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* Assumes: exp->lock is held.  F_GETLEASE says what a pending break asks for. */
static bool lease_broken(const struct backing_file *file)
{
	return fcntl(file->fd, F_GETLEASE) != file->lease;
}

/* Assumes: exp->lock is held.  @fd -1: any. */
static struct backing_file *next_broken(struct backing_export *exp, int fd)
{
	for (struct backing_file *f = exp->files; f; f = f->next)
		if (f->lease != F_UNLCK && !f->broken && (fd < 0 || f->fd == fd) &&
		    lease_broken(f))
			return f;
	return NULL;
}

/* Assumes: exp->lock is held; it is dropped around on_break. */
static void report_breaks(struct backing_export *exp, int fd)
{
	struct backing_file *file;

	while ((file = next_broken(exp, fd))) {
		file->broken = true;
		if (!file->probe) {
			file->in_break = true;
			pthread_mutex_unlock(&exp->lock);
			exp->attr.on_break(exp->attr.arg, file->cookie);
			pthread_mutex_lock(&exp->lock);
			file->in_break = false;
		}
		pthread_cond_broadcast(&exp->changed);
	}
}

static void *break_thread(void *arg)
{
	struct backing_export *exp = arg;
	sigset_t set;

	backing_signals(&set);
	pthread_mutex_lock(&exp->lock);
	exp->tid = (pid_t)syscall(SYS_gettid);
	pthread_cond_broadcast(&exp->changed);
	while (!exp->stop) {
		siginfo_t si;
		int sig;

		pthread_mutex_unlock(&exp->lock);
		sig = sigwaitinfo(&set, &si);
		pthread_mutex_lock(&exp->lock);
		if (sig == BACKING_BREAK_SIGNAL && si.si_code > 0)
			report_breaks(exp, si.si_fd);
		else if (sig == SIGIO)
			report_breaks(exp, -1);
	}
	pthread_mutex_unlock(&exp->lock);
	return NULL;
}

int dir_lease_init(struct backing_export *exp, struct iopmem_err *err)
{
	sigset_t set, old;
	int rc;

	/* The thread starts with the signals blocked, whatever the process does. */
	backing_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	rc = pthread_create(&exp->thread, NULL, break_thread, exp);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return err_set(err, rc, "export '%s': lease thread", exp->attr.name);
	pthread_mutex_lock(&exp->lock);
	while (!exp->tid)
		pthread_cond_wait(&exp->changed, &exp->lock);
	pthread_mutex_unlock(&exp->lock);
	return 0;
}

void dir_lease_fini(struct backing_export *exp)
{
	pthread_mutex_lock(&exp->lock);
	exp->stop = true;
	pthread_mutex_unlock(&exp->lock);
	pthread_kill(exp->thread, BACKING_BREAK_SIGNAL);
	pthread_join(exp->thread, NULL);
}

void dir_lease_add(struct backing_file *file)
{
	struct backing_export *exp = file->exp;

	pthread_mutex_lock(&exp->lock);
	file->next = exp->files;
	exp->files = file;
	pthread_mutex_unlock(&exp->lock);
}

void dir_lease_remove(struct backing_file *file)
{
	struct backing_export *exp = file->exp;
	struct backing_file **p;

	pthread_mutex_lock(&exp->lock);
	for (p = &exp->files; *p; p = &(*p)->next) {
		if (*p == file) {
			*p = file->next;
			break;
		}
	}
	pthread_mutex_unlock(&exp->lock);
}

static int refused(const struct backing_file *file, int code, struct iopmem_err *err)
{
	switch (code) {
	case EAGAIN:
		return err_msg(err, EOPNOTSUPP, "'%s' is open elsewhere on this host",
			       file->path);
	case EACCES:
	case EPERM:
		return err_msg(err, EOPNOTSUPP, "'%s': no lease: the server neither owns the"
			       " file nor has CAP_LEASE", file->path);
	case EINVAL:
	case EOPNOTSUPP:
		return err_msg(err, EOPNOTSUPP, "'%s': its file system has no leases",
			       file->path);
	default:
		return err_set(err, code, "'%s': take a lease", file->path);
	}
}

/*
 * A descriptor open for writing takes F_WRLCK: it is alone, and any open breaks it.
 * A read-only one takes F_RDLCK: readers stay, a writer breaks it.
 */
int dir_lease_take(struct backing_file *file, struct iopmem_err *err)
{
	struct backing_export *exp = file->exp;
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = exp->tid };
	int type = file->writable ? F_WRLCK : F_RDLCK;
	int ret = 0;

	pthread_mutex_lock(&exp->lock);
	/* Before the lease: F_SETLEASE makes the process the owner when there is none. */
	if (fcntl(file->fd, F_SETOWN_EX, &owner) ||
	    fcntl(file->fd, F_SETSIG, BACKING_BREAK_SIGNAL)) {
		ret = err_set(err, errno, "'%s': set lease signal", file->path);
	} else if (fcntl(file->fd, F_SETLEASE, type)) {
		ret = refused(file, errno, err);
	} else {
		file->lease = type;
		file->broken = false;
	}
	pthread_mutex_unlock(&exp->lock);
	return ret;
}

void dir_lease_drop(struct backing_file *file)
{
	struct backing_export *exp = file->exp;

	/* EAGAIN: the kernel has taken it away after lease-break-time. */
	if (fcntl(file->fd, F_SETLEASE, F_UNLCK) && errno != EAGAIN)
		log_error("'%s': drop the lease: %s", file->path, strerror(errno));
	pthread_mutex_lock(&exp->lock);
	file->lease = F_UNLCK;
	while (file->in_break)
		pthread_cond_wait(&exp->changed, &exp->lock);
	pthread_mutex_unlock(&exp->lock);
}

bool dir_lease_intact(struct backing_file *file)
{
	struct backing_export *exp = file->exp;
	bool intact;

	pthread_mutex_lock(&exp->lock);
	intact = file->lease != F_UNLCK && !file->broken && !lease_broken(file);
	pthread_mutex_unlock(&exp->lock);
	return intact;
}
