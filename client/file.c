// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cached.h"
#include "client.h"
#include "layout.h"

/* ---- references ---- */

struct file *file_find_layout(struct iopmem_client *client, const iopmem_stateid *id)
{
	struct file *f;
	bool match;

	pthread_mutex_lock(&client->lock);
	for (f = client->files; f; f = f->next) {
		pthread_mutex_lock(&f->lock);
		match = f->layout_present && !f->stale &&
			!memcmp(f->layout.other, id->other, sizeof(id->other));
		pthread_mutex_unlock(&f->lock);
		if (match) {
			f->refs++;
			break;
		}
	}
	pthread_mutex_unlock(&client->lock);
	return f;
}

static void free_file(struct file *f)
{
	layout_forget(f);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->cond);
	free(f->path);
	free(f);
}

void file_put(struct file *file)
{
	bool last;

	pthread_mutex_lock(&file->client->lock);
	last = !--file->refs;
	if (last)
		pthread_cond_broadcast(&file->client->files_cond);
	pthread_mutex_unlock(&file->client->lock);
	if (last)
		free_file(file);
}

static void file_release(struct file *file)
{
	struct file **p;

	pthread_mutex_lock(&file->client->lock);
	p = &file->client->files;
	while (*p && *p != file)
		p = &(*p)->next;
	if (*p)
		*p = file->next;
	pthread_mutex_unlock(&file->client->lock);
	file_put(file);
}

static struct file *file_new(struct iopmem_client *client, const char *path)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return NULL;
	}
	f->client = client;
	f->refs = f->handles = 1;
	f->level = IOPMEM_LEVEL_POWER_LOSS;
	pthread_mutex_init(&f->lock, NULL);
	client_cond_init(&f->cond);
	return f;
}

/* ---- OPEN, CREATE ---- */

static int wire_open(struct file *f, int flags, mode_t mode, struct iopmem_err *err)
{
	struct iopmem_client *client = f->client;
	unsigned int access = IOPMEM_ACCESS_READ | (f->writable ? IOPMEM_ACCESS_WRITE : 0) |
			      (f->shared ? IOPMEM_ACCESS_SHARED : 0);
	iopmem_open_args oa = {
		.export_name = client->export_name, .path = f->path, .access = access,
	};
	iopmem_create_args ca = {
		.export_name = client->export_name, .path = f->path, .access = access,
		.mode = mode & 07777, .guarded = !!(flags & O_EXCL),
	};
	iopmem_open_res res;
	struct session_op open_op = SESSION_OP(OPEN, open_args, open_res, &oa, &res, 0,
					       SESSION_ONCE | SESSION_FRESH);
	struct session_op create_op = SESSION_OP(CREATE, create_args, open_res, &ca, &res, 0,
						 SESSION_ONCE | SESSION_FRESH);
	struct session_op *op = flags & O_CREAT ? &create_op : &open_op;
	uint64_t until = clock_ms() + client->timeout_ms;
	struct backoff backoff = { 0 };
	struct iopmem_err cause;
	int ret;

	for (;;) {
		cause = (struct iopmem_err){ 0 };
		ret = session_do(client, &client->main, op, &cause, "open '%.250s'", f->path);
		if (ret != -EAGAIN || clock_ms() >= until)
			break;
		backoff_sleep(&backoff);
	}
	if (ret) {
		if (err && !err->code)
			*err = cause;
		return ret;
	}
	f->generation = op->generation;
	f->open = res.iopmem_open_res_u.ok.stateid;
	f->size = res.iopmem_open_res_u.ok.attr.size;
	f->fileid = res.iopmem_open_res_u.ok.attr.fileid;
	f->handle_len = res.iopmem_open_res_u.ok.handle.iopmem_handle_len;
	if (f->handle_len)
		memcpy(f->handle, res.iopmem_open_res_u.ok.handle.iopmem_handle_val,
		       f->handle_len);
	session_free(op);
	return 0;
}

