// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP: make file bytes reachable.
 *
 * Inside EOF only blocks that XFS calls written are handed out, and the module
 * never stores there: a local write fault, which takes no IOLOCK, may be
 * converting and storing at the same time.  Past EOF nobody can mmap-store, so
 * there the module allocates and zeroes.
 */
#include "layout.h"

#include <linux/dax.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>

#include "trace.h"

/* The size can change under MAP only by COMMIT, which MAP excludes. */
#define IOPMEM_MAP_TRIES	3

/*
 * 7.x warns when an entry that XFS drops is mapped, 6.x only when it is dirty.
 * Local programs fault them in again, and nothing can stop them: the lock
 * against faults nests inside the inode lock, which map_blocks takes itself.
 * So the inode lock is waited for here, where a truncate may hold it for as
 * long as a recall takes; what is left is the time of one unlock and lock.
 */
static void iopmem_map_settle(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (mapping_empty(mapping))
		return;
	/* An error is sticky in the mapping, and XFS looks again. */
	filemap_write_and_wait(mapping);
	inode_lock(inode);
	/* Not what programs have written into private mappings: it is nowhere else. */
	unmap_mapping_range(mapping, 0, 0, 0);
	inode_unlock(inode);
}

/**
 * iopmem_map_lookup - ask XFS where a byte is
 * @l:	   the layout, in a worker
 * @pos:   first byte, page-aligned
 * @end:   one past the last
 * @write: allocate
 * @iomap: result: begins at @pos, ends at or before @end
 *
 * 6.x answers with the entire extent, which may begin before and end after the
 * range.
 *
 * XFS writes back and drops all DAX entries of the file first, and warns
 * (WARN_ON_ONCE) when a program dirties one in between, so no call is made for
 * LAYOUT_OPEN and MAP while the file is mapped writable, see
 * iopmem_map_arbitrated().
 */
int iopmem_map_lookup(struct iopmem_layout *l, u64 pos, u64 end, bool write,
		      struct iomap *iomap)
{
	u64 stop;
	int err;

	memset(iomap, 0, sizeof(*iomap));
	iopmem_map_settle(l->inode);
	err = iopmem_map_blocks(l->inode, pos, end - pos, iomap, write);
	if (err)
		return err == -EBUSY ? -ETXTBSY : err;

	stop = iomap->offset + iomap->length;
	if (iomap->offset > pos || stop <= pos)
		return -EUCLEAN;
	if (iomap->type == IOMAP_MAPPED || iomap->type == IOMAP_UNWRITTEN) {
		iomap->addr += pos - iomap->offset;
		if (iomap->bdev->bd_disk != l->dev->disk ||
		    !PAGE_ALIGNED(iomap->addr) || !PAGE_ALIGNED(stop) ||
		    iomap->addr > l->dev->size ||
		    min(stop, end) - pos > l->dev->size - iomap->addr)
			return -EUCLEAN;
	}
	iomap->offset = pos;
	iomap->length = min(stop, end) - pos;
	return 0;
}

/**
 * iopmem_map_arbitrated - is every local store to the file one that breaks us?
 * @l: the layout
 *
 * Stores through a mapping are not; and see iopmem_map_lookup().
 */
bool iopmem_map_arbitrated(struct iopmem_layout *l)
{
	return !mapping_writably_mapped(l->inode->i_mapping);
}

/* Adds an extent to the answer; -E2BIG when the caller has no room, -EIO bad memory. */
static int iopmem_map_add(struct iopmem_call *call, const struct iomap *iomap,
			  u32 state, u32 flags)
{
	struct iopmem_extent *last = call->nr_extents ?
				     &call->extents[call->nr_extents - 1] : NULL;
	u64 dev = state == IOPMEM_EXTENT_NONE ? 0 : iomap->addr;

	if (state != IOPMEM_EXTENT_NONE &&
	    iopmem_poison_in(call->layout->dev, dev, iomap->length))
		return -EIO;
	if (last && last->state == state && last->flags == flags &&
	    (state == IOPMEM_EXTENT_NONE ||
	     last->dev_offset + last->length == dev)) {
		last->length += iomap->length;
		return 0;
	}
	if (call->nr_extents == call->max_extents)
		return -E2BIG;
	call->extents[call->nr_extents++] = (struct iopmem_extent) {
		.file_offset = iomap->offset,
		.length = iomap->length,
		.dev_offset = dev,
		.state = state,
		.flags = flags,
	};
	return 0;
}

