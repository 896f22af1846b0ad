// SPDX-License-Identifier: BSD-3-Clause
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

#define ENTRIES_MAX 65536

static void free_queue(struct iopmem_queue *q)
{
	if (q->poll_fd >= 0)
		close(q->poll_fd);
	if (q->event_fd >= 0)
		close(q->event_fd);
	free(q->ops);
	free(q);
}

int iopmem_queue_new(struct iopmem_client *client, uint32_t entries,
		     struct iopmem_queue **queue, struct iopmem_err *err)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct iopmem_queue *q;
	uint32_t i;
	int ret;

	if (!client || !queue || !entries || entries > ENTRIES_MAX)
		return err_msg(err, EINVAL, "queue: invalid argument");
	q = calloc(1, sizeof(*q));
	if (!q)
		return err_set(err, ENOMEM, "queue");
	q->client = client;
	q->done_tail = &q->done;
	q->deferred_tail = &q->deferred;
	q->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	q->ops = calloc(entries, sizeof(*q->ops));
	if (q->event_fd < 0 || q->poll_fd < 0 || !q->ops ||
	    epoll_ctl(q->poll_fd, EPOLL_CTL_ADD, q->event_fd, &ev) ||
	    epoll_ctl(q->poll_fd, EPOLL_CTL_ADD, client->conn.poll_fd, &ev)) {
		ret = err_set(err, q->ops ? errno : ENOMEM, "queue of %u entries", entries);
		free_queue(q);
		return ret;
	}
	for (i = 0; i < entries; i++) {
		q->ops[i].queue = q;
		q->ops[i].next = q->free;
		q->free = &q->ops[i];
	}
	pthread_mutex_lock(&client->lock);
	q->next = client->queues;
	client->queues = q;
	pthread_mutex_unlock(&client->lock);
	*queue = q;
	return 0;
}

int iopmem_queue_fd(const struct iopmem_queue *queue)
{
	return queue ? queue->poll_fd : -EINVAL;
}

int iopmem_submit(struct iopmem_queue *queue, const struct iopmem_op *ops, unsigned int n,
		  struct iopmem_err *err)
{
	struct queue_op *qo;
	unsigned int i;
	int ret = 0;

	if (!queue || (n && !ops) || n > INT32_MAX)
		return err_msg(err, EINVAL, "submit: invalid argument");
	conn_lock(queue->client);
	for (i = 0; i < n && queue->free; i++) {
		ret = queue_op_check(queue, &ops[i], i ? NULL : err);
		if (ret)
			break;
		qo = queue->free;
		queue->free = qo->next;
		qo->op = ops[i];
		queue->pending++;
		queue_op_start(qo);
	}
	conn_kick(queue->client);
	conn_unlock(queue->client);
	return i ? (int)i : ret;
}

/* Moves what is done to @c.  Assumes: conn locked. */
static unsigned int take(struct iopmem_queue *q, struct iopmem_completion *c, unsigned int n)
{
	struct queue_op *qo;
	unsigned int i;

	for (i = 0; i < n && (qo = q->done); i++) {
		q->done = qo->next;
		if (!q->done)
			q->done_tail = &q->done;
		c[i] = (struct iopmem_completion){ .user = qo->op.user, .result = qo->result };
		qo->next = q->free;
		q->free = qo;
	}
	return i;
}

/* Does what no thread does for us.  Drops and takes conn's lock. */
static bool run_deferred(struct iopmem_queue *q)
{
	struct queue_op *qo = q->deferred;

	if (!qo)
		return false;
	q->deferred = qo->next;
	if (!q->deferred)
		q->deferred_tail = &q->deferred;
	conn_unlock(q->client);
	queue_op_run(&qo->job);
	conn_lock(q->client);
	return true;
}

/* The descriptor says no more than there is.  Assumes: conn locked. */
static void settle_fd(struct iopmem_queue *q)
{
	eventfd_t ignored;

	if (q->done || q->deferred)
		eventfd_write(q->event_fd, 1);
	else
		eventfd_read(q->event_fd, &ignored);
	conn_watch(q->client);
}

int iopmem_poll(struct iopmem_queue *queue, struct iopmem_completion *completions,
		unsigned int n, int timeout_ms)
{
	struct iopmem_client *client;
	unsigned int got;
	uint64_t until;

	if (!queue || !completions || !n || n > INT32_MAX)
		return -EINVAL;
	client = queue->client;
	until = timeout_ms < 0 ? UINT64_MAX : timeout_ms ? clock_ms() + (unsigned int)timeout_ms : 0;
	conn_lock(client);
	queue->polling = true;
	for (;;) {
		conn_reap(client);
		got = take(queue, completions, n);
		if (got || !queue->pending)
			break;
		if (run_deferred(queue))
			continue;
		if (!timeout_ms || !conn_step_until(client, until))
			break;
	}
	queue->polling = false;
	settle_fd(queue);
	conn_unlock(client);
	return (int)got;
}

void iopmem_queue_free(struct iopmem_queue *queue)
{
	struct iopmem_completion c[16];
	struct iopmem_client *client;
	struct iopmem_queue **p;

	if (!queue)
		return;
	client = queue->client;
	while (iopmem_poll(queue, c, 16, -1) > 0)
		;
	pthread_mutex_lock(&client->lock);
	p = &client->queues;
	while (*p && *p != queue)
		p = &(*p)->next;
	if (*p)
		*p = queue->next;
	pthread_mutex_unlock(&client->lock);
	free_queue(queue);
}