int file_close_wire(struct file *f, const iopmem_stateid *open, uint64_t generation,
		    struct iopmem_err *err)
{
	iopmem_stateid_args args = { .stateid = *open };
	iopmem_status_res res;
	struct session_op op = SESSION_OP(CLOSE, stateid_args, status_res, &args, &res,
					  generation, SESSION_ONCE);

	return session_do(f->client, &f->client->main, &op, err, "close '%.250s'", f->path);
}

/* The one that is open already, with one handle more; waits for one that is being closed. */
static struct file *find_open(struct iopmem_client *client, const struct file *f)
{
	struct file *g;

	for (g = client->files; g; g = g->next) {
		if (g->fileid != f->fileid || g->handle_len != f->handle_len ||
		    memcmp(g->handle, f->handle, f->handle_len))
			continue;
		if (!g->handles) {
			pthread_cond_wait(&client->files_cond, &client->lock);
			return find_open(client, f);
		}
		g->handles++;
		return g;
	}
	return NULL;
}

/* @f is open on the wire.  NULL: it is the only one and in the list now. */
static struct file *publish(struct file *f)
{
	struct iopmem_client *client = f->client;
	struct file *g;

	pthread_mutex_lock(&client->lock);
	g = find_open(client, f);
	if (!g) {
		f->next = client->files;
		client->files = f;
		/* The identity may have died since the reply. */
		f->stale = f->generation != client->session.generation ||
			   !client->session.identified;
	}
	pthread_mutex_unlock(&client->lock);
	return g;
}

/* Of two opens of one file the one with more rights stays; of two equal ones that is not shared. */
static int merge(struct file *g, const struct file *f, struct iopmem_err *err)
{
	bool better = f->writable == g->writable ? g->shared && !f->shared : f->writable;
	iopmem_stateid rest = f->open;
	uint64_t generation = f->generation;
	int ret;

	pthread_mutex_lock(&g->lock);
	ret = file_ensure(g, err);
	if (!ret && better && f->generation == g->generation) {
		rest = g->open;
		g->open = f->open;
		g->writable = f->writable;
		g->shared = f->shared;
	} else if (!ret && better) {
		ret = err_msg(err, ESTALE, "open '%.250s': the server was lost meanwhile", f->path);
	}
	pthread_mutex_unlock(&g->lock);
	file_close_wire(g, &rest, generation, NULL);
	return ret;
}

int file_open(struct iopmem_client *client, const char *path, int flags, mode_t mode,
	      struct file **file, struct iopmem_err *err)
{
	struct file *f = file_new(client, path), *g;
	int ret;

	if (!f)
		return err_set(err, ENOMEM, "open '%.250s'", path);
	f->writable = (flags & O_ACCMODE) != O_RDONLY;
	f->shared = flags & IOPMEM_O_SHARED;
	ret = wire_open(f, flags, mode, err);
	if (ret) {
		free_file(f);
		return ret;
	}
	g = publish(f);
	if (g) {
		ret = merge(g, f, err);
		free_file(f);
		f = g;
	}
	if (!ret && (flags & O_TRUNC) && f->size)
		ret = file_setsize(f, 0, err);
	if (ret)
		file_close(f, NULL, NULL);
	else
		*file = f;
	return ret;
}

/* ---- closing ---- */

/* One that was taken through @handle (NULL: any). */
static struct iopmem_lease *any_lease(struct file *file, const struct iopmem_file *handle)
{
	struct iopmem_lease *l;

	pthread_mutex_lock(&file->lock);
again:
	for (l = file->leases; l && handle && l->handle != handle; l = l->next)
		;
	if (l && l->users) {		/* being given back for its age */
		pthread_cond_wait(&file->cond, &file->lock);
		goto again;
	}
	pthread_mutex_unlock(&file->lock);
	return l;
}