/* What is inside EOF is looked up, never changed. */
static int iopmem_map_inside(struct iopmem_call *call, u64 pos, u64 end)
{
	bool rw = call->iomode == IOPMEM_IOMODE_RW;
	struct iomap iomap;
	int err;

	for (; pos < end; pos += iomap.length) {
		err = iopmem_map_lookup(call->layout, pos, end, false, &iomap);
		if (err)
			return err;
		if (iomap.type == IOMAP_MAPPED)
			err = iopmem_map_add(call, &iomap,
					     rw ? IOPMEM_EXTENT_RW_DATA :
						  IOPMEM_EXTENT_READ_DATA,
					     rw ? IOPMEM_EXTENT_NO_COMMIT : 0);
		else if (rw)
			err = -EUCLEAN;
		else
			err = iopmem_map_add(call, &iomap, IOPMEM_EXTENT_NONE, 0);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Zeroes what this layout has not yet zeroed; bytes zeroed before may hold what
 * a client has sent since.
 */
static int iopmem_map_zero(struct iopmem_layout *l, u64 pos, u64 end, u64 addr)
{
	u64 stop;
	int err;

	for (; pos < end; addr += stop - pos, pos = stop) {
		bool done = iopmem_zeroed_find(l, pos, &stop);

		stop = min(stop, end);
		if (done)
			continue;
		err = iopmem_bar_zero(l->dev, addr, stop - pos);
		if (!err)
			err = iopmem_zeroed_store(l, pos, stop);
		if (err)
			return err;
	}
	return 0;
}

static bool iopmem_map_all_zeroed(struct iopmem_layout *l, u64 pos, u64 end)
{
	u64 stop;

	for (; pos < end; pos = stop)
		if (!iopmem_zeroed_find(l, pos, &stop))
			return false;
	return true;
}

/* What is past EOF is allocated and zeroed. */
static int iopmem_map_past(struct iopmem_call *call, u64 pos, u64 end)
{
	struct iopmem_layout *l = call->layout;
	struct iomap iomap;
	int err;

	if (!iopmem_map_all_zeroed(l, pos, end)) {
		err = iopmem_extend(l, FALLOC_FL_KEEP_SIZE, pos, end);
		if (err)
			return err;
	}
	for (; pos < end; pos += iomap.length) {
		err = iopmem_map_lookup(l, pos, end, true, &iomap);
		if (err)
			return err;
		if (iomap.type != IOMAP_MAPPED && iomap.type != IOMAP_UNWRITTEN)
			return -EUCLEAN;
		err = iopmem_map_zero(l, pos, pos + iomap.length, iomap.addr);
		if (err)
			return err;
		err = iopmem_map_add(call, &iomap, IOPMEM_EXTENT_RW_DATA, 0);
		if (err)
			return err;
	}
	return 0;
}

/*
 * The bytes between EOF and the end of its page belong to nobody yet, and a
 * COMMIT that grows the file makes them visible.
 */
static int iopmem_map_tail(struct iopmem_layout *l, u64 size, u64 eof)
{
	struct iomap iomap;
	int err;

	err = iopmem_map_lookup(l, eof - PAGE_SIZE, eof, false, &iomap);
	if (err)
		return err;
	if (iomap.type != IOMAP_MAPPED)
		return -EUCLEAN;
	return iopmem_map_zero(l, size, eof, iomap.addr + offset_in_page(size));
}

static int iopmem_map_extents(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	bool rw = call->iomode == IOPMEM_IOMODE_RW;
	u64 pos = call->offset, end = pos + call->length;
	u64 size = i_size_read(l->inode), eof = PAGE_ALIGN(size);
	int err;

	call->nr_extents = 0;
	if (!rw)
		end = min(end, eof);
	if (pos < min(end, eof)) {
		err = iopmem_map_inside(call, pos, min(end, eof));
		if (err)
			return err;
		if (rw && end >= eof && size != eof) {
			err = iopmem_map_tail(l, size, eof);
			if (err)
				return err;
		}
	}
	if (rw && end > eof) {
		err = iopmem_map_past(call, max(pos, eof), end);
		if (err)
			return err;
	}
	if (rw) {
		/* Zeroes first, then anybody who may look or commit. */
		err = iopmem_bar_flush(l->dev);
		if (err)
			return err;
	}
	return i_size_read(l->inode) == size ? 0 : -ESTALE;
}

/*
 * From here on the fd reaches the extents.  Broken is asked after the blocks
 * were looked up and before anything is handed out; a break that comes later
 * finds the lease in place and waits for the server like any other.
 */
static int iopmem_map_publish(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err = 0;
	u32 i;

	down_write(&l->map_lock);
	if (iopmem_layout_broken(l))
		err = -EAGAIN;
	for (i = 0; i < call->nr_extents && !err; i++) {
		struct iopmem_extent *e = &call->extents[i];
		struct iopmem_run run = {
			.start = e->file_offset,
			.end = e->file_offset + e->length,
			.dev = e->dev_offset,
			.rw = e->state == IOPMEM_EXTENT_RW_DATA,
		};

		if (e->state != IOPMEM_EXTENT_NONE)
			err = iopmem_extent_store(l, &run);
	}
	up_write(&l->map_lock);

	if (err == -ESTALE) {
		pr_warn_ratelimited(IOPMEM_NAME ": inode %llu: blocks moved under a layout (xfs_fsr, swapext?)\n",
				    (u64)l->inode->i_ino);
		iopmem_layout_break(l, IOPMEM_BREAK_MOVED);
		iopmem_layout_cut(l);
		err = -EAGAIN;
	}
	return err;
}

/*
 * A peer writes with the rights of who opened the file, so an RW map takes away
 * what write(2) of that opener would: setuid bits and file capabilities.
 */
static int iopmem_map_remove_privs(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err;

	if (IS_NOSEC(inode))
		return 0;
	file_start_write(file);
	inode_lock(inode);
	err = file_remove_privs(file);
	inode_unlock(inode);
	file_end_write(file);
	return err;
}

/*
 * What mmap() of the file would grant: who may write into a region may read it as
 * well, and stores into a region do not append.
 */
static int iopmem_map_permitted(struct file *file, u32 iomode)
{
	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (iomode != IOPMEM_IOMODE_RW)
		return 0;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	return IS_APPEND(file_inode(file)) || IS_IMMUTABLE(file_inode(file)) ? -EPERM : 0;
}

static int iopmem_map_locked(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err, tries;

	if (iopmem_layout_revoked(l))
		return -ENODEV;
	if (iopmem_layout_broken(l))
		return -EAGAIN;
	err = iopmem_map_permitted(l->file, call->iomode);
	if (err)
		return err;
	if (!iopmem_map_arbitrated(l))
		return -ETXTBSY;
	if (!iopmem_blocks_guarded())
		return -EOPNOTSUPP;

	/* nfsd may have come since LAYOUT_OPEN. */
	WRITE_ONCE(l->insider, current);
	err = iopmem_lease_break_others(l);
	WRITE_ONCE(l->insider, NULL);
	if (err)
		return err;

	if (call->iomode == IOPMEM_IOMODE_RW) {
		err = iopmem_map_remove_privs(l->file);
		if (err)
			return err;
	}

	for (tries = 0; tries < IOPMEM_MAP_TRIES; tries++) {
		err = iopmem_map_extents(call);
		if (err != -ESTALE)
			break;
	}
	if (err == -ESTALE)
		err = -EAGAIN;
	return err ?: iopmem_map_publish(call);
}

/**
 * iopmem_map_run - MAP, in a worker
 * @call: offset, length, iomode, room for extents
 */
int iopmem_map_run(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	int err;

	mutex_lock(&l->op_lock);
	err = iopmem_map_locked(call);
	mutex_unlock(&l->op_lock);
	if (err)
		call->nr_extents = 0;
	trace_iopmem_map(l->inode->i_ino, call->offset, call->length,
			 call->iomode, call->nr_extents, err);
	return err;
}
