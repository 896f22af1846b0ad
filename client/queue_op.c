// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <sys/eventfd.h>

#include "cached.h"
#include "queue.h"

#define container(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

int queue_op_check(const struct iopmem_queue *q, const struct iopmem_op *op,
		   struct iopmem_err *err)
{
	bool write = op->code == IOPMEM_OP_WRITE || op->code == IOPMEM_OP_PWRITE;
	ssize_t len = io_iov_len(op->iov, op->iovcnt);

	if (op->flags || op->reserved[0] || op->reserved[1] || op->reserved[2])
		return err_msg(err, EINVAL, "submit: flags and reserved fields must be 0");
	switch (op->code) {
	case IOPMEM_OP_READ:
	case IOPMEM_OP_WRITE:
		if (!op->lease || !op->buf || len < 0 || op->lease->file->client != q->client ||
		    op->buf->client != q->client)
			break;
		if (!io_in_buf(op->buf, op->iov, op->iovcnt))
			return err_msg(err, ERANGE, "submit: outside the buffer");
		return io_check(op->lease, write, (size_t)len, op->offset, err);
	case IOPMEM_OP_PREAD:
	case IOPMEM_OP_PWRITE:
		if (!op->file || len < 0 || op->file->file->client != q->client)
			break;
		if (write && !op->file->writable)
			return err_msg(err, EBADF, "write '%s': it is open read-only",
				       op->file->file->path);
		return 0;
	case IOPMEM_OP_COMMIT:
		if (!op->lease || op->lease->file->client != q->client)
			break;
		return 0;
	case IOPMEM_OP_SYNC:
		if (!op->file || op->file->file->client != q->client)
			break;
		return 0;
	default:
		break;
	}
	return err_msg(err, EINVAL, "submit: operation %u: invalid argument", op->code);
}

/* ---- the end of one; conn locked ---- */

static void wake(struct iopmem_queue *q)
{
	struct conn *c = &q->client->conn;

	if (q->polling) {
		pthread_cond_broadcast(&c->cond);
		if (c->sleeping)
			eventfd_write(c->wake_fd, 1);
	} else {
		eventfd_write(q->event_fd, 1);
	}
}

static void finish(struct queue_op *qo, ssize_t result)
{
	struct iopmem_queue *q = qo->queue;
	bool first = !q->done;

	qo->result = result;
	qo->next = NULL;
	*q->done_tail = qo;
	q->done_tail = &qo->next;
	q->pending--;
	if (first)
		wake(q);
}

/* By the call that can wait. */
static void defer(struct queue_op *qo)
{
	struct iopmem_queue *q = qo->queue;

	qo->job.run = queue_op_run;
	if (!worker_run(&q->client->workers, &qo->job))
		return;
	qo->next = NULL;
	*q->deferred_tail = qo;
	q->deferred_tail = &qo->next;
	wake(q);
}

static void complete(struct conn_wait *w)
{
	struct queue_op *qo = container(w, struct queue_op, wait);
	int status = w->status;

	io_end(qo->io.lease, qo->io.write, !status, qo->r);
	if (qo->pinned)
		cached_put(qo->io.lease);
	/* The lease has ended, for a call that takes another one; or only the connection broke. */
	if ((status && qo->pinned) || status == -ECONNRESET || status == -ENOTBLK)
		defer(qo);
	else
		finish(qo, status == -EACCES ? -ESTALE : status ? status : (ssize_t)range_len(qo->r));
}

void queue_op_run(struct worker_job *job)
{
	struct queue_op *qo = container(job, struct queue_op, job);
	const struct iopmem_op *op = &qo->op;
	ssize_t ret;

	switch (op->code) {
	case IOPMEM_OP_READ:
		ret = iopmem_readv(op->lease, op->buf, op->iov, op->iovcnt, op->offset, NULL);
		break;
	case IOPMEM_OP_WRITE:
		ret = iopmem_writev(op->lease, op->buf, op->iov, op->iovcnt, op->offset, NULL);
		break;
	case IOPMEM_OP_PREAD:
		ret = iopmem_preadv(op->file, op->iov, op->iovcnt, op->offset, NULL);
		break;
	case IOPMEM_OP_PWRITE:
		ret = iopmem_pwritev(op->file, op->iov, op->iovcnt, op->offset, NULL);
		break;
	case IOPMEM_OP_COMMIT:
		ret = iopmem_commit(op->lease, NULL);
		break;
	default:
		ret = iopmem_sync(op->file, NULL);
		break;
	}
	conn_lock(qo->queue->client);
	finish(qo, ret);
	conn_unlock(qo->queue->client);
}

/* ---- the start of one; conn locked ---- */

/* True: all is posted, or nothing more will be. */
static bool post(struct queue_op *qo)
{
	int ret = io_post(&qo->io, &qo->wait);

	if (!ret)
		return false;
	qo->wait.open = false;
	if (ret < 0 && !qo->wait.status)
		qo->wait.status = ret;
	if (qo->wait.done == qo->wait.posted)
		complete(&qo->wait);
	return true;
}

static bool post_rest(struct conn_backlog *b)
{
	struct queue_op *qo = container(b, struct queue_op, backlog);

	return post(qo);
}

/* Finds lease and memory with which it can go at once. */
static bool ready(struct queue_op *qo)
{
	struct iopmem_client *client = qo->queue->client;
	const struct iopmem_op *op = &qo->op;
	size_t len = (size_t)io_iov_len(op->iov, op->iovcnt);

	if (op->code == IOPMEM_OP_COMMIT || op->code == IOPMEM_OP_SYNC || !len ||
	    !conn_is_ready(client) || !session_is_fresh(client) ||
	    op->offset > INT64_MAX || len > INT64_MAX - op->offset)
		return false;
	qo->r = (struct range){ op->offset, op->offset + len };
	qo->io = (struct io){ .lease = op->lease, .buf = op->buf, .iov = op->iov,
			      .write = op->code == IOPMEM_OP_WRITE || op->code == IOPMEM_OP_PWRITE,
			      .offset = op->offset, .len = len };
	qo->pinned = false;
	while (!qo->io.iov->iov_len)
		qo->io.iov++;
	if (op->code == IOPMEM_OP_READ || op->code == IOPMEM_OP_WRITE)
		return io_try_begin(qo->io.lease);
	qo->io.buf = conn_find_buf(client, op->iov, op->iovcnt);
	if (!qo->io.buf)
		return false;
	qo->io.lease = cached_find(op->file->file, qo->r, qo->io.write);
	if (!qo->io.lease)
		return false;
	qo->pinned = true;
	if (io_try_begin(qo->io.lease))
		return true;
	cached_put(qo->io.lease);
	return false;
}

void queue_op_start(struct queue_op *qo)
{
	qo->wait = (struct conn_wait){ .complete = complete, .open = true };
	if (!ready(qo)) {
		defer(qo);
		return;
	}
	if (qo->queue->client->conn.backlog || !post(qo)) {	/* in turn */
		qo->backlog.post = post_rest;
		conn_backlog_add(qo->queue->client, &qo->backlog);
	}
}