/* What no lease refers to any more, all at once. */
static int return_rest(struct file *file, struct iopmem_err *err)
{
	struct layout_return *lr = calloc(1, sizeof(*lr));
	int ret = 0;

	if (!lr)
		return err_set(err, ENOMEM, "close '%s'", file->path);
	lr->r = (struct range){ 0, UINT64_MAX };
	pthread_mutex_lock(&file->lock);
	layout_begin(file, UINT64_MAX);
	if (file->layout_present && !file->stale)
		ret = layout_return(file, &file->client->main, lr, err);
	layout_end(file);
	pthread_mutex_unlock(&file->lock);
	free(lr);
	return ret;
}

/* Returns the leases of @handle, or all.  First error. */
static int return_leases(struct file *file, const struct iopmem_file *handle,
			 struct iopmem_err *err)
{
	struct iopmem_lease *l;
	int ret = 0, one;

	while ((l = any_lease(file, handle))) {
		one = iopmem_return(l, ret ? NULL : err);
		ret = ret ? ret : one;
	}
	return ret;
}

int file_close(struct file *file, struct iopmem_file *handle, struct iopmem_err *err)
{
	struct iopmem_err scratch = { 0 };
	int ret = 0, one;
	bool last;

	if (!err)
		err = &scratch;
	ret = sync_file(file, handle, err);
	ret = ret < 0 ? ret : 0;
	if (handle) {
		one = return_leases(file, handle, err);
		ret = ret ? ret : one;
	}
	pthread_mutex_lock(&file->client->lock);
	last = !--file->handles;
	pthread_mutex_unlock(&file->client->lock);
	if (!last)
		return ret;
	one = cached_return(file, err);
	ret = ret ? ret : one;
	one = return_leases(file, NULL, err);
	ret = ret ? ret : one;
	one = return_rest(file, err);
	ret = ret ? ret : one;
	if (!file->stale) {	/* else there is nothing to close */
		one = file_close_wire(file, &file->open, file->generation, err);
		ret = ret ? ret : one;
	}
	file_release(file);
	return ret;
}

/* ---- attributes ---- */

int file_getattr(struct file *file, struct iopmem_stat *st, struct iopmem_err *err)
{
	iopmem_stateid_args args = { 0 };
	iopmem_attr_res res;
	int ret;

	struct session_op op = SESSION_OP(GETATTR, stateid_args, attr_res, &args, &res, 0, 0);
	ret = file_identity(file, &args.stateid, &op.generation, err);
	if (ret)
		return ret;
	ret = session_do(file->client, &file->client->main, &op, err, "stat '%.250s'",
			 file->path);
	if (ret)
		return ret;
	file_stat_from_wire(&res.iopmem_attr_res_u.attr, st);
	session_free(&op);
	return 0;
}

int file_setsize(struct file *file, uint64_t size, struct iopmem_err *err)
{
	struct backoff backoff = { 0 };
	struct iopmem_err cause;
	iopmem_setsize_args args;
	iopmem_attr_res res;
	uint64_t until;
	int ret;

	args = (iopmem_setsize_args){ .size = size };
	struct session_op op = SESSION_OP(SETSIZE, setsize_args, attr_res, &args, &res, 0,
					  SESSION_ONCE);
	ret = file_identity(file, &args.stateid, &op.generation, err);
	if (ret)
		return ret;
	/* It may wait for every other client to return or to be fenced. */
	op.timeout_ms = file->client->timeout_ms + 2 * file->client->session.lease_ms;
	until = clock_ms() + op.timeout_ms;
	for (;;) {
		cause = (struct iopmem_err){ 0 };
		ret = session_do(file->client, &file->client->main, &op, &cause,
				 "truncate '%.250s' to %llu", file->path,
				 (unsigned long long)size);
		if (ret != -EAGAIN || clock_ms() >= until)
			break;
		backoff_sleep(&backoff);
	}
	if (ret) {
		if (err && !err->code)
			*err = cause;
		return ret;
	}
	pthread_mutex_lock(&file->lock);
	/* What it recalled has gone back, but who did that may not have settled yet what was written. */
	while (file->recalls)
		pthread_cond_wait(&file->cond, &file->lock);
	file->size = res.iopmem_attr_res_u.attr.size;
	pthread_mutex_unlock(&file->lock);
	session_free(&op);
	return 0;
}
