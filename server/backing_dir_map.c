// SPDX-License-Identifier: BSD-3-Clause
/* Ranges of a "dir" file as memory: growing them, mapping them, committing them. */
#include "backing_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

#define ZERO_CHUNK	(1U << 20)

static int check_range(const struct backing_file *file, struct range r, struct iopmem_err *err)
{
	uint64_t mask = file->exp->granule - 1;

	if (range_empty(r) || (r.offset & mask) || (r.end & mask))
		return err_msg(err, EINVAL, "'%s': range [%llu, %llu) is not a multiple of %u",
			       file->path, (unsigned long long)r.offset,
			       (unsigned long long)r.end, file->exp->granule);
	if (r.end > INT64_MAX)
		return err_set(err, EFBIG, "'%s': range ends at %llu", file->path,
			       (unsigned long long)r.end);
	return 0;
}

/* Returns 0 or -errno. */
static int write_zeroes(int fd, struct range r)
{
	char *zero = calloc(1, ZERO_CHUNK);
	int ret = 0;

	if (!zero)
		return -ENOMEM;
	while (!range_empty(r)) {
		size_t len = range_len(r) < ZERO_CHUNK ? (size_t)range_len(r) : ZERO_CHUNK;
		ssize_t n = pwrite(fd, zero, len, (off_t)r.offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ret = n ? -errno : -EIO;
			break;
		}
		r.offset += (uint64_t)n;
	}
	free(zero);
	return ret;
}

/*
 * Without fallocate: zeroes into the holes of @r.  A range that a peer holds has no
 * holes, since its grant filled them, so that no byte of a peer is overwritten.
 */
static int fill_holes(int fd, struct range r)
{
	while (!range_empty(r)) {
		off_t hole = lseek(fd, (off_t)r.offset, SEEK_HOLE);
		off_t data;
		int ret;

		if (hole < 0)
			return errno == ENXIO ? 0 : -errno;
		if ((uint64_t)hole >= r.end)
			return 0;
		data = lseek(fd, hole, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return -errno;
		if (data < 0 || (uint64_t)data > r.end)
			data = (off_t)r.end;
		ret = write_zeroes(fd, (struct range){ (uint64_t)hole, (uint64_t)data });
		if (ret)
			return ret;
		r.offset = (uint64_t)data;
	}
	return 0;
}

/* Blocks for all of @r, so that no store into a mapping can fail; size at least r.end. */
static int make_real(int fd, struct range r, uint64_t size)
{
	int ret;

	do {
		ret = fallocate(fd, 0, (off_t)r.offset, (off_t)range_len(r)) ? -errno : 0;
	} while (ret == -EINTR);
	if (ret != -EOPNOTSUPP && ret != -ENOSYS)
		return ret;
	/* What is new is written, also where the file system cannot tell holes. */
	if (size < r.end) {
		ret = write_zeroes(fd, (struct range){ r.offset > size ? r.offset : size,
						       r.end });
		if (ret)
			return ret;
	}
	return fill_holes(fd, r);
}

static int grow(struct backing_file *file, struct range r, struct iopmem_err *err)
{
	uint64_t before = file->grow.grown;
	struct stat st;
	int ret;

	if (r.end > before) {
		ret = grow_note(&file->grow, r.end, file->grow.committed, err);
		if (ret)
			return ret;
	}
	ret = make_real(file->fd, r, before);
	/* Nobody has memory past @before yet: give back what a failed attempt took. */
	if (ret && !fstat(file->fd, &st) && (uint64_t)st.st_size > before &&
	    ftruncate(file->fd, (off_t)before))
		log_error("'%s': trim: %s", file->path, strerror(errno));
	if (!fstat(file->fd, &st))
		grow_set(&file->grow, (uint64_t)st.st_size);
	if (ret)
		return err_set(err, -ret, "'%s': allocate %llu bytes at %llu", file->path,
			       (unsigned long long)range_len(r), (unsigned long long)r.offset);
	return 0;
}

static size_t put_extents(struct range r, uint64_t inside, enum backing_extent_state state,
			  struct backing_extent *ext, size_t room)
{
	struct range part[2] = { range_intersect(r, (struct range){ 0, inside }),
				 range_intersect(r, (struct range){ inside, UINT64_MAX }) };
	size_t n = 0;

	for (int i = 0; i < 2; i++) {
		if (range_empty(part[i]))
			continue;
		if (n == room)
			break;
		ext[n++] = (struct backing_extent){ part[i], state, i == 0 };
	}
	return n;
}

/* Remote writes through live mappings need not have moved mtime. */
void dir_touch(struct backing_file *file)
{
	if (futimens(file->fd, NULL))
		log_warn("'%s': update mtime: %s", file->path, strerror(errno));
	file->touched = true;
}

int dir_map(struct backing_file *file, struct range range, enum backing_iomode mode,
	    struct backing_extent *ext, size_t *n, uint64_t *size, struct iopmem_err *err)
{
	uint64_t inside;
	int ret = check_range(file, range, err);

	if (ret)
		return ret;
	if (!dir_lease_intact(file))
		return err_msg(err, EAGAIN, "'%s': the layout is broken", file->path);
	inside = round_up_sat(file->grow.committed, file->exp->granule);
	if (mode == BACKING_READ) {
		range = range_intersect(range, (struct range){ 0, inside });
		*n = range_empty(range) ? 0 :
			put_extents(range, inside, BACKING_READ_DATA, ext, *n);
		*size = file->grow.committed;
		return 0;
	}
	if (!file->writable)
		return err_set(err, EBADF, "'%s': map for writing", file->path);
	ret = grow(file, range, err);
	if (ret)
		return ret;
	if (!file->touched)
		dir_touch(file);
	*n = put_extents(range, inside, BACKING_RW_DATA, ext, *n);
	*size = file->grow.committed;
	return 0;
}

int dir_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		struct memsrc *src, struct iopmem_err *err)
{
	bool rw = mode == BACKING_RW;
	uint64_t limit;
	void *addr;
	int ret = check_range(file, range, err);

	if (ret)
		return ret;
	limit = grow_limit(&file->grow);
	/* A touch of a page past EOF would be SIGBUS. */
	if (range.end > round_up_sat(limit, file->exp->granule))
		return err_msg(err, ERANGE, "'%s': [%llu, %llu) is not mapped", file->path,
			       (unsigned long long)range.offset, (unsigned long long)range.end);
	if (rw && !file->writable)
		return err_set(err, EBADF, "'%s': memory for writing", file->path);
	addr = mmap(NULL, range_len(range), PROT_READ | (rw ? PROT_WRITE : 0), MAP_SHARED,
		    file->fd, (off_t)range.offset);
	if (addr == MAP_FAILED)
		return err_set(err, errno, "'%s': mmap %llu bytes at %llu", file->path,
			       (unsigned long long)range_len(range),
			       (unsigned long long)range.offset);
	/* tmpfs allocates for a read of a hole: fail here, not with SIGBUS later. */
	if (!rw && file->exp->tmpfs && madvise(addr, range_len(range), MADV_POPULATE_READ)) {
		ret = err_set(err, errno == EFAULT ? ENOSPC : errno, "'%s': read holes",
			      file->path);
		munmap(addr, range_len(range));
		return ret;
	}
	*src = (struct memsrc){ addr, file->fd, range.offset, range_len(range),
				 MEMSRC_PLAIN, -1 };
	return 0;
}

