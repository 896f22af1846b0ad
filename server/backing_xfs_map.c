// SPDX-License-Identifier: BSD-3-Clause
/* The ioctls of a layout: map, commit, unmap, and its memory. */
#include "backing_xfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kmod/uapi/iopmem.h"
#include "base/log.h"

#define REAL_TRIES	4	/* a local hole punch may undo one */
#define EXTENTS_FIRST	64
#define EXTENTS_MAX	(1U << 20)
#define COMMIT_RANGES	512

/* Extents as they come from the module, of one or more MAP calls. */
struct extents {
	struct iopmem_extent *e;
	uint32_t n, room;
};

static int check_range(const struct backing_file *file, struct range r, struct iopmem_err *err)
{
	uint64_t mask = file->exp->granule - 1;

	if (file->layout_fd < 0)
		return err_msg(err, EINVAL, "'%s': no layout", file->path);
	if (range_empty(r) || (r.offset & mask) || (r.end & mask))
		return err_msg(err, EINVAL, "'%s': range [%llu, %llu) is not a multiple of %u",
			       file->path, (unsigned long long)r.offset,
			       (unsigned long long)r.end, file->exp->granule);
	if (r.end > INT64_MAX)
		return err_set(err, EFBIG, "'%s': range ends at %llu", file->path,
			       (unsigned long long)r.end);
	return 0;
}

static bool extents_grow(struct extents *x)
{
	uint32_t room = x->room ? x->room * 2 : EXTENTS_FIRST;
	struct iopmem_extent *more;

	if (room > EXTENTS_MAX)
		return false;
	more = reallocarray(x->e, room, sizeof(*more));
	if (!more)
		return false;
	x->e = more;
	x->room = room;
	return true;
}

/* One MAP; its extents go behind those that are there.  Returns 0 or -errno. */
static int map_ioctl(struct backing_file *file, struct range r, uint32_t iomode,
		     struct extents *x)
{
	for (;;) {
		struct iopmem_map arg = { .size = sizeof(arg), .offset = r.offset,
					  .length = range_len(r), .iomode = iomode };

		if (x->n == x->room && !extents_grow(x))
			return -ENOMEM;
		arg.nr_extents = x->room - x->n;
		arg.extents = (uintptr_t)(x->e + x->n);
		if (!ioctl(file->layout_fd, IOPMEM_IOC_MAP, &arg)) {
			x->n += arg.nr_extents;
			return 0;
		}
		if (errno == E2BIG && extents_grow(x))
			continue;
		if (errno != EINTR)
			return -errno;
	}
}

static int map_error(struct backing_file *file, struct range r, int ret, struct iopmem_err *err)
{
	if (ret == -EAGAIN)
		return err_msg(err, EAGAIN, "'%s': the layout is broken", file->path);
	if (ret == -ETXTBSY)
		return err_msg(err, EAGAIN, "'%s': a local program has it mapped writable",
			       file->path);
	/* Somebody undoes what we do, all the time. */
	if (ret == -EUCLEAN)
		return err_msg(err, EAGAIN, "'%s': blocks of [%llu, %llu) do not stay real",
			       file->path, (unsigned long long)r.offset,
			       (unsigned long long)r.end);
	return err_set(err, -ret, "'%s': map [%llu, %llu)", file->path,
		       (unsigned long long)r.offset, (unsigned long long)r.end);
}

static int map_inside(struct backing_file *file, struct range r, struct extents *x,
		      struct iopmem_err *err)
{
	int ret, tries = 0;

	while ((ret = map_ioctl(file, r, IOPMEM_IOMODE_RW, x)) == -EUCLEAN &&
	       tries++ < REAL_TRIES) {
		ret = xfs_make_real(file, r, err);
		if (ret)
			return ret;
	}
	return ret ? map_error(file, r, ret, err) : 0;
}

static int map_rw(struct backing_file *file, struct range r, uint64_t inside, struct extents *x,
		  struct iopmem_err *err)
{
	struct range in = range_intersect(r, (struct range){ 0, inside });
	struct range past = range_intersect(r, (struct range){ inside, UINT64_MAX });
	int ret;

