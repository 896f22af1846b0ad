// SPDX-License-Identifier: BSD-3-Clause
#include "open.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "client.h"
#include "file.h"
#include "state.h"

struct opening {
	struct file_waiter waiter;
	struct file_sizes fs;
	struct call *call;
	uint32_t access;
	struct stat st;
};

static void answer(struct opening *op, struct open *o)
{
	struct call *call = op->call;
	iopmem_open_ok *ok = &call->res.open.iopmem_open_res_u.ok;

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

	if (!call->client->dying && !call->srv->stopping)
		o = calloc(1, sizeof(*o));
	if (o) {
		o->file = f;		/* takes the reference */
		o->access = op->access;
		state_add(call->srv, &o->st, STATE_OPEN, call->client);
		DL_APPEND(call->client->opens, o);
		answer(op, o);
	} else {
		call_status(call, IOPMEM_DELAY);
		file_put(f);
	}
	free(op);
}

static void ready(struct file_waiter *w)
{
	struct opening *op = (struct opening *)w;
	struct file *f = w->file;

	op->fs.st = &op->st;
	op->fs.n = 1;
	op->fs.done = sized;
	if (!f->open_rc && file_sizes(f->exp, &op->fs))
		return;
	call_errno(op->call, f->open_rc ? f->open_rc : -ENOMEM, &f->open_err);
	file_put(f);
	free(op);
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
	op->access = access;
	op->st = pj->st;
	pj->fd = -1;
	if (!file_get(pj->exp, fd, &pj->st, pj->path, &op->waiter)) {
		free(op);
		call_status(call, IOPMEM_DELAY);
	}
	pj->call = NULL;
	path_job_free(pj);
}
