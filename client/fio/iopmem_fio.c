// SPDX-License-Identifier: BSD-3-Clause
/*
 * An external ioengine for fio: files of an iopmem-server, by libiopmem's queues.
 *
 *	ioengine=external:iopmem_fio.so, url=iopmem://host/export, filename=path
 *
 * Each job is a client of its own.  Its memory is registered when fio has allocated it, so
 * that nothing is copied; iodepth is how many operations are in progress.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fio.h>
#include <optgroup.h>

#include "iopmem.h"

#define COMPLETIONS 64U

struct options {
	void *pad;		/* fio's */
	char *url;
};

/* One operation: what must live as long as it does. */
struct slot {
	struct iovec iov;
};

struct engine {
	struct iopmem_client *client;
	struct iopmem_queue *queue;
	struct iopmem_buf *buf;
	struct iopmem_op *staged;	/* by queue(), until commit() */
	unsigned int nr_staged;
	struct io_u **done;		/* by getevents(), for event() */
};

static struct fio_option options[] = {
	{
		.name = "url", .lname = "iopmem URL", .type = FIO_OPT_STR_STORE,
		.off1 = offsetof(struct options, url),
		.help = "iopmem://host[:port]/export", .category = FIO_OPT_C_ENGINE,
		.group = FIO_OPT_G_INVALID,
	},
	{ .name = NULL },
};

static int failed(struct thread_data *td, const char *what, const struct iopmem_err *err)
{
	log_err("iopmem: %s: %s\n", what, err->text);
	td_verror(td, err->code, what);
	return 1;
}

static struct iopmem_file *file_of(const struct fio_file *f)
{
	return f->engine_data;
}

static void engine_cleanup(struct thread_data *td)
{
	struct engine *e = td->io_ops_data;

	if (!e)
		return;
	iopmem_queue_free(e->queue);
	iopmem_buf_unregister(e->buf);
	iopmem_disconnect(e->client);
	free(e->staged);
	free(e->done);
	free(e);
	td->io_ops_data = NULL;
}

