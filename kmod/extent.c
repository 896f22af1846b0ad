// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a layout has mapped, and what it has zeroed.
 *
 * Both are maple trees, which split and overwrite ranges by themselves.
 *
 * @maps is indexed by file page.  An entry must stay right when its range is
 * cut, so it holds the difference between device page and file page, and the
 * right in the lowest bit.  The difference is taken modulo 2^62.
 *
 * @zeroed is indexed by file byte; an entry only says yes.
 */
#include "layout.h"

#define IOPMEM_DELTA_MASK	(BIT_ULL(62) - 1)

static void *iopmem_entry(u64 file_page, u64 dev_page, bool rw)
{
	u64 delta = (dev_page - file_page) & IOPMEM_DELTA_MASK;

	return xa_mk_value((unsigned long)(delta << 1 | rw));
}

static u64 iopmem_entry_dev_page(void *entry, u64 file_page)
{
	return ((xa_to_value(entry) >> 1) + file_page) & IOPMEM_DELTA_MASK;
}

static bool iopmem_entry_rw(void *entry)
{
	return xa_to_value(entry) & 1;
}

/* The entry at an index and how far it reaches; NULL entries have reach, too. */
static void *iopmem_tree_walk(struct maple_tree *tree, unsigned long index,
			      unsigned long *last)
{
	MA_STATE(mas, tree, index, index);
	void *entry;

	/* The caller's lock keeps the tree still; RCU is what mas_walk checks. */
	rcu_read_lock();
	entry = mas_walk(&mas);
	*last = mas.last;
	rcu_read_unlock();
	return entry;
}

/* The next entry at or after an index. */
static void *iopmem_tree_next(struct maple_tree *tree, unsigned long *index,
			      unsigned long *last)
{
	MA_STATE(mas, tree, *index, *index);
	void *entry;

	rcu_read_lock();
	entry = mas_find(&mas, ULONG_MAX);
	if (entry) {
		*index = max(*index, mas.index);
		*last = mas.last;
	}
	rcu_read_unlock();
	return entry;
}

/**
 * iopmem_extent_find - where a file byte is
 * @l:	 the layout, map_lock held
 * @pos: file byte
 * @run: result: from @pos on, as far as the mapping is contiguous
 *
 * Return: whether @pos is mapped.
 */
bool iopmem_extent_find(struct iopmem_layout *l, u64 pos, struct iopmem_run *run)
{
	u64 page = pos >> PAGE_SHIFT;
	unsigned long last;
	void *entry = iopmem_tree_walk(&l->maps, page, &last);

	if (!entry)
		return false;
	run->start = pos;
	run->end = ((u64)last + 1) << PAGE_SHIFT;
	run->dev = (iopmem_entry_dev_page(entry, page) << PAGE_SHIFT) +
		   offset_in_page(pos);
	run->rw = iopmem_entry_rw(entry);
	return true;
}

/**
 * iopmem_extent_store - map a run of pages
 * @l:	 the layout, map_lock held for writing
 * @run: page-aligned
 *
 * A READ map of what is RW-mapped leaves it RW.
 *
 * Return: 0, -ENOMEM, or -ESTALE when a page was mapped elsewhere: the file's
 * blocks have moved although the lease should have kept them in place.
 */
int iopmem_extent_store(struct iopmem_layout *l, const struct iopmem_run *run)
{
	u64 page = run->start >> PAGE_SHIFT, end = run->end >> PAGE_SHIFT;
	u64 dev = run->dev >> PAGE_SHIFT;
	int err;

	while (page < end) {
		unsigned long last;
		void *old = iopmem_tree_walk(&l->maps, page, &last);
		u64 n = min_t(u64, end - 1, last) - page + 1;

		if (old && iopmem_entry_dev_page(old, page) != dev)
			return -ESTALE;
		if (!old || (run->rw && !iopmem_entry_rw(old))) {
			err = mtree_store_range(&l->maps, page, page + n - 1,
						iopmem_entry(page, dev, run->rw),
						GFP_KERNEL);
			if (err)
				return err;
		}
		page += n;
		dev += n;
	}
	return 0;
}

/**
 * iopmem_extent_erase - forget pages
 * @l:	   the layout, map_lock held for writing
 * @start: first byte, page-aligned
 * @end:   one past the last
 */
