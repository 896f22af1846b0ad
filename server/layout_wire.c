// SPDX-License-Identifier: BSD-3-Clause
#include "layout_wire.h"

#include <stdlib.h>

#include "export.h"
#include "fabric/fabric.h"

void segment_wire(const struct segment *seg, iopmem_segment *out)
{
	out->offset = seg->range.offset;
	out->length = range_len(seg->range);
	out->iomode = seg->mode == BACKING_RW ? IOPMEM_WIRE_RW : IOPMEM_WIRE_READ;
	out->state = (iopmem_segment_state)seg->data;
	out->flags = seg->no_commit ? IOPMEM_SEG_NO_LAYOUTCOMMIT : 0;
	out->rkey = seg->mr ? fabric_mr_rkey(seg->mr) : 0;
	out->addr = seg->mr ? fabric_mr_addr(seg->mr) : 0;
}

/* RFC 8881 section 18.42.3: held, but not for writing, is another error. */
static enum iopmem_status not_covered(const struct file *f, const struct client *c,
				      uint64_t offset)
{
	const struct segment *seg = layout_table_held(&f->table, c, offset, BACKING_READ);

	return seg && seg->mode == BACKING_READ ? IOPMEM_BADIOMODE : IOPMEM_BADLAYOUT;
}

enum iopmem_status commit_take(struct file *f, const struct client *c,
			       const iopmem_commit *commit, struct range **ranges, size_t *n)
{
	uint64_t granule = f->exp->info.granule, last_end = 0;
	u_int i, nr = commit->ranges.ranges_len;
	struct range *list, r;
	size_t used = 0;

	list = calloc(nr ? nr : 1, sizeof(*list));
	if (!list)
		return IOPMEM_DELAY;
	for (i = 0; i < nr; i++) {
		const iopmem_wire_range *w = &commit->ranges.ranges_val[i];

		if (!range_make(w->offset, w->length, &r) || w->offset < last_end)
			goto inval;
		last_end = r.end;
		r = range_round_out(r, granule);
		if (!layout_table_covers_rw(&f->table, c, r)) {
			free(list);
			return not_covered(f, c, r.offset);
		}
		if (used && list[used - 1].end >= r.offset)
			list[used - 1].end = r.end;
		else
			list[used++] = r;
	}
	if (commit->new_size > INT64_MAX)
		goto inval;
	if (commit->new_size &&
	    !layout_table_covers_rw(&f->table, c, (struct range){ commit->new_size - 1,
								    commit->new_size })) {
		free(list);
		return not_covered(f, c, commit->new_size - 1);
	}
	*ranges = list;
	*n = used;
	return IOPMEM_OK;

inval:
	free(list);
	return IOPMEM_INVAL;
}