/* The job's process or thread: connections are its own. */
static int engine_init(struct thread_data *td)
{
	struct iopmem_connect_args args = { .size = sizeof(args), .depth = td->o.iodepth };
	const struct options *o = td->eo;
	struct iopmem_err err = { 0 };
	struct engine *e;

	if (!o->url) {
		log_err("iopmem: the option url is missing\n");
		return 1;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return 1;
	td->io_ops_data = e;
	e->staged = calloc(td->o.iodepth, sizeof(*e->staged));
	e->done = calloc(td->o.iodepth, sizeof(struct io_u *));
	if (!e->staged || !e->done)
		return 1;
	if (iopmem_connect(o->url, &args, &e->client, &err) ||
	    iopmem_queue_new(e->client, td->o.iodepth, &e->queue, &err))
		return failed(td, o->url, &err);
	return 0;
}

static int engine_post_init(struct thread_data *td)
{
	struct engine *e = td->io_ops_data;
	struct iopmem_err err = { 0 };

	if (td->orig_buffer && td->orig_buffer_size &&
	    iopmem_buf_register(e->client, td->orig_buffer, td->orig_buffer_size, &e->buf, &err))
		return failed(td, "register memory", &err);
	return 0;
}

static int open_file(struct thread_data *td, struct fio_file *f)
{
	struct engine *e = td->io_ops_data;
	int flags = td_write(td) ? O_RDWR | (td->o.allow_create ? O_CREAT : 0) : O_RDONLY;
	struct iopmem_err err = { 0 };
	struct iopmem_file *file;

	if (iopmem_open(e->client, f->file_name, flags, 0644, &file, &err))
		return failed(td, f->file_name, &err);
	f->engine_data = file;
	return 0;
}

/* What was written stays: bandwidth that is lost with the process would be none. */
static int close_file(struct thread_data *td, struct fio_file *f)
{
	struct iopmem_err err = { 0 };
	int ret = 0;

	if (file_of(f) && iopmem_close(file_of(f), &err))
		ret = failed(td, f->file_name, &err);
	f->engine_data = NULL;
	return ret;
}

static int get_file_size(struct thread_data *td, struct fio_file *f)
{
	struct iopmem_err err = { 0 };
	struct iopmem_client *client;
	const struct options *o = td->eo;
	struct iopmem_stat st;
	int ret = 0;

	/* Before init(): a connection for the question. */
	if (!o->url || iopmem_connect(o->url, NULL, &client, &err))
		return failed(td, o->url ? o->url : "url", &err);
	if (!iopmem_stat(client, f->file_name, &st, &err))
		f->real_file_size = st.size;
	else if (err.code == ENOENT && td_write(td))
		f->real_file_size = td->o.size;
	else
		ret = failed(td, f->file_name, &err);
	iopmem_disconnect(client);
	if (!ret)
		fio_file_set_size_known(f);
	return ret;
}

static int io_u_init(struct thread_data *td, struct io_u *io_u)
{
	(void)td;
	io_u->engine_data = calloc(1, sizeof(struct slot));
	return io_u->engine_data ? 0 : 1;
}

static void io_u_free(struct thread_data *td, struct io_u *io_u)
{
	(void)td;
	free(io_u->engine_data);
	io_u->engine_data = NULL;
}

static enum fio_q_status queue(struct thread_data *td, struct io_u *io_u)
{
	struct engine *e = td->io_ops_data;
	struct slot *slot = io_u->engine_data;
	struct iopmem_op *op = &e->staged[e->nr_staged];

	if (e->nr_staged == td->o.iodepth)
		return FIO_Q_BUSY;
	fio_ro_check(td, io_u);
	*op = (struct iopmem_op){ .file = file_of(io_u->file), .user = io_u };
	switch (io_u->ddir) {
	case DDIR_READ:
		op->code = IOPMEM_OP_PREAD;
		break;
	case DDIR_WRITE:
		op->code = IOPMEM_OP_PWRITE;
		break;
	case DDIR_SYNC:
	case DDIR_DATASYNC:
		op->code = IOPMEM_OP_SYNC;
		break;
	default:
		io_u->error = EOPNOTSUPP;
		return FIO_Q_COMPLETED;
	}
	if (op->code != IOPMEM_OP_SYNC) {
		slot->iov = (struct iovec){ io_u->xfer_buf, io_u->xfer_buflen };
		op->iov = &slot->iov;
		op->iovcnt = 1;
		op->offset = io_u->offset;
	}
	e->nr_staged++;
	return FIO_Q_QUEUED;
}

static int commit(struct thread_data *td)
{
	struct engine *e = td->io_ops_data;
	struct iopmem_err err = { 0 };
	int n;

	while (e->nr_staged) {
		n = iopmem_submit(e->queue, e->staged, e->nr_staged, &err);
		if (n <= 0) {
			failed(td, "submit", &err);
			return -EIO;
		}
		io_u_mark_submit(td, (unsigned int)n);
		e->nr_staged -= (unsigned int)n;
		memmove(e->staged, e->staged + n, e->nr_staged * sizeof(*e->staged));
	}
	return 0;
}

static struct io_u *completed(const struct iopmem_completion *c)
{
	struct io_u *io_u = c->user;

	io_u->error = 0;
	io_u->resid = 0;
	if (c->result < 0)
		io_u->error = (unsigned int)-c->result;
	else if (!ddir_sync(io_u->ddir))
		io_u->resid = io_u->xfer_buflen - (unsigned long long)c->result;
	return io_u;
}

static int getevents(struct thread_data *td, unsigned int min, unsigned int max,
		     const struct timespec *t)
{
	struct iopmem_completion c[COMPLETIONS];
	struct engine *e = td->io_ops_data;
	unsigned int n = 0, want;
	int got, i;

	(void)t;
	do {
		want = max - n < COMPLETIONS ? max - n : COMPLETIONS;
		got = iopmem_poll(e->queue, c, want, n < min ? -1 : 0);
		if (got < 0)
			return got;
		for (i = 0; i < got; i++)
			e->done[n++] = completed(&c[i]);
	} while (n < min || (got && n < max));
	return (int)n;
}

static struct io_u *event(struct thread_data *td, int number)
{
	struct engine *e = td->io_ops_data;

	return e->done[number];
}

/* fio looks for this name. */
struct ioengine_ops ioengine = {
	.name = "iopmem",
	.version = FIO_IOOPS_VERSION,
	.flags = FIO_DISKLESSIO | FIO_NOEXTEND | FIO_NODISKUTIL,
	.init = engine_init,
	.post_init = engine_post_init,
	.cleanup = engine_cleanup,
	.open_file = open_file,
	.close_file = close_file,
	.get_file_size = get_file_size,
	.io_u_init = io_u_init,
	.io_u_free = io_u_free,
	.queue = queue,
	.commit = commit,
	.getevents = getevents,
	.event = event,
	.options = options,
	.option_struct_size = sizeof(struct options),
};