void iopmem_extent_erase(struct iopmem_layout *l, u64 start, u64 end)
{
	/* Cutting a range may want memory, and there is nobody to tell. */
	mtree_store_range(&l->maps, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT,
			  NULL, GFP_KERNEL | __GFP_NOFAIL);
}

/**
 * iopmem_extent_covered - is every page of a range mapped?
 * @l:	   the layout, map_lock held
 * @start: first byte
 * @end:   one past the last
 * @rw:	   and mapped for writing
 */
bool iopmem_extent_covered(struct iopmem_layout *l, u64 start, u64 end, bool rw)
{
	struct iopmem_run run;

	for (; start < end; start = run.end)
		if (!iopmem_extent_find(l, start, &run) || (rw && !run.rw))
			return false;
	return true;
}

/**
 * iopmem_extent_busy - does anybody reference a mapped page of a range?
 * @l:	   the layout, map_lock held or no fd left
 * @start: first byte
 * @end:   one past the last
 */
bool iopmem_extent_busy(struct iopmem_layout *l, u64 start, u64 end)
{
	unsigned long i = start >> PAGE_SHIFT, last, stop = (end - 1) >> PAGE_SHIFT;
	void *entry;

	while (i <= stop && (entry = iopmem_tree_next(&l->maps, &i, &last))) {
		unsigned long pfn = PHYS_PFN(l->dev->phys) +
				    iopmem_entry_dev_page(entry, i) - i;

		for (last = min(last, stop); i <= last; i++) {
			if (iopmem_page_busy(pfn_to_page(pfn + i)))
				return true;
			if (!(i & 0xfff))
				cond_resched();
		}
	}
	return false;
}

/**
 * iopmem_extent_count - add up mapped and pinned bytes
 * @l:	    the layout
 * @mapped: added to
 * @pinned: added to
 */
void iopmem_extent_count(struct iopmem_layout *l, u64 *mapped, u64 *pinned)
{
	unsigned long i = 0, last;
	void *entry;

	down_read(&l->map_lock);
	while ((entry = iopmem_tree_next(&l->maps, &i, &last))) {
		unsigned long pfn = PHYS_PFN(l->dev->phys) +
				    iopmem_entry_dev_page(entry, i) - i;

		*mapped += (u64)(last - i + 1) << PAGE_SHIFT;
		for (; i <= last; i++) {
			if (iopmem_page_busy(pfn_to_page(pfn + i)))
				*pinned += PAGE_SIZE;
			if (!(i & 0xfff))
				cond_resched();
		}
	}
	up_read(&l->map_lock);
}

/**
 * iopmem_zeroed_find - has this layout zeroed a byte?
 * @l:	 the layout, op_lock held
 * @pos: file byte
 * @end: result: the answer holds up to here
 */
bool iopmem_zeroed_find(struct iopmem_layout *l, u64 pos, u64 *end)
{
	unsigned long last;
	void *entry = iopmem_tree_walk(&l->zeroed, pos, &last);

	*end = last == ULONG_MAX ? U64_MAX : (u64)last + 1;
	return entry;
}

/**
 * iopmem_zeroed_next - the next zeroed range
 * @l:	   the layout, op_lock held
 * @start: in: where to look from; out: first byte
 * @end:   out: one past the last
 */
bool iopmem_zeroed_next(struct iopmem_layout *l, u64 *start, u64 *end)
{
	unsigned long index = *start, last;

	if (!iopmem_tree_next(&l->zeroed, &index, &last))
		return false;
	*start = index;
	*end = (u64)last + 1;
	return true;
}

/**
 * iopmem_zeroed_store - remember that bytes were zeroed
 * @l:	   the layout, op_lock held
 * @start: first byte
 * @end:   one past the last
 */
int iopmem_zeroed_store(struct iopmem_layout *l, u64 start, u64 end)
{
	return mtree_store_range(&l->zeroed, start, end - 1, xa_mk_value(1),
				 GFP_KERNEL);
}

/**
 * iopmem_zeroed_forget_below - these bytes are part of the file now
 * @l:	  the layout, op_lock held
 * @size: of the file
 */
void iopmem_zeroed_forget_below(struct iopmem_layout *l, u64 size)
{
	if (size)
		mtree_store_range(&l->zeroed, 0, size - 1, NULL,
				  GFP_KERNEL | __GFP_NOFAIL);
}
