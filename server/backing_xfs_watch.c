// SPDX-License-Identifier: BSD-3-Clause
/* One thread an export waits for broken layouts. */
#include "backing_xfs.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

#define STOP_ID	0

/*
 * Layouts are found by a number that is never used twice: an event may be older than
 * the close of its layout.
 */
static void report(struct backing_export *exp, uint64_t id)
{
	struct backing_file *file;

	pthread_mutex_lock(&exp->lock);
	for (file = exp->files; file; file = file->next)
		if (file->watch_id == id)
			break;
	if (file) {
		file->in_break = true;
		pthread_mutex_unlock(&exp->lock);
		exp->attr.on_break(exp->attr.arg, file->cookie);
		pthread_mutex_lock(&exp->lock);
		file->in_break = false;
		pthread_cond_broadcast(&exp->changed);
	}
	pthread_mutex_unlock(&exp->lock);
}

static void *watch_thread(void *arg)
{
	struct backing_export *exp = arg;
	struct epoll_event ev[16];

	for (;;) {
		int n = epoll_wait(exp->ep_fd, ev, 16, -1);

		if (n < 0 && errno != EINTR) {
			log_error("export '%s': wait for breaks: %s", exp->attr.name,
				  strerror(errno));
			return NULL;
		}
		for (int i = 0; i < n; i++) {
			if (ev[i].data.u64 == STOP_ID)
				return NULL;
			report(exp, ev[i].data.u64);
		}
	}
}

int xfs_watch_init(struct backing_export *exp, struct iopmem_err *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = STOP_ID };
	int rc = 0;

	exp->next_id = STOP_ID + 1;
	exp->ep_fd = epoll_create1(EPOLL_CLOEXEC);
	exp->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (exp->ep_fd < 0 || exp->stop_fd < 0 ||
	    epoll_ctl(exp->ep_fd, EPOLL_CTL_ADD, exp->stop_fd, &ev))
		rc = errno;
	else
		rc = pthread_create(&exp->thread, NULL, watch_thread, exp);
	if (!rc)
		return 0;
	if (exp->ep_fd >= 0)
		close(exp->ep_fd);
	if (exp->stop_fd >= 0)
		close(exp->stop_fd);
	return err_set(err, rc, "export '%s': watch layouts", exp->attr.name);
}

void xfs_watch_fini(struct backing_export *exp)
{
	if (eventfd_write(exp->stop_fd, 1))
		log_error("export '%s': stop: %s", exp->attr.name, strerror(errno));
	pthread_join(exp->thread, NULL);
	close(exp->stop_fd);
	close(exp->ep_fd);
}

/* A layout that is broken already is reported at once.  POLLHUP needs no asking. */
int xfs_watch_add(struct backing_file *file, struct iopmem_err *err)
{
	struct backing_export *exp = file->exp;
	struct epoll_event ev = { .events = EPOLLPRI | EPOLLONESHOT };
	int ret = 0;

	pthread_mutex_lock(&exp->lock);
	ev.data.u64 = file->watch_id = exp->next_id++;
	if (epoll_ctl(exp->ep_fd, EPOLL_CTL_ADD, file->layout_fd, &ev)) {
		ret = err_set(err, errno, "'%s': watch the layout", file->path);
		file->watch_id = 0;
	}
	pthread_mutex_unlock(&exp->lock);
	return ret;
}

void xfs_watch_del(struct backing_file *file)
{
	struct backing_export *exp = file->exp;

	pthread_mutex_lock(&exp->lock);
	file->watch_id = 0;
	while (file->in_break)
		pthread_cond_wait(&exp->changed, &exp->lock);
	pthread_mutex_unlock(&exp->lock);
	epoll_ctl(exp->ep_fd, EPOLL_CTL_DEL, file->layout_fd, NULL);
}
