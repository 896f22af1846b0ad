// SPDX-License-Identifier: BSD-3-Clause
/*
 * get: each window is leased for reading, read and given back; a thread writes the
 * local file meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "progress.h"
#include "window.h"

#define PIECE (8U << 20)
#define RECALLS_MAX 1000

struct get {
	const char *target;
	int fd;
	bool created;
	struct windows ws;
	struct remote remote;
	struct iopmem_file *file;
	struct iopmem_buf *buf;
	struct progress progress;
};

static int write_full(int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void *write_target(void *arg)
{
	struct get *g = arg;
	struct window *w;
	int error;

	while ((w = window_to_empty(&g->ws)) && w->len) {
		error = write_full(g->fd, w->data, w->len);
		if (error) {
			windows_stop(&g->ws, error);
			return NULL;
		}
		window_emptied(&g->ws);
	}
	return NULL;
}

static int read_once(struct get *g, const struct window *w, struct iopmem_err *err)
{
	struct iopmem_lease *lease;
	size_t done, n;
	ssize_t ret;

	ret = iopmem_lease(g->file, w->offset, w->len, IOPMEM_LEASE_READ, 0, &lease, err);
	if (ret)
		return (int)ret;
	for (done = 0; done < w->len; done += n) {
		n = w->len - done < PIECE ? w->len - done : PIECE;
		ret = iopmem_read(lease, g->buf, w->data + done, n, w->offset + done, err);
		if (ret < 0)
			break;
		progress_update(&g->progress, w->offset + done + n);
	}
	if (ret < 0) {
		iopmem_return(lease, NULL);
		return (int)ret;
	}
	return iopmem_return(lease, err);
}

/* Opens the remote file, again when the server forgets it before it tells the size. */
static int open_remote(struct get *g, struct iopmem_stat *st, struct iopmem_err *err)
{
	unsigned int tries = 0;
	int ret;

	for (;;) {
		struct iopmem_err cause = { 0 };

		ret = iopmem_open(g->remote.client, g->remote.url.path, O_RDONLY, 0, &g->file,
				  &cause);
		if (!ret) {
			ret = iopmem_fstat(g->file, st, &cause);
			if (!ret)
				return 0;
			iopmem_close(g->file, NULL);
			g->file = NULL;
		}
		if (ret != -ESTALE || ++tries == RECALLS_MAX) {
			*err = cause;
			return ret;
		}
	}
}

/* The server has forgotten this client, or only the lease went: the file is open again. */
static int reopen(struct get *g, uint64_t size, struct iopmem_err *err)
{
	struct iopmem_stat st;
	int ret;

	if (iopmem_fstat(g->file, &st, NULL) != -ESTALE)
		return 0;
	iopmem_close(g->file, NULL);
	g->file = NULL;
	ret = open_remote(g, &st, err);
	if (ret || st.size >= size)
		return ret;
	err->code = ESTALE;
	snprintf(err->text, sizeof(err->text), "'%.300s' was changed meanwhile",
		 g->remote.url.path);
	return -ESTALE;
}

static int read_window(struct get *g, const struct window *w, uint64_t size,
		       struct iopmem_err *err)
{
	unsigned int tries = 0;
	int ret;

	for (;;) {
		struct iopmem_err cause = { 0 };

		ret = read_once(g, w, &cause);
		if ((ret != -ESTALE && ret != -ECONNRESET) || ++tries == RECALLS_MAX) {
			if (ret)
				*err = cause;
			return ret;
		}
		ret = reopen(g, size, err);
		if (ret)
			return ret;
	}
}

static int read_all(struct get *g, uint64_t size, uint64_t *bytes, struct iopmem_err *err)
{
	struct window *w;
	pthread_t writer;
	bool end = false;
	int ret = 0;

	if (pthread_create(&writer, NULL, write_target, g)) {
		err->code = EAGAIN;
		snprintf(err->text, sizeof(err->text), "cannot start a thread");
		return -EAGAIN;
	}
	while (!ret && !end && (w = window_to_fill(&g->ws))) {
		w->offset = *bytes;
		w->len = size - *bytes < WINDOW_BYTES ? (size_t)(size - *bytes) : WINDOW_BYTES;
		end = !w->len;
		if (!end)
			ret = read_window(g, w, size, err);
		if (!ret) {
			*bytes += w->len;
			window_filled(&g->ws);
		}
	}
	if (ret)
		windows_stop(&g->ws, 0);
	pthread_join(writer, NULL);
	if (!ret && g->ws.error) {
		ret = -g->ws.error;
		err->code = g->ws.error;
		snprintf(err->text, sizeof(err->text), "write '%.300s': %s", g->target,
			 strerror(g->ws.error));
	}
	return ret;
}

static int open_target(struct get *g, struct iopmem_err *err)
{
	if (!strcmp(g->target, "-")) {
		g->fd = STDOUT_FILENO;
		return 0;
	}
	g->fd = open(g->target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	g->created = g->fd >= 0;
	if (g->fd < 0 && errno == EEXIST)
		g->fd = open(g->target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (g->fd >= 0)
		return 0;
	err->code = errno;
	snprintf(err->text, sizeof(err->text), "open '%.300s': %s", g->target, strerror(errno));
	return -err->code;
}

static int get_remote(struct get *g, const char *url, int mode, uint64_t *bytes,
		      struct iopmem_err *err)
{
	struct iopmem_stat st;
	int ret;

	ret = remote_open(url, &g->remote, err);
	if (ret)
		return ret;
	ret = open_remote(g, &st, err);
	if (ret)
		goto disconnect;
	/* only now: a wrong URL leaves the local file alone */
	ret = open_target(g, err);
	if (!ret)
		ret = iopmem_buf_register(g->remote.client, g->ws.memory,
					  (size_t)WINDOWS * WINDOW_BYTES, &g->buf, err);
	if (!ret) {
		progress_start(&g->progress, "get", mode, st.size);
		ret = read_all(g, st.size, bytes, err);
		iopmem_buf_unregister(g->buf);
	}
	if (g->file)
		iopmem_close(g->file, NULL);
disconnect:
	remote_close(&g->remote);
	return ret;
}

int cmd_get(int argc, char **argv)
{
	struct iopmem_err err = { 0 };
	struct get g = { .fd = -1 };
	int mode = PROGRESS_AUTO, ret;
	const char *args[2];
	uint64_t bytes = 0;

	cli_args(argc, argv, "URL FILE",
		 "Read URL into FILE (- for standard output).", 2, args, &mode);
	g.target = args[1];
	if (windows_init(&g.ws)) {
		fprintf(stderr, "iopmem: get %s: %s\n", args[0], strerror(ENOMEM));
		return 1;
	}
	ret = get_remote(&g, args[0], mode, &bytes, &err);
	if (g.fd >= 0 && close(g.fd) && !ret) {
		ret = -errno;
		err.code = errno;
		snprintf(err.text, sizeof(err.text), "close '%.300s': %s", g.target,
			 strerror(errno));
	}
	if (ret) {
		progress_abort(&g.progress);
		if (g.created)		/* a part is not taken for the whole */
			unlink(g.target);
		ret = cli_fail("get", args[0], &err);
	} else {
		progress_finish(&g.progress, bytes);
	}
	windows_fini(&g.ws);
	return ret;
}
