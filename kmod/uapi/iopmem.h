/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * User API of the iopmem kernel module: /dev/iopmem and layout file descriptors.
 *
 * Every argument structure starts with size (set by the caller to the size it
 * was compiled with) and flags (no flag is defined yet, must be 0).  Reserved
 * fields must be 0 or the call fails with EINVAL.  A caller with a larger
 * structure than the module knows gets E2BIG unless the excess is zero; one
 * smaller than it was in version 1 gets EINVAL.
 *
 * All offsets and lengths are bytes.  File ranges of MAP, COMMIT and UNMAP are
 * multiples of iopmem_info.granule, only new_size is not.
 */
#ifndef _UAPI_IOPMEM_H
#define _UAPI_IOPMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOPMEM_UAPI_VERSION	1

/* What a layout's memory can be given to a NIC as (iopmem_info.caps). */
#define IOPMEM_CAP_PIN		(1ULL << 0)	/* mmap of the layout fd can be pinned */
#define IOPMEM_CAP_ODP		(1ULL << 1)	/* fsdax mapping under on-demand paging */
#define IOPMEM_CAP_DMABUF	(1ULL << 2)	/* IOPMEM_IOC_DMABUF */
/* The busy-page hook is armed: mmap + truncate of a pinned file is seen. */
#define IOPMEM_CAP_BUSY_HOOK	(1ULL << 3)
/* XFS_IOC_SWAPEXT (xfs_fsr) is refused with EBUSY for files under layout. */
#define IOPMEM_CAP_SWAP_HOOK	(1ULL << 4)

/**
 * struct iopmem_info - IOPMEM_IOC_GET_INFO on /dev/iopmem
 * @size:	in: sizeof(struct iopmem_info); out: bytes the module filled
 * @flags:	must be 0
 * @version:	in: IOPMEM_UAPI_VERSION of the caller; out: of the module
 * @version_min: out: oldest caller version the module still serves; the call
 *		fails with EPROTONOSUPPORT when the caller's is older
 * @caps:	out: IOPMEM_CAP_*
 * @granule:	out: alignment of file ranges, bytes (the page size)
 * @devices:	out: number of bound memory cards
 * @layouts:	out: layouts alive, orphans of dead processes included
 * @orphans:	out: layouts whose process is gone and whose pages are still in use
 * @module:	out: module version, NUL terminated
 */
struct iopmem_info {
	__u32 size;
	__u32 flags;
	__u32 version;
	__u32 version_min;
	__u64 caps;
	__u64 granule;
	__u32 devices;
	__u32 layouts;
	__u32 orphans;
	__u32 reserved;
	char module[32];
};

/**
 * struct iopmem_layout_open - IOPMEM_IOC_LAYOUT_OPEN on /dev/iopmem
 * @size:	sizeof(struct iopmem_layout_open)
 * @flags:	must be 0
 * @file_fd:	in: a regular file on XFS with DAX on an iopmem device.
 *		MAP needs it open for reading, RW maps for writing as well
 * @layout_fd:	out: the layout, O_CLOEXEC
 * @reason:	out: when the call fails, IOPMEM_REFUSED_* saying why
 * @reserved:	must be 0
 *
 * Takes the FL_LAYOUT lease.  Errors: EBUSY another layout of the inode lives
 * (an orphan included), EAGAIN a break is pending or a foreign holder is being
 * recalled (ask again), ETXTBSY a program has the file mapped writable (ask
 * again when it is not), EOPNOTSUPP with @reason, EBADF, EINVAL, ENOMEM, EINTR.
 */
struct iopmem_layout_open {
	__u32 size;
	__u32 flags;
	__s32 file_fd;
	__s32 layout_fd;
	__u32 reason;
	__u32 reserved;
};

enum iopmem_refused {
	IOPMEM_REFUSED_NOT = 0,
	IOPMEM_REFUSED_NOT_XFS,		/* not a regular file on XFS */
	IOPMEM_REFUSED_NOT_DAX,		/* the inode is not in DAX mode */
	IOPMEM_REFUSED_NOT_IOPMEM,	/* the block device is not ours */
	IOPMEM_REFUSED_PARTITION,	/* the file system is on a partition */
	IOPMEM_REFUSED_NO_BLOCK_OPS,	/* kernel without CONFIG_EXPORTFS_BLOCK_OPS */
	IOPMEM_REFUSED_LEASES,		/* fs.leases-enable is 0 */
	IOPMEM_REFUSED_REFLINK,		/* inode shares extents */
	IOPMEM_REFUSED_REALTIME,	/* inode is on the realtime device */
	IOPMEM_REFUSED_SHUTDOWN,	/* file system is shut down or device dead */
	IOPMEM_REFUSED_WRITEBACK,	/* BAR mapped write-back and not coherent */
	IOPMEM_REFUSED_NO_MEMORY,	/* no memory capability possible here */
};

