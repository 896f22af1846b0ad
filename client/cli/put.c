// SPDX-License-Identifier: BSD-3-Clause
/*
 * put: a thread reads the local file window by window; each window is leased,
 * written, committed and given back.  A recall in between loses nothing: the window
 * is still in memory and is written again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "progress.h"
#include "window.h"

#define PIECE (8U << 20)	/* one iopmem_write(): between two progress updates */
#define RECALLS_MAX 1000	/* of one window, then somebody is playing ping-pong */

struct put {
	const char *source;
	int fd;
	struct windows ws;
	struct remote remote;
	struct iopmem_file *file;
	struct iopmem_buf *buf;
	struct progress progress;
};

static void *read_source(void *arg)
{
	struct put *p = arg;
	uint64_t offset = 0;
	struct window *w;
	ssize_t n;

	while ((w = window_to_fill(&p->ws))) {
		w->len = 0;
		w->offset = offset;
		do {
			n = read(p->fd, w->data + w->len, WINDOW_BYTES - w->len);
			if (n > 0)
				w->len += (size_t)n;
		} while ((n > 0 && w->len < WINDOW_BYTES) || (n < 0 && errno == EINTR));
		if (n < 0) {
			windows_stop(&p->ws, errno);
			break;
		}
		offset += w->len;
		window_filled(&p->ws);
		if (!w->len)
			break;
	}
	return NULL;
}

static int write_once(struct put *p, const struct window *w, struct iopmem_err *err)
{
	struct iopmem_lease *lease;
	size_t done, n;
	ssize_t ret;

	ret = iopmem_lease(p->file, w->offset, w->len, IOPMEM_LEASE_RW, 0, &lease, err);
	if (ret)
		return (int)ret;
	for (done = 0; done < w->len; done += n) {
		n = w->len - done < PIECE ? w->len - done : PIECE;
		ret = iopmem_write(lease, p->buf, w->data + done, n, w->offset + done, err);
		if (ret < 0)
			break;
		progress_update(&p->progress, w->offset + done + n);
	}
	if (ret >= 0)
		ret = iopmem_commit(lease, err);
	if (ret < 0) {		/* what is left of it is written again */
		iopmem_return(lease, NULL);
		return (int)ret;
	}
	return iopmem_return(lease, err);
}

/*
 * The server restarted: what was committed is there, the handle is dead.  Positive
 * when the file is open again and still holds what was put so far.
 */
static int reopen(struct put *p, uint64_t committed, struct iopmem_err *err)
{
	struct iopmem_err cause = { 0 };
	struct iopmem_file *again;
	struct iopmem_stat st;
	int ret;

	if (iopmem_fstat(p->file, &st, NULL) != -ESTALE)
		return 1;	/* only the lease went */
	ret = iopmem_open(p->remote.client, p->remote.url.path, O_RDWR, 0, &again, err);
	if (ret)
		return ret;
	iopmem_close(p->file, NULL);
	p->file = again;
	ret = iopmem_fstat(p->file, &st, &cause);
	if (ret == -ESTALE)
		return 1;	/* forgotten again: the next attempt finds out */
	if (ret) {
		*err = cause;
		return ret;
	}
	if (st.size >= committed)
		return 1;
	err->code = ESTALE;
	snprintf(err->text, sizeof(err->text), "'%.300s' was changed meanwhile",
		 p->remote.url.path);
	return -ESTALE;
}

static int write_window(struct put *p, const struct window *w, struct iopmem_err *err)
{
	unsigned int tries = 0;
	int ret;

	for (;;) {
		struct iopmem_err cause = { 0 };

		ret = write_once(p, w, &cause);
		if ((ret != -ESTALE && ret != -ECONNRESET) || ++tries == RECALLS_MAX) {
			if (ret)
				*err = cause;
			return ret;
		}
		ret = reopen(p, w->offset, err);
		if (ret < 0)
			return ret;
	}
}

static int write_all(struct put *p, uint64_t *bytes, struct iopmem_err *err)
{
	struct window *w;
	pthread_t reader;
	int ret = 0;

	if (pthread_create(&reader, NULL, read_source, p)) {
		err->code = EAGAIN;
		snprintf(err->text, sizeof(err->text), "cannot start a thread");
		return -EAGAIN;
	}
	while (!ret && (w = window_to_empty(&p->ws)) && w->len) {
		ret = write_window(p, w, err);
		if (!ret)
			*bytes += w->len;
		window_emptied(&p->ws);
	}
	windows_stop(&p->ws, 0);
	pthread_join(reader, NULL);
	if (!ret && p->ws.error) {
		ret = -p->ws.error;
		err->code = p->ws.error;
		snprintf(err->text, sizeof(err->text), "read '%.300s': %s", p->source,
			 strerror(p->ws.error));
	}
	return ret;
}

static int put_remote(struct put *p, const char *url, uint64_t *bytes, struct iopmem_err *err)
{
	struct iopmem_err ignore = { 0 };
	int ret, ret2;

	ret = remote_open(url, &p->remote, err);
	if (ret)
		return ret;
	ret = iopmem_open(p->remote.client, p->remote.url.path, O_RDWR | O_CREAT | O_TRUNC, 0644,
			  &p->file, err);
	if (ret)
		goto disconnect;
	ret = iopmem_buf_register(p->remote.client, p->ws.memory, (size_t)WINDOWS * WINDOW_BYTES,
				  &p->buf, err);
	if (!ret) {
		ret = write_all(p, bytes, err);
		iopmem_buf_unregister(p->buf);
	}
	ret2 = iopmem_close(p->file, ret ? &ignore : err);
	ret = ret ? ret : ret2;
disconnect:
	remote_close(&p->remote);
	return ret;
}

int cmd_put(int argc, char **argv)
{
	const char *args[2];
	struct iopmem_err err = { 0 };
	struct put p = { .fd = STDIN_FILENO };
	int mode = PROGRESS_AUTO, ret;
	uint64_t bytes = 0;
	struct stat st;

	cli_args(argc, argv, "FILE URL",
		 "Write FILE (- for standard input) to URL, in place.", 2, args, &mode);
	p.source = args[0];
	if (strcmp(p.source, "-"))
		p.fd = open(p.source, O_RDONLY | O_CLOEXEC);
	if (p.fd < 0 || fstat(p.fd, &st) || (S_ISDIR(st.st_mode) && (errno = EISDIR))) {
		fprintf(stderr, "iopmem: put %s: %s\n", p.source, strerror(errno));
		return 1;
	}
	if (windows_init(&p.ws)) {
		fprintf(stderr, "iopmem: put %s: %s\n", p.source, strerror(ENOMEM));
		return 1;
	}
	progress_start(&p.progress, "put", mode, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
	ret = put_remote(&p, args[1], &bytes, &err);
	if (ret) {
		progress_abort(&p.progress);
		ret = cli_fail("put", args[1], &err);
	} else {
		progress_finish(&p.progress, bytes);
	}
	windows_fini(&p.ws);
	if (p.fd != STDIN_FILENO)
		close(p.fd);
	return ret;
}
