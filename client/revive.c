// SPDX-License-Identifier: BSD-3-Clause
/*
 * Open files after the server has forgotten this client (it restarted, or the lease
 * expired): each is opened again when it is used next, by its handle, so that a name
 * that means another file by now leads nowhere.
 */
#include <errno.h>
#include <string.h>

#include "client.h"
#include "layout.h"
#include "server_io.h"

static unsigned int access_of(const struct file *f)
{
	return IOPMEM_ACCESS_READ | (f->writable ? IOPMEM_ACCESS_WRITE : 0) |
	       (f->shared ? IOPMEM_ACCESS_SHARED : 0);
}

/* An export without handles: by the path, if it is the same file. */
static int open_path(struct file *f, struct session_op *op, struct iopmem_err *err)
{
	const iopmem_open_res *res = op->res;
	const iopmem_open_ok *ok = &res->iopmem_open_res_u.ok;
	int ret;

	ret = session_do(f->client, &f->client->main, op, err, "open '%.250s' again", f->path);
	if (ret || ok->attr.fileid == f->fileid)
		return ret;
	file_close_wire(f, &ok->stateid, op->generation, NULL);
	session_free(op);
	return err_msg(err, ESTALE, "open '%.250s' again: another file has its name", f->path);
}

static int open_again(struct file *f, iopmem_open_res *res, uint64_t *generation,
		      struct iopmem_err *err)
{
	struct iopmem_client *client = f->client;
	iopmem_open_handle_args ha = {
		.handle = { f->handle_len, (char *)f->handle }, .access = access_of(f),
	};
	iopmem_open_args pa = {
		.export_name = client->export_name, .path = f->path, .access = access_of(f),
	};
	struct session_op by_handle = SESSION_OP(OPEN_HANDLE, open_handle_args, open_res, &ha, res,
						 0, SESSION_ONCE | SESSION_FRESH);
	struct session_op by_path = SESSION_OP(OPEN, open_args, open_res, &pa, res, 0,
					       SESSION_ONCE | SESSION_FRESH);
	struct session_op *op = f->handle_len ? &by_handle : &by_path;
	int ret;

	if (f->handle_len)
		ret = session_do(client, &client->main, op, err, "open '%.250s' again", f->path);
	else
		ret = open_path(f, op, err);
	*generation = op->generation;
	return ret;
}

/* Drops and takes file->lock. */
static int revive(struct file *f, struct iopmem_err *err)
{
	iopmem_open_res res;
	const iopmem_open_ok *ok = &res.iopmem_open_res_u.ok;
	uint64_t generation;
	int ret;

	pthread_mutex_unlock(&f->lock);
	ret = open_again(f, &res, &generation, err);
	pthread_mutex_lock(&f->lock);
	if (ret)
		return ret;
	layout_forget(f);
	server_io_lost(f);
	f->generation = generation;
	f->open = ok->stateid;
	f->size = ok->attr.size;
	/* It may have died again. */
	f->stale = generation != f->client->session.generation || !f->client->session.identified;
	xdr_free(SESSION_XDR(xdr_iopmem_open_res), &res);
	return f->stale ? err_msg(err, ESTALE, "open '%.250s' again: forgotten again", f->path) : 0;
}

int file_ensure(struct file *file, struct iopmem_err *err)
{
	int ret = 0;

	while (file->reviving)
		pthread_cond_wait(&file->cond, &file->lock);
	if (!file->stale)
		return 0;
	file->reviving = true;
	ret = revive(file, err);
	file->reviving = false;
	pthread_cond_broadcast(&file->cond);
	return ret;
}

int file_identity(struct file *file, iopmem_stateid *open, uint64_t *generation,
		  struct iopmem_err *err)
{
	int ret;

	pthread_mutex_lock(&file->lock);
	ret = file_ensure(file, err);
	*open = file->open;
	*generation = file->generation;
	pthread_mutex_unlock(&file->lock);
	return ret;
}