#define IOPMEM_IOMODE_READ	1
#define IOPMEM_IOMODE_RW	2

/* State of a mapped extent.  INVALID extents do not exist. */
#define IOPMEM_EXTENT_RW_DATA	0
#define IOPMEM_EXTENT_READ_DATA	1
#define IOPMEM_EXTENT_NONE	3

/* Inside EOF and already written: overwriting needs no COMMIT. */
#define IOPMEM_EXTENT_NO_COMMIT	(1U << 0)

/**
 * struct iopmem_extent - one run of file bytes
 * @file_offset: first byte in the file
 * @length:	bytes
 * @dev_offset:	first byte on the block device (diagnostics; 0 for NONE)
 * @state:	IOPMEM_EXTENT_*
 * @flags:	IOPMEM_EXTENT_NO_COMMIT or 0
 */
struct iopmem_extent {
	__u64 file_offset;
	__u64 length;
	__u64 dev_offset;
	__u32 state;
	__u32 flags;
};

/**
 * struct iopmem_map - IOPMEM_IOC_MAP on a layout fd
 * @size:	sizeof(struct iopmem_map)
 * @flags:	must be 0
 * @offset:	first byte, multiple of the granule
 * @length:	bytes, multiple of the granule, not 0
 * @iomode:	IOPMEM_IOMODE_*
 * @nr_extents:	in: room at @extents; out: extents written
 * @extents:	user address of struct iopmem_extent[]
 * @reserved:	must be 0
 *
 * A call uses room for 16384 extents at most.
 * Extents are ascending, without gaps, clipped to the range; a READ map ends at
 * EOF rounded up to the granule.  Inside EOF an RW map only looks up: the caller
 * has made the blocks real by write faults, else EUCLEAN.  Past EOF it allocates
 * and zeroes.  Mapping an already mapped range again is allowed and never
 * zeroes what a peer may have written.
 * Errors: EAGAIN the layout is broken or breaking (close it), ETXTBSY a program
 * has the file mapped writable, whose stores nobody arbitrates (ask again when
 * it is not; the caller's own populating mapping counts), EUCLEAN blocks
 * inside EOF are holes or unwritten, EOPNOTSUPP XFS_IOC_SWAPEXT could move the
 * blocks (no IOPMEM_CAP_SWAP_HOOK) and the module parameter allow_unguarded is
 * off, ENOSPC, EDQUOT, EFBIG, EBADF on a file that
 * is not open for reading, or RW on one that is not open for writing, EPERM RW on
 * a file that is append-only or immutable, EACCES, EROFS, EIO, E2BIG @nr_extents too small (nothing
 * is mapped), EINTR, EINVAL, ENOMEM, ENODEV.
 */
struct iopmem_map {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u32 iomode;
	__u32 nr_extents;
	__u64 extents;
	__u64 reserved;
};

struct iopmem_range {
	__u64 offset;
	__u64 length;
};

/**
 * struct iopmem_commit - IOPMEM_IOC_COMMIT on a layout fd
 * @size:	sizeof(struct iopmem_commit)
 * @flags:	must be 0
 * @new_size:	in: size the file is to have at least, 0 = unchanged;
 *		out: the size after the commit
 * @ranges:	user address of struct iopmem_range[], ascending, disjoint,
 *		granule-aligned, each inside RW-mapped ranges
 * @nr_ranges:	number of ranges, may be 0 when only the size grows
 * @reserved:	must be 0
 *
 * Flushes the BAR, then lets XFS convert and log.  On return the data, the
 * extents and the size survive a power loss.  The size never shrinks, the call
 * is idempotent.  Works on a broken layout too: that is how the last bytes get in.
 * Errors: ERANGE a range or the growth is not RW-mapped, EBADF the file is not
 * open for writing, ENOSPC, EIO, EINTR, EINVAL, ENOMEM, ENODEV.
 */
struct iopmem_commit {
	__u32 size;
	__u32 flags;
	__u64 new_size;
	__u64 ranges;
	__u32 nr_ranges;
	__u32 reserved;
};

/**
 * struct iopmem_unmap - IOPMEM_IOC_UNMAP on a layout fd
 * @size:	sizeof(struct iopmem_unmap)
 * @flags:	must be 0
 * @offset:	first byte, multiple of the granule
 * @length:	bytes, multiple of the granule, not 0
 *
 * Forgets the mapping, zaps user mappings of the range and revokes dma-bufs that
 * reach into it.  The caller has deregistered its memory regions before.  Errors:
 * EBUSY pages of the range are still pinned, or an importer has not unmapped its
 * dma-buf within a second (nothing is unmapped, the dma-bufs stay revoked), EINTR,
 * EINVAL.
 */
struct iopmem_unmap {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
};

