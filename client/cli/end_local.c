// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "end.h"

static int local_read(struct end *e, struct window *w, struct iopmem_err *err)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = e->seekable ? pread(e->fd, w->data + done, w->len - done,
					(off_t)(w->offset + done)) :
				  read(e->fd, w->data + done, w->len - done);
		if (n > 0)
			done += (size_t)n;
	} while ((n > 0 && done < w->len) || (n < 0 && errno == EINTR));
	if (n < 0)
		return cli_error(err, errno, "read", e->path);
	w->len = done;
	return 0;
}

static int local_write(struct end *e, const struct window *w, struct iopmem_err *err)
{
	size_t done = 0;
	ssize_t n;

	while (done < w->len) {
		n = e->seekable ? pwrite(e->fd, w->data + done, w->len - done,
					 (off_t)(w->offset + done)) :
				  write(e->fd, w->data + done, w->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cli_error(err, n ? errno : EIO, "write", e->path);
		done += (size_t)n;
	}
	return 0;
}

static void local_next_data(struct end *e, uint64_t *data, uint64_t *end)
{
	off_t at = lseek(e->fd, (off_t)*data, SEEK_DATA), hole;

	if (at < 0) {		/* ENXIO: only a hole is left. Else: not known here */
		if (errno == ENXIO && *data < e->st.size)
			*data = e->st.size;
		return;
	}
	*data = (uint64_t)at;
	hole = lseek(e->fd, at, SEEK_HOLE);
	if (hole > at)
		*end = (uint64_t)hole;
}

static int local_resize(struct end *e, uint64_t size, struct iopmem_err *err)
{
	return ftruncate(e->fd, (off_t)size) ? cli_error(err, errno, "truncate", e->path) : 0;
}

static int local_close(struct end *e, struct iopmem_err *err)
{
	if (e->fd > STDERR_FILENO && close(e->fd))
		return cli_error(err, errno, "close", e->path);
	return 0;
}

static const struct end_ops local_ops = {
	local_read, local_write, local_next_data, local_resize, local_close,
};

int end_open_local(const struct place *p, int flags, uint32_t mode, struct end *e,
		   struct iopmem_err *err)
{
	bool pipe = !strcmp(p->path, "-"), sink = (flags & O_ACCMODE) != O_RDONLY;
	struct stat st;
	int fd = sink ? STDOUT_FILENO : STDIN_FILENO;
	bool created = false;

	if (!pipe && (flags & O_CREAT)) {
		fd = open(p->path, flags | O_EXCL | O_CLOEXEC, mode);
		created = fd >= 0;
	}
	if (!pipe && !created && (!(flags & O_CREAT) || errno == EEXIST))
		fd = open(p->path, flags | O_CLOEXEC, mode);
	/* A device or a pipe may be writable only. */
	if (fd < 0 && errno == EACCES && sink)
		fd = open(p->path, (flags & ~O_ACCMODE) | O_WRONLY | O_CLOEXEC, mode);
	if (fd < 0 || fstat(fd, &st) || (S_ISDIR(st.st_mode) && (errno = EISDIR))) {
		cli_error(err, errno, "open", p->path);
		if (fd > STDERR_FILENO)
			close(fd);
		return -err->code;
	}
	*e = (struct end){ .ops = &local_ops, .path = p->path, .fd = fd, .created = created,
			   .seekable = S_ISREG(st.st_mode) && !pipe };
	e->st.type = S_ISREG(st.st_mode) ? IOPMEM_STAT_REG : 0;
	e->st.mode = st.st_mode & 07777;
	e->st.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	e->st.space_used = (uint64_t)st.st_blocks * 512;
	return 0;
}
