// SPDX-License-Identifier: BSD-3-Clause
/*
 * WRITE through the server, RFC 8881 section 18.32.  It is a local write like any other:
 * XFS would wait for all layouts of the file, so all are recalled first, the caller's own
 * too, and the call is answered at once (RFC 8434 section 3.1).
 */
#include <string.h>

#include "client.h"
#include "export.h"
#include "recall.h"
#include "state.h"
#include "work.h"

struct writing {
	struct work w;
	size_t n;
	bool sync;
};

static int run(struct work *w)
{
	const iopmem_write_args *args = w->call->args;
	struct writing *wr = (struct writing *)w;
	struct file *f = w->fj.file;
	int rc = 0;

	wr->n = args->data.data_len;
	if (wr->n)
		rc = f->exp->ops->write(f->bf, args->data.data_val, &wr->n, args->offset, &w->err);
	if (!rc && wr->sync)
		rc = f->exp->ops->sync(f->bf, &w->err);
	return rc;
}

static void done(struct work *w)
{
	struct writing *wr = (struct writing *)w;
	struct call *call = w->call;
	iopmem_write_ok *ok = &call->res.write.iopmem_write_res_u.ok;

	if (w->rc)
		return call_errno(call, w->rc, &w->err);
	ok->count = (u_int)wr->n;
	ok->committed = wr->sync ? IOPMEM_FILE_SYNC : IOPMEM_UNSTABLE;
	memcpy(ok->verifier, call->srv->write_verifier, sizeof(ok->verifier));
	ok->size = (uint64_t)w->st.st_size;
	call_reply(call);
}

static enum iopmem_status check(const iopmem_write_args *args, const struct open *o)
{
	enum iopmem_status status = open_may(o, IOPMEM_ACCESS_WRITE);

	if (status)
		return status;
	if (args->stable != IOPMEM_UNSTABLE && args->stable != IOPMEM_DATA_SYNC &&
	    args->stable != IOPMEM_FILE_SYNC)
		return IOPMEM_INVAL;
	if (args->data.data_len > UINT64_MAX - args->offset)
		return IOPMEM_INVAL;
	if (args->offset + args->data.data_len > INT64_MAX)
		return IOPMEM_FBIG;
	return IOPMEM_OK;
}

void op_write(struct call *call)
{
	const iopmem_write_args *args = call->args;
	enum iopmem_status status;
	struct writing *wr;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->stateid, &o);
	if (!status)
		status = check(args, o);
	if (status)
		return call_status(call, status);
	if (args->data.data_len && !layout_table_empty(&o->file->table)) {
		recall_file(o->file, call->client, (struct range){ 0, UINT64_MAX },
			    "a client writes through the server");
		return call_status(call, IOPMEM_RECALLCONFLICT);
	}
	wr = work_new(call, sizeof(*wr));
	if (!wr)
		return;
	wr->w.alone = args->data.data_len > 0;
	wr->w.what = "write";
	wr->w.run = run;
	wr->sync = args->stable != IOPMEM_UNSTABLE;
	work_start(&wr->w, o->file, done);
}