	if (!file->writable)
		return err_set(err, EBADF, "'%s': map for writing", file->path);
	file->wrote = true;
	if (!file->bumped)
		xfs_bump_mtime(file);
	if (!range_empty(in)) {
		ret = map_inside(file, in, x, err);
		if (ret)
			return ret;
	}
	if (!range_empty(past)) {
		ret = map_ioctl(file, past, IOPMEM_IOMODE_RW, x);
		if (ret)
			return map_error(file, past, ret, err);
	}
	return 0;
}

static bool same_run(const struct backing_extent *a, const struct backing_extent *b)
{
	return a->range.end == b->range.offset && a->state == b->state &&
	       a->no_commit == b->no_commit;
}

/* The layout is contiguous at file offsets: neighbours on the card do not matter. */
static int convert(const struct backing_file *file, const struct extents *x, struct range r,
		   struct backing_extent *ext, size_t *n, struct iopmem_err *err)
{
	uint64_t at = r.offset;
	size_t used = 0;

	for (uint32_t i = 0; i < x->n; i++) {
		const struct iopmem_extent *e = &x->e[i];
		struct backing_extent b = { .state = (enum backing_extent_state)e->state,
					    .no_commit = e->flags & IOPMEM_EXTENT_NO_COMMIT };

		if (e->file_offset != at || !range_make(at, e->length, &b.range) ||
		    b.range.end > r.end)
			return err_msg(err, EIO, "'%s': the module mapped [%llu, +%llu) for"
				       " [%llu, %llu)", file->path,
				       (unsigned long long)e->file_offset,
				       (unsigned long long)e->length, (unsigned long long)at,
				       (unsigned long long)r.end);
		at = b.range.end;
		if (used && same_run(&ext[used - 1], &b)) {
			ext[used - 1].range.end = b.range.end;
			continue;
		}
		if (used == *n)
			break;
		ext[used++] = b;
	}
	*n = used;
	return 0;
}

int xfs_map(struct backing_file *file, struct range range, enum backing_iomode mode,
	    struct backing_extent *ext, size_t *n, uint64_t *size, struct iopmem_err *err)
{
	struct extents x = { 0 };
	struct stat st;
	uint64_t inside;
	int ret = check_range(file, range, err);

	if (ret)
		return ret;
	if (file->exp->odp)
		return xfs_odp_map(file, range, mode, ext, n, size, err);
	/* No local write moves EOF while the lease holds; MAP fails when it does not. */
	if (fstat(file->fd, &st))
		return err_set(err, errno, "'%s': stat", file->path);
	inside = round_up_sat((uint64_t)st.st_size, file->exp->granule);
	if (mode == BACKING_RW) {
		ret = map_rw(file, range, inside, &x, err);
	} else {
		range = range_intersect(range, (struct range){ 0, inside });
		if (!range_empty(range)) {
			ret = map_ioctl(file, range, IOPMEM_IOMODE_READ, &x);
			if (ret)
				ret = map_error(file, range, ret, err);
		}
	}
	if (!ret)
		ret = convert(file, &x, range, ext, n, err);
	free(x.e);
	if (!ret)
		*size = (uint64_t)st.st_size;
	return ret;
}

int xfs_unmap(struct backing_file *file, struct range range, struct iopmem_err *err)
{
	struct iopmem_unmap arg = { .size = sizeof(arg), .offset = range.offset };
	int ret = check_range(file, range, err);

	if (ret || file->exp->odp)	/* odp: the memory went with mem_put */
		return ret;
	arg.length = range_len(range);
	while (ioctl(file->layout_fd, IOPMEM_IOC_UNMAP, &arg))
		if (errno != EINTR)
			return err_set(err, errno, "'%s': unmap [%llu, %llu)", file->path,
				       (unsigned long long)range.offset,
				       (unsigned long long)range.end);
	return 0;
}

static void count_mems(struct backing_file *file, int by)
{
	pthread_mutex_lock(&file->exp->lock);
	file->mems += (unsigned int)by;
	pthread_mutex_unlock(&file->exp->lock);
}

