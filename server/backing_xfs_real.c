// SPDX-License-Identifier: BSD-3-Clause
/*
 * Blocks inside EOF are made real by write faults: XFS itself allocates, zeroes and
 * converts, atomically against a local store through a mapping.  Zeroing them here
 * could wipe such a store.  Write faults break no lease.
 */
#include "backing_xfs.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK	(64ULL << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

/* A fault past EOF and a fault without space look alike (SIGBUS). */
static int fault_error(struct backing_file *file, struct range r, int code)
{
	struct stat st;

	if (code != EFAULT)
		return code;
	if (fstat(file->fd, &st))
		return errno;
	return round_up_sat((uint64_t)st.st_size, file->exp->granule) < r.end ? EAGAIN : ENOSPC;
}

static int populate(struct backing_file *file, struct range r)
{
	size_t len = (size_t)range_len(r);
	int code = 0;
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd,
			  (off_t)r.offset);

	if (addr == MAP_FAILED)
		return errno;
	while (madvise(addr, len, MADV_POPULATE_WRITE)) {
		if (errno == EINTR || errno == EAGAIN)
			continue;
		code = fault_error(file, r, errno);
		break;
	}
	munmap(addr, len);
	return code;
}

/* Assumes: @range is granule-aligned and ends at EOF rounded up at most. */
int xfs_make_real(struct backing_file *file, struct range range, struct iopmem_err *err)
{
	struct range r = range;
	int code;

	while (!range_empty(r)) {
		struct range part = { r.offset,
				      range_len(r) > CHUNK ? r.offset + CHUNK : r.end };

		code = populate(file, part);
		if (code)
			return err_set(err, code, "'%s': allocate blocks at %llu", file->path,
				       (unsigned long long)part.offset);
		r.offset = part.end;
	}
	/* The faults are dirty until then, and dirty pages keep blocks from being mapped. */
	if (fsync(file->fd))
		return err_set(err, errno, "'%s': fsync", file->path);
	return 0;
}
