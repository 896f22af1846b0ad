// SPDX-License-Identifier: GPL-2.0-only
/*
 * COMMIT: what was written becomes part of the file and survives power loss.
 *
 * Data before metadata: the BAR is flushed before XFS logs that blocks are
 * written.  commit_blocks trusts its caller: over a hole it would allocate
 * written blocks with whatever the card holds, so ranges are checked against
 * what MAP has handed out.
 */
#include "layout.h"

#include <linux/slab.h>

#include "trace.h"

struct iopmem_commit_list {
	struct iomap *maps;
	int nr;
	int room;
};

static int iopmem_commit_add(struct iopmem_commit_list *list, u64 start, u64 end)
{
	struct iomap *last = list->nr ? &list->maps[list->nr - 1] : NULL;

	if (last && start == last->offset + last->length) {
		last->length += end - start;
		return 0;
	}
	if (list->nr == list->room) {
		int room = max(16, list->room * 2);
		struct iomap *maps = kvcalloc(room, sizeof(*maps), GFP_KERNEL);

		if (!maps)
			return -ENOMEM;
		if (list->nr)
			memcpy(maps, list->maps, list->nr * sizeof(*maps));
		kvfree(list->maps);
		list->maps = maps;
		list->room = room;
	}
	/* Only offset and length are looked at. */
	list->maps[list->nr].offset = start;
	list->maps[list->nr].length = end - start;
	list->nr++;
	return 0;
}

/*
 * What XFS has to convert: on growth everything below the new size that this
 * layout has zeroed, whoever held it.  Left unwritten inside EOF, the first
 * local write fault would zero it, and a later commit would report success over
 * lost bytes.
 *
 * The caller's ranges add nothing: inside EOF MAP hands out written blocks only,
 * past EOF it has zeroed them.  A zeroed range that begins inside a page is the
 * rest of a page that is written.  So nothing inside the old EOF is converted,
 * and XFS drops no DAX entry that a local program may be dirtying.
 */
static int iopmem_commit_collect(struct iopmem_layout *l, u64 new_size,
				 struct iopmem_commit_list *list)
{
	u64 pos = 0, end;
	int err = 0;

	for (; !err && iopmem_zeroed_next(l, &pos, &end) && pos < new_size;
	     pos = end) {
		u64 start = round_up(pos, PAGE_SIZE);
		u64 stop = round_up(min(end, new_size), PAGE_SIZE);

		if (start < stop)
			err = iopmem_commit_add(list, start, stop);
	}
	return err;
}

static int iopmem_commit_check(struct iopmem_call *call, bool grows)
{
	struct iopmem_layout *l = call->layout;
	int err = 0;
	u32 i;

	down_read(&l->map_lock);
	for (i = 0; i < call->nr_ranges; i++) {
		struct iopmem_range *r = &call->ranges[i];

		if (!iopmem_extent_covered(l, r->offset, r->offset + r->length, true))
			err = -ERANGE;
	}
	/* The block of the last byte must be real, and ours to say so. */
	if (grows && !iopmem_extent_covered(l, call->new_size - 1,
					    call->new_size, true))
		err = -ERANGE;
	up_read(&l->map_lock);
	return err;
}

/*
 * What comes inside EOF without ever having been RW-mapped must read as zeroes.
 * Holes and unwritten blocks do; written ones past EOF (left by a crash between
 * conversion and size update, or the tail of the last page) are zeroed here, as
 * XFS does it when a write or truncate extends a file.
 */
static int iopmem_commit_fill_gaps(struct iopmem_layout *l, u64 pos, u64 end)
{
	struct iomap iomap;
	u64 stop, skip;
	int err;

	while (pos < end) {
		bool done = iopmem_zeroed_find(l, pos, &stop);

		stop = min(stop, end);
		if (done) {
			pos = stop;
			continue;
		}
		skip = offset_in_page(pos);
		err = iopmem_map_lookup(l, pos - skip, PAGE_ALIGN(stop), false,
					&iomap);
		if (err)
			return err;
		stop = min(stop, iomap.offset + iomap.length);
		if (iomap.type == IOMAP_MAPPED) {
			err = iopmem_bar_zero(l->dev, iomap.addr + skip, stop - pos);
			if (err)
				return err;
		}
		pos = stop;
	}
	return 0;
}

/* A cached mapping may still hold what the server's CPU stored by mmap. */
static void iopmem_commit_writeback(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	struct iopmem_run run;
	u32 i;

	if (l->dev->cache != IOPMEM_CACHE_WB &&
	    l->dev->cache != IOPMEM_CACHE_UNKNOWN)
		return;
	down_read(&l->map_lock);
	for (i = 0; i < call->nr_ranges; i++) {
		u64 pos = call->ranges[i].offset;
		u64 end = pos + call->ranges[i].length;

		for (; pos < end && iopmem_extent_find(l, pos, &run);
		     pos = run.end) {
			run.end = min(run.end, end);
			iopmem_bar_writeback(l->dev, run.dev, run.end - run.start);
		}
	}
	up_read(&l->map_lock);
}

static int iopmem_commit_locked(struct iopmem_call *call, u64 old_size)
{
	struct iopmem_layout *l = call->layout;
	struct iopmem_commit_list list = {};
	bool grows = call->new_size > old_size;
	int err;

	if (iopmem_layout_revoked(l))
		return -ENODEV;
	/* A commit without ranges still changes the file's times. */
	if (!(l->file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (grows && call->new_size > l->inode->i_sb->s_maxbytes)
		return -EFBIG;
	err = iopmem_commit_check(call, grows);
	if (err)
		return err;

	if (grows) {
		err = iopmem_commit_fill_gaps(l, old_size, call->new_size);
		if (!err)
			err = iopmem_commit_collect(l, call->new_size, &list);
		if (err)
			goto out;
	}
	iopmem_commit_writeback(call);
	err = iopmem_bar_flush(l->dev);
	if (err)
		goto out;
	err = iopmem_commit_blocks(l->inode, list.maps, list.nr,
				   grows ? call->new_size : 0);
	if (!err && grows)
		iopmem_zeroed_forget_below(l, call->new_size);
out:
	kvfree(list.maps);
	return err;
}

/**
 * iopmem_commit_run - COMMIT, in a worker
 * @call: ranges, new size
 *
 * Also on a broken layout: that is how the last bytes get in.
 */
int iopmem_commit_run(struct iopmem_call *call)
{
	struct iopmem_layout *l = call->layout;
	u64 old_size;
	int err;

	mutex_lock(&l->op_lock);
	old_size = i_size_read(l->inode);
	err = iopmem_commit_locked(call, old_size);
	call->new_size = i_size_read(l->inode);
	mutex_unlock(&l->op_lock);
	trace_iopmem_commit(l->inode->i_ino, call->nr_ranges, old_size,
			    call->new_size, err);
	return err;
}