int xfs_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		struct memsrc *src, struct iopmem_err *err)
{
	/* Until Linux 6.2 ib_umem_get() pins for writing even what a peer may only
	 * read; the memory region's rights confine the peer. */
	int prot = PROT_READ | (mode == BACKING_RW || file->writable ? PROT_WRITE : 0);
	int ret = check_range(file, range, err);
	void *addr;

	if (ret)
		return ret;
	if (file->exp->odp)
		return xfs_odp_mem_get(file, range, mode, src, err);
	if (file->exp->dmabuf)
		return xfs_dmabuf_mem_get(file, range, mode, src, err);
	addr = mmap(NULL, range_len(range), prot, MAP_SHARED, file->layout_fd,
		    (off_t)range.offset);
	if (addr == MAP_FAILED)
		return err_set(err, errno, "'%s': mmap %llu bytes at %llu", file->path,
			       (unsigned long long)range_len(range),
			       (unsigned long long)range.offset);
	count_mems(file, 1);
	*src = (struct memsrc){ addr, file->layout_fd, range.offset, range_len(range),
				MEMSRC_PLAIN, -1 };
	return 0;
}

void xfs_mem_put(struct backing_file *file, struct memsrc *src)
{
	if (src->kind == MEMSRC_DMABUF && close(src->dmabuf))
		log_error("'%s': close a dma-buf: %s", file->path, strerror(errno));
	if (src->addr && munmap(src->addr, src->length))
		log_error("'%s': munmap: %s", file->path, strerror(errno));
	if (src->addr && src->kind == MEMSRC_PLAIN)
		count_mems(file, -1);
	*src = (struct memsrc){ .fd = -1 };
}

static int commit_ioctl(struct backing_file *file, struct iopmem_range *r, uint32_t n,
			uint64_t new_size, uint64_t *size)
{
	for (;;) {
		struct iopmem_commit arg = { .size = sizeof(arg), .new_size = new_size,
					     .ranges = (uintptr_t)r, .nr_ranges = n };

		if (!ioctl(file->layout_fd, IOPMEM_IOC_COMMIT, &arg)) {
			*size = arg.new_size;
			return 0;
		}
		if (errno != EINTR)
			return -errno;
	}
}

/* The size goes with the last chunk: then every byte below it is on the card. */
int xfs_commit(struct backing_file *file, const struct range *ranges, size_t n,
	       uint64_t new_size, uint64_t *size, struct iopmem_err *err)
{
	struct iopmem_range chunk[COMMIT_RANGES];
	uint64_t now = 0;
	size_t done = 0;

	if (file->layout_fd < 0)
		return err_msg(err, ERANGE, "'%s': commit without a layout", file->path);
	if (file->exp->odp)
		return xfs_odp_commit(file, ranges, n, new_size, size, err);
	do {
		size_t part = n - done < COMMIT_RANGES ? n - done : COMMIT_RANGES;
		bool last = done + part == n;
		int ret;

		for (size_t i = 0; i < part; i++)
			chunk[i] = (struct iopmem_range){ ranges[done + i].offset,
							  range_len(ranges[done + i]) };
		ret = commit_ioctl(file, chunk, (uint32_t)part, last ? new_size : 0, &now);
		if (ret)
			return err_set(err, -ret, "'%s': commit %zu ranges, size %llu",
				       file->path, n, (unsigned long long)new_size);
		done += part;
	} while (done < n);
	*size = now;
	return 0;
}

/*
 * Backup and NFS caches notice a change by mtime and i_version, and remote writes move
 * neither.  Takes the inode lock, hence not while memory is out (see backing_xfs.c):
 * then the bump at the close has to do.
 */
void xfs_bump_mtime(struct backing_file *file)
{
	bool safe;

	pthread_mutex_lock(&file->exp->lock);
	safe = !file->mems;
	pthread_mutex_unlock(&file->exp->lock);
	if (!safe)
		return;
	if (futimens(file->fd, NULL))
		log_warn("'%s': update mtime: %s", file->path, strerror(errno));
	file->bumped = true;
}
