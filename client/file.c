// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client.h"
#include "layout.h"

#define OPEN_TRIES 5

void file_stat_from_wire(const iopmem_attr *a, struct iopmem_stat *st)
{
	*st = (struct iopmem_stat){
		.type = a->type, .mode = a->mode, .nlink = a->nlink,
		.uid = a->uid, .gid = a->gid, .fileid = a->fileid,
		.size = a->size, .space_used = a->space_used,
		.mtime_sec = a->mtime_sec, .mtime_nsec = a->mtime_nsec,
		.ctime_sec = a->ctime_sec, .ctime_nsec = a->ctime_nsec,
		.change = a->change,
	};
}

/* ---- references ---- */

struct iopmem_file *file_find_layout(struct iopmem_client *client, const iopmem_stateid *id)
{
	struct iopmem_file *f;
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

static void free_file(struct iopmem_file *f)
{
	layout_forget(f);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->cond);
	free(f->path);
	free(f);
}

void file_put(struct iopmem_file *file)
{
	bool last;

	pthread_mutex_lock(&file->client->lock);
	last = !--file->refs;
	pthread_mutex_unlock(&file->client->lock);
	if (last)
		free_file(file);
}

void file_release(struct iopmem_file *file)
{
	struct iopmem_file **p;

	pthread_mutex_lock(&file->client->lock);
	p = &file->client->files;
	while (*p && *p != file)
		p = &(*p)->next;
	if (*p)
		*p = file->next;
	pthread_mutex_unlock(&file->client->lock);
	file_put(file);
}

static struct iopmem_file *file_new(struct iopmem_client *client, const char *path)
{
	struct iopmem_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return NULL;
	}
	f->client = client;
	f->refs = 1;
	pthread_mutex_init(&f->lock, NULL);
	client_cond_init(&f->cond);
	return f;
}

static void file_publish(struct iopmem_file *f)
{
	struct iopmem_client *client = f->client;

	pthread_mutex_lock(&client->lock);
	f->next = client->files;
	client->files = f;
	/* The identity may have died since the reply. */
	f->stale = f->generation != client->session.generation ||
		   !client->session.identified;
	pthread_mutex_unlock(&client->lock);
}

/* ---- OPEN, CREATE ---- */

static int wire_open(struct iopmem_file *f, int flags, mode_t mode, struct iopmem_err *err)
{
	struct iopmem_client *client = f->client;
	unsigned int access = IOPMEM_ACCESS_READ | (f->writable ? IOPMEM_ACCESS_WRITE : 0);
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
	session_free(op);
	return 0;
}

static int wire_close(struct iopmem_file *f, struct iopmem_err *err)
{
	iopmem_stateid_args args = { .stateid = f->open };
	iopmem_status_res res;
	struct session_op op = SESSION_OP(CLOSE, stateid_args, status_res, &args, &res,
					  f->generation, SESSION_ONCE);

	return session_do(f->client, &f->client->main, &op, err, "close '%.250s'", f->path);
}

static int open_once(struct iopmem_client *client, const char *path, int flags, mode_t mode,
		     struct iopmem_file **file, struct iopmem_err *err)
{
	struct iopmem_file *f;
	int ret;

	f = file_new(client, path);
	if (!f)
		return err_set(err, ENOMEM, "open '%.250s'", path);
	f->writable = (flags & O_ACCMODE) != O_RDONLY;
	ret = wire_open(f, flags, mode, err);
	if (ret) {
		free_file(f);
		return ret;
	}
	file_publish(f);
	if ((flags & O_TRUNC) && f->size) {
		ret = iopmem_ftruncate(f, 0, err);
		if (ret) {
			wire_close(f, NULL);
			file_release(f);
			return ret;
		}
	}
	*file = f;
	return 0;
}