/**
 * struct iopmem_dmabuf - IOPMEM_IOC_DMABUF on a layout fd
 * @size:	sizeof(struct iopmem_dmabuf)
 * @flags:	must be 0
 * @offset:	first byte, multiple of the granule
 * @length:	bytes, multiple of the granule, not 0
 * @iomode:	IOPMEM_IOMODE_*; RW needs the range RW-mapped
 * @fd:		out: the dma-buf, @length bytes, O_CLOEXEC
 * @reserved:	must be 0
 *
 * A dma-buf of a mapped range, for ibv_reg_dmabuf_mr(); not for mmap.  Importers
 * must take peer memory (allow_peer2peer) and let it be taken away (move_notify,
 * invalidate_mappings); others, and those that pin (until 7.x), get EOPNOTSUPP
 * when they attach or map.  A READ dma-buf is mapped for reading whatever the
 * importer asks for.
 *
 * UNMAP of a byte of it, close of the layout fd, and removal of the card revoke
 * it: importers are told, and nothing can be mapped again (ENODEV).  The lease is
 * kept until every importer has unmapped and all fences are signalled.  A break
 * of the layout does not revoke it.
 * Errors: EAGAIN the layout is broken or breaking, ERANGE not all of the range is
 * mapped so, E2BIG the range has more than 2^20 pieces, EOPNOTSUPP kernel without
 * dma-bufs, EMFILE, EINVAL, ENOMEM, ENODEV.
 */
struct iopmem_dmabuf {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u32 iomode;
	__s32 fd;
	__u64 reserved;
};

/**
 * struct iopmem_extend - IOPMEM_IOC_EXTEND on a layout fd
 * @size:	sizeof(struct iopmem_extend)
 * @flags:	must be 0
 * @offset:	first byte, multiple of the granule
 * @length:	bytes, multiple of the granule, not 0
 *
 * Allocates what of the range is a hole and makes the file end at the end of
 * the range, if it ends before: for memory regions over the file's own mapping
 * (IOPMEM_CAP_ODP), which reach nothing past EOF.  The caller would wait for
 * its own lease.  New bytes read as zero.  Not together with MAP.
 * Errors: EAGAIN the layout is broken or breaking (close it), EBUSY ranges are
 * mapped by MAP, EBADF the file is open read-only, ENOSPC, EDQUOT, EFBIG, EROFS,
 * EIO, EINTR, EINVAL, ENOMEM, ENODEV.
 */
struct iopmem_extend {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
};

/**
 * struct iopmem_trim - IOPMEM_IOC_TRIM on a layout fd
 * @size:	sizeof(struct iopmem_trim)
 * @flags:	must be 0
 * @new_size:	bytes; not more than the file has
 *
 * Cuts a file that EXTEND made longer, before the layout is closed: whoever
 * waits for the layout comes after that.  The caller's memory regions are dead.
 * Works on a broken layout.  Errors: EBUSY ranges are mapped by MAP, or pages of
 * the file are pinned; ERANGE @new_size is larger than the file; EBADF the file
 * is open read-only, EROFS, EIO, EINTR, EINVAL, ENOMEM, ENODEV.
 */
struct iopmem_trim {
	__u32 size;
	__u32 flags;
	__u64 new_size;
};

#define IOPMEM_IOC_MAGIC	0xB5

#define IOPMEM_IOC_GET_INFO	_IOWR(IOPMEM_IOC_MAGIC, 0, struct iopmem_info)
#define IOPMEM_IOC_LAYOUT_OPEN	_IOWR(IOPMEM_IOC_MAGIC, 1, struct iopmem_layout_open)
#define IOPMEM_IOC_MAP		_IOWR(IOPMEM_IOC_MAGIC, 16, struct iopmem_map)
#define IOPMEM_IOC_COMMIT	_IOWR(IOPMEM_IOC_MAGIC, 17, struct iopmem_commit)
#define IOPMEM_IOC_UNMAP	_IOWR(IOPMEM_IOC_MAGIC, 18, struct iopmem_unmap)
#define IOPMEM_IOC_DMABUF	_IOWR(IOPMEM_IOC_MAGIC, 19, struct iopmem_dmabuf)
#define IOPMEM_IOC_EXTEND	_IOWR(IOPMEM_IOC_MAGIC, 20, struct iopmem_extend)
#define IOPMEM_IOC_TRIM		_IOWR(IOPMEM_IOC_MAGIC, 21, struct iopmem_trim)

/*
 * On a layout fd besides:
 *   poll()	POLLPRI from the moment the kernel breaks the layout (it stays
 *		set: a broken layout never maps again), POLLHUP when the device
 *		is gone
 *   pread(), pwrite() at file offsets inside mapped ranges (pwrite: RW-mapped);
 *		EFAULT outside
 *   mmap()	MAP_SHARED at file offsets inside mapped ranges, for ibv_reg_mr;
 *		a fault outside is SIGBUS
 *   close()	unmaps everything, revokes dma-bufs, and drops the lease after the
 *		last pin and the last mapping of a dma-buf
 */
#endif /* _UAPI_IOPMEM_H */
