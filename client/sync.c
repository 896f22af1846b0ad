// SPDX-License-Identifier: BSD-3-Clause
/* What a file's writer asks for afterwards: sync, append, what was lost. */
#include <errno.h>

#include "base/clock.h"
#include "cached.h"
#include "io.h"
#include "mem.h"
#include "server_io.h"

int sync_file(struct file *file, const struct iopmem_file *handle, struct iopmem_err *err)
{
	int ret = commit_file(file, handle, err), ret2 = server_sync(file, ret < 0 ? NULL : err);

	return ret < 0 || !ret2 ? ret : ret2;
}

int iopmem_sync(struct iopmem_file *file, struct iopmem_err *err)
{
	if (!file)
		return err_msg(err, EINVAL, "sync: no file");
	return sync_file(file->file, file, err);
}

int iopmem_file_return(struct iopmem_file *file, struct iopmem_err *err)
{
	int ret, ret2;

	if (!file)
		return err_msg(err, EINVAL, "return: no file");
	ret = sync_file(file->file, file, err);
	ret2 = cached_return(file->file, ret < 0 ? NULL : err);
	return ret < 0 || !ret2 ? ret : ret2;
}

size_t iopmem_file_lost(struct iopmem_file *handle, struct iopmem_range *ranges, size_t n)
{
	struct file *file;
	size_t i, count;

	if (!handle)
		return 0;
	file = handle->file;
	cached_settle(file);
	pthread_mutex_lock(&file->lock);
	count = file->lost.n;
	for (i = 0; ranges && i < count && i < n; i++) {
		ranges[i].offset = file->lost.v[i].r.offset;
		ranges[i].length = range_len(file->lost.v[i].r);
	}
	if (ranges && count <= n) {
		file->lost.n = 0;
		file->lost_error = 0;
	}
	pthread_mutex_unlock(&file->lock);
	return count;
}

/* ---- append ---- */

/* The end of file, at a moment when nobody else can move it: [end, end + len) is leased. */
static int find_end(struct iopmem_file *handle, size_t len, uint64_t until_ms,
		    struct iopmem_lease **lease, uint64_t *end, struct iopmem_err *err)
{
	struct file *file = handle->file;
	struct iopmem_stat before, after;
	int ret;

	for (;;) {
		ret = commit_file(file, handle, err);	/* what is ours is in the size */
		if (ret >= 0)
			ret = file_getattr(file, &before, err);
		if (ret)
			return ret;
		if (before.size > INT64_MAX || len > INT64_MAX - before.size)
			return err_msg(err, EFBIG, "append to '%s': it would end past 2^63",
				       file->path);
		ret = cached_get(file, (struct range){ before.size, before.size + len }, true,
				 until_ms, lease, err);
		if (ret)
			return ret;
		ret = file_getattr(file, &after, err);
		if (!ret && after.size == before.size &&
		    (*lease)->range.end >= before.size + len) {
			*end = after.size;
			return 0;
		}
		cached_put(*lease);
		if (!ret && after.size == before.size)	/* it ends too early: one that does not */
			ret = cached_return(file, err);
		if (ret)
			return ret;
		if (clock_ms() >= until_ms)
			return err_set(err, ETIMEDOUT, "append to '%s': others are faster",
				       file->path);
	}
}

/* Under this lease and no other: the end may be somebody else's when it is gone. */
static int write_under(struct iopmem_lease *lease, struct iovec *iov, uint64_t offset,
		       struct iopmem_err *err)
{
	size_t done = 0;
	struct mem m;
	int ret = 0;

	while (!ret && done < iov->iov_len) {
		ret = mem_get(lease->file->client, iov, done, iov->iov_len - done, true, &m, err);
		if (ret)
			break;
		struct io io = { lease, m.buf, m.iov, m.skip, true, offset + done, m.len };

		ret = io_run(&io, err);
		mem_put(&m, 0);
		done += m.len;
	}
	return ret;
}

/* Not committed: nothing to be written again there, it is appended again. */
static void forget_lost(struct file *file, struct range r)
{
	cached_settle(file);
	pthread_mutex_lock(&file->lock);
	written_clear(&file->lost, r);
	if (!file->lost.n)
		file->lost_error = 0;
	pthread_mutex_unlock(&file->lock);
}

static int append(struct iopmem_file *handle, struct iovec *iov, uint64_t *offset,
		  struct iopmem_err *err)
{
	struct file *file = handle->file;
	struct iopmem_client *client = file->client;
	uint64_t until = clock_ms() + client->timeout_ms + 2 * client->session.lease_ms;
	struct iopmem_lease *lease;
	struct iopmem_err cause;
	int ret;

	do {
		cause = (struct iopmem_err){ 0 };
		ret = find_end(handle, iov->iov_len, until, &lease, offset, &cause);
		if (ret)
			break;
		ret = write_under(lease, iov, *offset, &cause);
		cached_put(lease);
		if (!ret)
			ret = commit_file(file, handle, &cause);
		if (ret < 0)
			forget_lost(file, (struct range){ *offset, *offset + iov->iov_len });
	} while (ret == -ESTALE && !file->stale && clock_ms() < until);
	if (ret < 0 && err && !err->code)
		*err = cause;
	return ret < 0 ? ret : 0;
}

ssize_t iopmem_append(struct iopmem_file *file, const void *buf, size_t len, uint64_t *offset,
		      struct iopmem_err *err)
{
	union { const void *in; void *io; } p = { .in = buf };	/* only read from */
	struct iovec iov = { p.io, len };
	uint64_t at;
	int ret;

	if (!file || io_iov_len(&iov, 1) < 0)
		return err_msg(err, EINVAL, "append: invalid argument");
	if (!file->writable)
		return err_msg(err, EBADF, "append to '%s': it is open read-only", file->file->path);
	if (!len)
		return 0;
	pthread_mutex_lock(&file->file->client->append_lock);
	ret = append(file, &iov, &at, err);
	pthread_mutex_unlock(&file->file->client->append_lock);
	if (ret)
		return ret;
	if (offset)
		*offset = at;
	return (ssize_t)len;
}