int iopmem_open(struct iopmem_client *client, const char *path, int flags,
		mode_t mode, struct iopmem_file **file, struct iopmem_err *err)
{
	int access = flags & O_ACCMODE, ret;
	unsigned int tries = 0;
	struct iopmem_err cause;

	if (!client || !path || !file || access == O_ACCMODE || strlen(path) > IOPMEM_PATH_MAX ||
	    (flags & ~(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)) ||
	    ((flags & O_TRUNC) && access == O_RDONLY))
		return err_msg(err, EINVAL, "open: invalid argument");
	/* Forgotten by the server between open and truncate: both depend on nothing older. */
	do {
		cause = (struct iopmem_err){ 0 };
		ret = open_once(client, path, flags, mode, file, &cause);
	} while (ret == -ESTALE && !(flags & O_EXCL) && ++tries < OPEN_TRIES);
	if (ret && err && !err->code)
		*err = cause;
	return ret;
}

/* ---- closing ---- */

static struct iopmem_lease *any_lease(struct iopmem_file *file)
{
	struct iopmem_lease *l;

	pthread_mutex_lock(&file->lock);
	l = file->leases;
	pthread_mutex_unlock(&file->lock);
	return l;
}

/* What no lease refers to any more, all at once. */
static int return_rest(struct iopmem_file *file, struct iopmem_err *err)
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

/* Assumes: no lease is left, so nothing is lost with what the server has forgotten (-ESTALE). */
static int close_rest(struct iopmem_file *file, struct iopmem_err *err)
{
	struct iopmem_err cause = { 0 };
	int ret, ret2 = 0;

	ret = return_rest(file, &cause);
	if (!file->stale)
		ret2 = wire_close(file, &cause);
	ret = ret && ret != -ESTALE ? ret : ret2;
	if (ret == -ESTALE)
		return 0;
	if (ret && !err->code)
		*err = cause;
	return ret;
}

int file_shutdown(struct iopmem_file *file, struct iopmem_err *err)
{
	struct iopmem_err scratch = { 0 };
	struct iopmem_lease *l;
	int ret = 0, one;

	if (!err)
		err = &scratch;
	while ((l = any_lease(file))) {
		one = iopmem_return(l, err);
		ret = ret ? ret : one;
	}
	one = close_rest(file, err);
	return ret ? ret : one;
}

int iopmem_close(struct iopmem_file *file, struct iopmem_err *err)
{
	int ret;

	if (!file)
		return err_msg(err, EINVAL, "close: no file");
	ret = file_shutdown(file, err);
	file_release(file);
	return ret;
}

/* ---- attributes ---- */

int iopmem_fstat(struct iopmem_file *file, struct iopmem_stat *st, struct iopmem_err *err)
{
	iopmem_stateid_args args;
	iopmem_attr_res res;
	int ret;

	if (!file || !st)
		return err_msg(err, EINVAL, "fstat: invalid argument");
	args = (iopmem_stateid_args){ .stateid = file->open };
	struct session_op op = SESSION_OP(GETATTR, stateid_args, attr_res, &args, &res,
					  file->generation, 0);
	ret = session_do(file->client, &file->client->main, &op, err, "stat '%.250s'",
			 file->path);
	if (ret)
		return ret;
	file_stat_from_wire(&res.iopmem_attr_res_u.attr, st);
	session_free(&op);
	return 0;
}

int iopmem_ftruncate(struct iopmem_file *file, uint64_t size, struct iopmem_err *err)
{
	struct backoff backoff = { 0 };
	struct iopmem_err cause;
	iopmem_setsize_args args;
	iopmem_attr_res res;
	uint64_t until;
	int ret;

	if (!file || size > INT64_MAX)
		return err_msg(err, EINVAL, "truncate: invalid argument");
	if (!file->writable)
		return err_msg(err, EBADF, "truncate '%s': it is open read-only", file->path);
	args = (iopmem_setsize_args){ .stateid = file->open, .size = size };
	struct session_op op = SESSION_OP(SETSIZE, setsize_args, attr_res, &args, &res,
					  file->generation, SESSION_ONCE);
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
	file->size = res.iopmem_attr_res_u.attr.size;
	pthread_mutex_unlock(&file->lock);
	session_free(&op);
	return 0;
}
