// SPDX-License-Identifier: BSD-3-Clause
#include "server_io.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cached.h"

/* One call until it is not "not now".  Our own layouts are in the way first. */
static int ask(struct file *file, struct session_op *op, const char *what,
	       uint64_t until_ms, struct iopmem_err *err)
{
	struct iopmem_client *client = file->client;
	struct backoff backoff = { 0 };
	struct iopmem_err cause = { 0 };
	unsigned int status;
	int ret;

	for (;;) {
		ret = session_call(client, &client->main, op, &status, &cause);
		if (ret)
			return err_msg(err, -ret, "%s '%.250s' through the server: %.150s", what,
				       file->path, cause.text);
		if (!status)
			return 0;
		session_free(op);
		if (!status_is_retry(status))
			return err_msg(err, -status_to_errno(status),
				       "%s '%.250s' through the server: %s", what, file->path,
				       status_text(status));
		if (clock_ms() >= until_ms)
			return err_set(err, ETIMEDOUT, "%s '%.250s' through the server: %s", what,
				       file->path, status_text(status));
		if (status == IOPMEM_RECALLCONFLICT)
			cached_return(file, NULL);
		backoff_sleep(&backoff);
	}
}

ssize_t server_read(struct file *file, void *addr, size_t len, uint64_t offset,
		    uint64_t until_ms, struct iopmem_err *err)
{
	iopmem_read_args args = { .offset = offset };
	iopmem_read_res res;
	const iopmem_read_ok *ok = &res.iopmem_read_res_u.ok;
	struct session_op op = SESSION_OP(READ, read_args, read_res, &args, &res, 0, 0);
	ssize_t n;
	int ret;

	ret = file_identity(file, &args.stateid, &op.generation, err);
	if (ret)
		return ret;
	args.count = len < IOPMEM_IO_MAX ? (u_int)len : IOPMEM_IO_MAX;
	ret = ask(file, &op, "read", until_ms, err);
	if (ret)
		return ret;
	n = (ssize_t)(ok->data.data_len < args.count ? ok->data.data_len : args.count);
	if (n)
		memcpy(addr, ok->data.data_val, (size_t)n);
	session_free(&op);
	return n;
}

void server_io_lost(struct file *file)
{
	size_t i;

	for (i = 0; i < file->unstable.n; i++)
		written_add(&file->lost, file->unstable.v[i].r);
	if (file->unstable.n && !file->lost_error)
		file->lost_error = -ESTALE;
	file->unstable.n = 0;
}

static int do_write(struct file *file, iopmem_write_args *args, uint64_t generation,
		    uint64_t until_ms, iopmem_write_ok *done, struct iopmem_err *err)
{
	iopmem_write_res res;
	struct session_op op = SESSION_OP(WRITE, write_args, write_res, args, &res, generation,
					  SESSION_ONCE);
	int ret = ask(file, &op, args->data.data_len ? "write" : "sync", until_ms, err);

	if (ret)
		return ret;
	*done = res.iopmem_write_res_u.ok;
	session_free(&op);
	pthread_mutex_lock(&file->lock);
	if (file->unstable.n && memcmp(file->verifier, done->verifier, sizeof(file->verifier)))
		server_io_lost(file);
	memcpy(file->verifier, done->verifier, sizeof(file->verifier));
	file->size = done->size;
	pthread_mutex_unlock(&file->lock);
	return 0;
}

ssize_t server_write(struct file *file, const void *addr, size_t len, uint64_t offset,
		     uint64_t until_ms, struct iopmem_err *err)
{
	union { const void *in; char *out; } data = { .in = addr };
	iopmem_write_args args = { .offset = offset, .stable = IOPMEM_UNSTABLE };
	iopmem_write_ok ok;
	uint64_t generation;
	int ret;

	ret = file_identity(file, &args.stateid, &generation, err);
	if (ret)
		return ret;
	args.data.data_val = data.out;
	args.data.data_len = len < IOPMEM_IO_MAX ? (u_int)len : IOPMEM_IO_MAX;
	ret = do_write(file, &args, generation, until_ms, &ok, err);
	if (ret)
		return ret;
	if (!ok.count || ok.count > args.data.data_len)
		return err_msg(err, EPROTO, "write '%.250s': %u bytes of %u", file->path, ok.count,
			       args.data.data_len);
	pthread_mutex_lock(&file->lock);
	if (ok.committed == IOPMEM_UNSTABLE)
		written_add(&file->unstable, (struct range){ offset, offset + ok.count });
	pthread_mutex_unlock(&file->lock);
	return ok.count;
}

int server_sync(struct file *file, struct iopmem_err *err)
{
	iopmem_write_args args = { .stable = IOPMEM_FILE_SYNC };
	iopmem_write_ok ok;
	uint64_t generation;
	bool needed;
	int ret;

	pthread_mutex_lock(&file->lock);
	needed = file->unstable.n;
	pthread_mutex_unlock(&file->lock);
	if (!needed)
		return 0;
	ret = file_identity(file, &args.stateid, &generation, err);
	if (!ret)
		ret = do_write(file, &args, generation, clock_ms() + file->client->timeout_ms, &ok,
			       err);
	if (ret)
		return ret;
	pthread_mutex_lock(&file->lock);
	file->unstable.n = 0;	/* what was not forgotten by then */
	if (file->lost.n)
		ret = err_msg(err, ESTALE, "sync '%s': bytes that were written are lost",
			      file->path);
	pthread_mutex_unlock(&file->lock);
	return ret;
}