void dir_mem_put(struct backing_file *file, struct memsrc *src)
{
	if (src->addr && munmap(src->addr, src->length))
		log_error("'%s': munmap: %s", file->path, strerror(errno));
	*src = (struct memsrc){ .fd = -1 };
}

static int check_commit(const struct backing_file *file, const struct range *ranges, size_t n,
			uint64_t new_size, struct iopmem_err *err)
{
	uint64_t limit = round_up_sat(file->grow.grown, file->exp->granule);
	int ret;

	if (!file->grow.on)
		return err_msg(err, ERANGE, "'%s': commit without a layout", file->path);
	for (size_t i = 0; i < n; i++) {
		ret = check_range(file, ranges[i], err);
		if (ret)
			return ret;
		if (i && ranges[i].offset < ranges[i - 1].end)
			return err_msg(err, EINVAL, "'%s': commit ranges overlap", file->path);
		if (ranges[i].end > limit)
			return err_msg(err, ERANGE, "'%s': commit of [%llu, %llu), not mapped",
				       file->path, (unsigned long long)ranges[i].offset,
				       (unsigned long long)ranges[i].end);
	}
	if (new_size > file->grow.grown && new_size > file->grow.committed)
		return err_msg(err, ERANGE, "'%s': commit of size %llu, mapped up to %llu",
			       file->path, (unsigned long long)new_size,
			       (unsigned long long)file->grow.grown);
	return 0;
}

/* Data and size on disk first, then the store says that they count. */
int dir_commit(struct backing_file *file, const struct range *ranges, size_t n,
	       uint64_t new_size, uint64_t *size, struct iopmem_err *err)
{
	int ret = check_commit(file, ranges, n, new_size, err);

	if (ret)
		return ret;
	if (new_size > file->grow.committed)
		dir_touch(file);
	if (fdatasync(file->fd))
		return err_set(err, errno, "'%s': fdatasync", file->path);
	if (new_size > file->grow.committed) {
		ret = grow_commit(&file->grow, new_size, err);
		if (ret)
			return ret;
	}
	*size = file->grow.committed;
	return 0;
}
