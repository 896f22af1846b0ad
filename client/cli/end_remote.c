// SPDX-License-Identifier: BSD-3-Clause
/*
 * Each window is moved, and committed when it was written.  A recall in between, a fence or
 * a restart of the server loses nothing: the window is still in memory and is moved again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "end.h"

#define LOSSES_MAX 1000	/* of one window, then somebody is playing ping-pong */

static ssize_t move_piece(struct end *e, bool writing, uint8_t *data, size_t n, uint64_t offset,
			  struct iopmem_err *err)
{
	ssize_t ret;

	if (writing)
		return iopmem_pwrite(e->file, data, n, offset, err);
	ret = iopmem_pread(e->file, data, n, offset, err);
	if (ret)
		return ret;
	err->code = EIO;
	snprintf(err->text, sizeof(err->text), "'%.300s' became shorter meanwhile", e->path);
	return -EIO;
}

static int move_once(struct end *e, const struct window *w, bool writing, struct iopmem_err *err)
{
	size_t done = 0, n;
	ssize_t ret;

	while (done < w->len) {
		n = w->len - done < PIECE ? w->len - done : PIECE;
		ret = move_piece(e, writing, w->data + done, n, w->offset + done, err);
		if (ret < 0)
			return (int)ret;
		done += (size_t)ret;
		if (e->progress)
			progress_update(e->progress, w->offset + done);
	}
	ret = writing ? iopmem_sync(e->file, err) : 0;
	return ret < 0 ? (int)ret : 0;
}

static int move(struct end *e, const struct window *w, bool writing, struct iopmem_err *err)
{
	struct iopmem_range lost[128];	/* as many as there can be */
	unsigned int tries = 0;
	int ret;

	for (;;) {
		struct iopmem_err cause = { 0 };

		ret = move_once(e, w, writing, &cause);
		if ((ret != -ESTALE && ret != -ECONNRESET) || ++tries == LOSSES_MAX) {
			if (ret)
				*err = cause;
			return ret;
		}
		iopmem_file_lost(e->file, lost, sizeof(lost) / sizeof(lost[0]));
	}
}

static int remote_read(struct end *e, struct window *w, struct iopmem_err *err)
{
	uint64_t left = w->offset < e->st.size ? e->st.size - w->offset : 0;

	if (w->len > left)
		w->len = (size_t)left;
	return w->len ? move(e, w, false, err) : 0;
}

static int remote_write(struct end *e, const struct window *w, struct iopmem_err *err)
{
	return move(e, w, true, err);
}

static int remote_resize(struct end *e, uint64_t size, struct iopmem_err *err)
{
	int ret = iopmem_ftruncate(e->file, size, err);

	if (!ret)
		e->st.size = size;
	return ret;
}

static int end_remote_close(struct end *e, struct iopmem_err *err)
{
	return iopmem_close(e->file, err);
}

/* Where data lies is not asked: NULL. */
static const struct end_ops remote_ops = {
	remote_read, remote_write, NULL, remote_resize, end_remote_close,
};

int end_open_remote(const struct place *p, int flags, uint32_t mode, struct end *e,
		    struct iopmem_err *err)
{
	int ret;

	*e = (struct end){ .ops = &remote_ops, .path = p->path, .remote = p->remote,
			   .seekable = true };
	ret = iopmem_open(p->remote->client, p->path, flags, mode, &e->file, err);
	if (ret)
		return ret;
	ret = iopmem_fstat(e->file, &e->st, err);
	if (ret)
		iopmem_close(e->file, NULL);
	return ret;
}

int end_open_source(const struct place *p, struct end *e, struct iopmem_err *err)
{
	return p->remote ? end_open_remote(p, O_RDONLY, 0, e, err) :
			   end_open_local(p, O_RDONLY, 0, e, err);
}

int end_open_sink(const struct place *p, uint32_t mode, bool keep, struct end *e,
		  struct iopmem_err *err)
{
	int flags = O_RDWR | O_CREAT | (keep ? 0 : O_TRUNC);

	return p->remote ? end_open_remote(p, flags, mode, e, err) :
			   end_open_local(p, flags, mode, e, err);
}
