// SPDX-License-Identifier: BSD-3-Clause
/* I/O through the server on a backing's descriptor: the same for all of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "backing_priv.h"

int backing_read(int fd, const char *path, uint64_t size, void *buf, size_t *n, uint64_t offset,
		 bool *eof, struct iopmem_err *err)
{
	size_t want = offset >= size ? 0 :
		      size - offset < *n ? (size_t)(size - offset) : *n;
	size_t got = 0;

	while (got < want) {
		ssize_t rc = pread(fd, (char *)buf + got, want - got, (off_t)(offset + got));

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc < 0)
			return err_set(err, errno, "'%s': read %zu bytes at %llu", path, want,
				       (unsigned long long)offset);
		if (!rc)
			break;		/* somebody shrinks it just now */
		got += (size_t)rc;
	}
	*eof = got < want || offset + got >= size;
	*n = got;
	return 0;
}

int backing_write(int fd, const char *path, const void *buf, size_t *n, uint64_t offset,
		  struct iopmem_err *err)
{
	size_t put = 0;

	while (put < *n) {
		ssize_t rc = pwrite(fd, (const char *)buf + put, *n - put, (off_t)(offset + put));

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0 && put)
			break;		/* the next call says why */
		if (rc <= 0)
			return err_set(err, rc ? errno : EIO, "'%s': write %zu bytes at %llu", path,
				       *n, (unsigned long long)offset);
		put += (size_t)rc;
	}
	*n = put;
	return 0;
}

int backing_sync(int fd, const char *path, struct iopmem_err *err)
{
	return fsync(fd) ? err_set(err, errno, "'%s': fsync", path) : 0;
}

int backing_set_size(int fd, const char *path, uint64_t size, struct iopmem_err *err)
{
	if (size > INT64_MAX)
		return err_set(err, EFBIG, "'%s': set size", path);
	if (ftruncate(fd, (off_t)size) || fsync(fd))
		return err_set(err, errno, "'%s': set size %llu", path, (unsigned long long)size);
	return 0;
}

int backing_allocate(int fd, const char *path, struct range r, bool punch, struct iopmem_err *err)
{
	int mode = punch ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0;
	int rc;

	do {
		rc = fallocate(fd, mode, (off_t)r.offset, (off_t)range_len(r));
	} while (rc && errno == EINTR);
	if (rc || fsync(fd))
		return err_set(err, errno, "'%s': %s %llu bytes at %llu", path,
			       punch ? "punch" : "allocate", (unsigned long long)range_len(r),
			       (unsigned long long)r.offset);
	return 0;
}
