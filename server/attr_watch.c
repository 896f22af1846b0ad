// SPDX-License-Identifier: BSD-3-Clause
#include "attr_watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "file.h"
#include "rights.h"

/* Two exports may reach one inode: inotify gives both the same number. */
struct attr_wd {
	int wd;
	unsigned int refs;
	UT_hash_handle hh;
};

struct attr_watch {
	struct server *srv;
	int ifd, stop_fd;
	pthread_t thread;
	pthread_mutex_t lock;		/* watches; held over inotify's add and remove */
	struct attr_wd *watches;
};

struct changed {
	struct job job;
	struct server *srv;
	int wd;				/* -1: events were lost, perhaps of any */
};

static void changed_done(struct job *job)
{
	struct changed *c = (struct changed *)job;
	struct file *f, *tmp;

	HASH_ITER(hh, c->srv->files, f, tmp)
		if (f->watch && f->bf && (c->wd < 0 || f->watch == c->wd))
			rights_changed(f);
	free(c);
}

static void post(struct attr_watch *w, int wd)
{
	struct changed *c = calloc(1, sizeof(*c));

	if (!c)
		return log_error("no memory to take a change of mode or owner");
	c->job.done = changed_done;
	c->srv = w->srv;
	c->wd = wd;
	loop_post(w->srv->loop, &c->job);
}

static void take_events(struct attr_watch *w)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *ev;
	ssize_t n = read(w->ifd, buf, sizeof(buf)), at;

	for (at = 0; at < n; at += (ssize_t)(sizeof(*ev) + ev->len)) {
		ev = (const struct inotify_event *)(buf + at);
		if (ev->mask & IN_Q_OVERFLOW)
			post(w, -1);
		else if (ev->mask & IN_ATTRIB)
			post(w, ev->wd);
	}
}

static void *thread(void *arg)
{
	struct attr_watch *w = arg;
	struct pollfd fds[] = { { .fd = w->ifd, .events = POLLIN },
				{ .fd = w->stop_fd, .events = POLLIN } };

	while (!fds[1].revents)
		if (poll(fds, 2, -1) > 0 && fds[0].revents)
			take_events(w);
	return NULL;
}

int attr_watch_open(struct server *srv, struct iopmem_err *err)
{
	struct attr_watch *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return err_set(err, ENOMEM, "watch for changes of mode and owner");
	w->srv = srv;
	pthread_mutex_init(&w->lock, NULL);
	w->ifd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = w->ifd < 0 || w->stop_fd < 0 ? errno : pthread_create(&w->thread, NULL, thread, w);
	if (rc) {
		close(w->ifd);
		close(w->stop_fd);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return err_set(err, rc, "watch for changes of mode and owner (inotify)");
	}
	pthread_setname_np(w->thread, "attr-watch");
	srv->attr_watch = w;
	return 0;
}

void attr_watch_close(struct attr_watch *w)
{
	if (!w)
		return;
	eventfd_write(w->stop_fd, 1);
	pthread_join(w->thread, NULL);
	close(w->ifd);
	close(w->stop_fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int attr_watch_add(struct attr_watch *w, int fd, const char *name)
{
	struct attr_wd *watch = NULL;
	char path[32];
	int wd;

	if (!w)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	pthread_mutex_lock(&w->lock);
	wd = inotify_add_watch(w->ifd, path, IN_ATTRIB);
	if (wd >= 0)
		HASH_FIND_INT(w->watches, &wd, watch);
	if (wd >= 0 && !watch && (watch = calloc(1, sizeof(*watch)))) {
		watch->wd = wd;
		HASH_ADD_INT(w->watches, wd, watch);
		if (!watch->hh.tbl) {
			free(watch);
			watch = NULL;
		}
	}
	if (watch)
		watch->refs++;
	else if (wd >= 0)
		inotify_rm_watch(w->ifd, wd);
	pthread_mutex_unlock(&w->lock);
	if (watch)
		return wd;
	log_warn("%s: changes of mode and owner will not be noticed: %s%s", name,
		 wd < 0 ? strerror(errno) : "out of memory",
		 wd < 0 && errno == ENOSPC ? " (fs.inotify.max_user_watches)" : "");
	return 0;
}

void attr_watch_del(struct attr_watch *w, int wd)
{
	struct attr_wd *watch;

	if (!wd)
		return;
	pthread_mutex_lock(&w->lock);
	HASH_FIND_INT(w->watches, &wd, watch);
	if (watch && !--watch->refs) {
		HASH_DEL(w->watches, watch);
		free(watch);
		inotify_rm_watch(w->ifd, wd);
	}
	pthread_mutex_unlock(&w->lock);
}
