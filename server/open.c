// SPDX-License-Identifier: BSD-3-Clause
#include "open.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>
#include <string.h>

#include "client.h"
#include "file.h"
#include "rights.h"
#include "state.h"

#define RW ((uint32_t)(IOPMEM_ACCESS_READ | IOPMEM_ACCESS_WRITE))

struct opening {
	struct file_waiter waiter;
	struct file_job fj;
	struct file_sizes fs;
	struct call *call;
	bool created;
	int rc;
	struct iopmem_err err;
	uint32_t access;
	struct cred cred;
	struct stat st;
	struct handle handle;
};

bool open_access_valid(uint32_t access)
{
	return (access & RW) && !(access & ~(RW | IOPMEM_ACCESS_SHARED));
}

static void answer(struct opening *op, struct open *o)
{
	struct call *call = op->call;
	iopmem_open_ok *ok = &call->res.open.iopmem_open_res_u.ok;

	ok->handle.iopmem_handle_val = malloc(sizeof(op->handle.bytes));
	if (ok->handle.iopmem_handle_val) {
		memcpy(ok->handle.iopmem_handle_val, op->handle.bytes, op->handle.len);
		ok->handle.iopmem_handle_len = op->handle.len;
	}
	state_wire(&o->st, &ok->stateid);
	attr_from_stat(&ok->attr, &op->st);
	call_reply(call);
}

static void sized(struct file_sizes *fs)
{
	struct opening *op = container_of(fs, struct opening, fs);
	struct file *f = op->waiter.file;
	struct call *call = op->call;
	struct open *o = NULL;

	/* The rules of the export may have changed since the call came. */
	if (op->access & RW & ~export_leaves(f->exp, &call->addr, call->client->flavor)) {
		call_status(call, IOPMEM_ACCESS);
		file_put(f);
		return free(op);
	}
	if (!call->client->dying && !call->srv->stopping &&
	    call->client->usage.opens < call->srv->cfg.client_opens)
		o = open_new(call->client, f, op->access, &op->cred, &call->addr);
	if (o) {
		answer(op, o);
		/* The mode may have changed between the look and this open. */
		if (cred_uid(&op->cred) && cred_uid(&op->cred) != op->st.st_uid)
			rights_changed(f);
	} else {
		call_status(call, IOPMEM_DELAY);
		file_put(f);
	}
	free(op);
}

static void fail(struct opening *op, int rc, const struct iopmem_err *err)
{
	call_errno(op->call, rc, err);
	file_put(op->waiter.file);
	free(op);
}

static void look(struct opening *op)
{
	op->fs.st = &op->st;
	op->fs.n = 1;
	op->fs.done = sized;
	if (!file_sizes(op->waiter.file->exp, &op->fs))
		fail(op, -ENOMEM, NULL);
}

/* By the server's own descriptor: another one would keep everybody from a lease of "dir". */
static void sync_run(struct file_job *fj)
{
	struct opening *op = container_of(fj, struct opening, fj);

	op->rc = fj->file->exp->ops->sync(fj->file->bf, &op->err);
}

static void sync_done(struct file_job *fj)
{
	struct opening *op = container_of(fj, struct opening, fj);

	server_write_failed(op->call->srv, op->rc);
	if (op->rc)
		fail(op, op->rc, &op->err);
	else
		look(op);
}

static void ready(struct file_waiter *w)
{
	struct opening *op = (struct opening *)w;
	struct file *f = w->file;

	if (f->open_rc)
		return fail(op, f->open_rc, &f->open_err);
	if (!op->created)
		return look(op);
	op->fj.what = "fsync";
	op->fj.run = sync_run;
	op->fj.done = sync_done;
	file_submit(f, &op->fj);
}

int open_look(struct path_job *pj, uint32_t access)
{
	int rc = path_access(pj, access);

	if (!rc)
		handle_make(pj->exp, pj->fd, &pj->handle);
	return rc;
}

enum iopmem_status opens_admit(const struct call *call)
{
	enum iopmem_status status = IOPMEM_OK;
	struct open *o;

	DL_FOREACH(call->client->opens, o) {
		status = export_admit(o->file->exp, call);
		if (!status && (o->asked & IOPMEM_ACCESS_WRITE) &&
		    export_read_only(o->file->exp, call))
			status = IOPMEM_ROFS;
		if (status)
			break;
	}
	return status;
}

void open_finish(struct path_job *pj, uint32_t access)
{
	struct call *call = pj->call;
	struct opening *op;
	int fd = pj->fd;

	if (pj->rc) {
		call_errno(call, pj->rc, &pj->err);
		return path_job_free(pj);
	}
	if (!S_ISREG(pj->st.st_mode)) {
		call_status(call, S_ISDIR(pj->st.st_mode) ? IOPMEM_ISDIR : IOPMEM_BADTYPE);
		return path_job_free(pj);
	}
	op = calloc(1, sizeof(*op));
	if (!op) {
		call_status(call, IOPMEM_DELAY);
		return path_job_free(pj);
	}
	op->waiter.ready = ready;
	op->call = call;
	op->created = pj->created;
	op->access = access;
	op->cred = pj->cred;
	op->st = pj->st;
	op->handle = pj->handle;
	pj->fd = -1;
	if (!file_get(pj->exp, fd, &pj->st, pj->path, &op->waiter)) {
		free(op);
		call_status(call, IOPMEM_DELAY);
	}
	pj->call = NULL;
	path_job_free(pj);
}
