// SPDX-License-Identifier: BSD-3-Clause
/*
 * Memory kind "odp": regions over the file's own mapping, for NICs that page on demand.
 * Nothing is pinned: a page that XFS takes away is gone from the region by the kernel's
 * MMU notifiers, as from any mapping, so no key outlives its blocks, whoever dies in what
 * order.  The module's MAP and COMMIT are not used (our mapping keeps entries of the file
 * dirty, which they do not stand); its lease still tells us when to give the file back.
 *
 * A fault past EOF fails, so the file grows at the grant; see backing_grow.h.
 */
#include "backing_xfs.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kmod/uapi/iopmem.h"
#include "base/log.h"

/* Poll tells at any time; grants look again after the registration. */
static int check_intact(const struct backing_file *file, struct iopmem_err *err)
{
	struct pollfd p = { .fd = file->layout_fd, .events = POLLPRI };

	if (poll(&p, 1, 0) == 0)
		return 0;
	return err_msg(err, EAGAIN, "'%s': the layout is broken", file->path);
}

static int extend(struct backing_file *file, struct range r)
{
	struct iopmem_extend arg = { .size = sizeof(arg), .offset = r.offset,
				     .length = range_len(r) };

	while (ioctl(file->layout_fd, IOPMEM_IOC_EXTEND, &arg))
		if (errno != EINTR)
			return -errno;
	return 0;
}

int xfs_odp_trim(void *arg, uint64_t size)
{
	struct iopmem_trim trim = { .size = sizeof(trim), .new_size = size };
	const struct backing_file *file = arg;

	while (ioctl(file->layout_fd, IOPMEM_IOC_TRIM, &trim))
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The store first, then the file. */
static int grow(struct backing_file *file, struct range r, struct iopmem_err *err)
{
	struct range past = range_intersect(r, (struct range){ file->grow.grown, UINT64_MAX });
	uint64_t mask = file->exp->granule - 1;
	int ret;

	if (range_empty(past))
		return 0;
	past.offset &= ~mask;
	ret = grow_note(&file->grow, past.end, file->grow.committed, err);
	if (ret)
		return ret;
	ret = extend(file, past);
	if (ret == -EAGAIN)
		return err_msg(err, EAGAIN, "'%s': the layout is broken", file->path);
	if (ret)
		return err_set(err, -ret, "'%s': extend to %llu bytes", file->path,
			       (unsigned long long)past.end);
	grow_set(&file->grow, past.end);
	return 0;
}

static void add(struct backing_extent *ext, size_t room, size_t *n, struct range r,
		enum backing_extent_state state, bool no_commit)
{
	if (!range_empty(r) && *n < room)
		ext[(*n)++] = (struct backing_extent){ r, state, no_commit };
}

/* READ: what is a hole, or never written, has no memory. */
static int map_read(const struct backing_file *file, struct range r, struct backing_extent *ext,
		    size_t *n, struct iopmem_err *err)
{
	uint64_t granule = file->exp->granule;
	size_t room = *n;

	for (*n = 0; !range_empty(r) && *n < room;) {
		off_t data = lseek(file->fd, (off_t)r.offset, SEEK_DATA);
		off_t hole = lseek(file->fd, (off_t)r.offset, SEEK_HOLE);
		struct range part = r;
		bool none;

		if ((data < 0 || hole < 0) && errno != ENXIO)
			return err_set(err, errno, "'%s': find holes", file->path);
		none = data < 0 || ((uint64_t)data & ~(granule - 1)) > r.offset;
		if (none && data >= 0 && (uint64_t)data < r.end)
			part.end = (uint64_t)data & ~(granule - 1);
		else if (!none && hole >= 0 && (uint64_t)hole < r.end)
			part.end = round_up_sat((uint64_t)hole, granule);
		add(ext, room, n, part, none ? BACKING_NONE : BACKING_READ_DATA, !none);
		r.offset = part.end;
	}
	return 0;
}

int xfs_odp_map(struct backing_file *file, struct range range, enum backing_iomode mode,
		struct backing_extent *ext, size_t *n, uint64_t *size, struct iopmem_err *err)
{
	uint64_t inside = round_up_sat(file->grow.committed, file->exp->granule);
	struct range in = range_intersect(range, (struct range){ 0, inside });
	struct range past = range_intersect(range, (struct range){ inside, UINT64_MAX });
	size_t room = *n;
	int ret = check_intact(file, err);

	if (ret)
		return ret;
	*size = file->grow.committed;
	if (mode == BACKING_READ)
		return map_read(file, in, ext, n, err);
	if (!file->writable)
		return err_set(err, EBADF, "'%s': map for writing", file->path);
	file->wrote = true;
	if (!file->bumped)
		xfs_bump_mtime(file);
	ret = grow(file, range, err);
	if (!ret)
		ret = xfs_make_real(file, range, err);
	if (ret)
		return ret;
	*n = 0;
	add(ext, room, n, in, BACKING_RW_DATA, true);
	add(ext, room, n, past, BACKING_RW_DATA, false);
	return 0;
}

int xfs_odp_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		    struct memsrc *src, struct iopmem_err *err)
{
	int prot = PROT_READ | (mode == BACKING_RW ? PROT_WRITE : 0);
	void *addr;

	/* A fault of a page past EOF would fail, and so would the peer's access. */
	if (range.end > round_up_sat(grow_limit(&file->grow), file->exp->granule))
		return err_msg(err, ERANGE, "'%s': [%llu, %llu) is not mapped", file->path,
			       (unsigned long long)range.offset, (unsigned long long)range.end);
	addr = mmap(NULL, range_len(range), prot, MAP_SHARED, file->fd, (off_t)range.offset);
	if (addr == MAP_FAILED)
		return err_set(err, errno, "'%s': mmap %llu bytes at %llu", file->path,
			       (unsigned long long)range_len(range),
			       (unsigned long long)range.offset);
	*src = (struct memsrc){ addr, file->fd, range.offset, range_len(range),
				MEMSRC_ON_DEMAND, -1 };
	return 0;
}

/* Data, extents and the file system's size on disk first, then the store says that they count. */
int xfs_odp_commit(struct backing_file *file, const struct range *ranges, size_t n,
		   uint64_t new_size, uint64_t *size, struct iopmem_err *err)
{
	uint64_t limit = round_up_sat(file->grow.grown, file->exp->granule);
	int ret;

	for (size_t i = 0; i < n; i++)
		if (range_empty(ranges[i]) || ranges[i].end > limit)
			return err_msg(err, ERANGE, "'%s': commit of [%llu, %llu), not mapped",
				       file->path, (unsigned long long)ranges[i].offset,
				       (unsigned long long)ranges[i].end);
	if (new_size > file->grow.grown && new_size > file->grow.committed)
		return err_msg(err, ERANGE, "'%s': commit of size %llu, mapped up to %llu",
			       file->path, (unsigned long long)new_size,
			       (unsigned long long)file->grow.grown);
	if (new_size > file->grow.committed)
		xfs_bump_mtime(file);	/* as XFS does it at a commit */
	if (fsync(file->fd))
		return err_set(err, errno, "'%s': fsync", file->path);
	if (new_size > file->grow.committed) {
		ret = grow_commit(&file->grow, new_size, err);
		if (ret)
			return ret;
	}
	*size = file->grow.committed;
	return 0;
}
