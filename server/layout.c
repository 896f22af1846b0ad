// SPDX-License-Identifier: BSD-3-Clause
#include "layout.h"

#include <stdlib.h>
#include <utlist.h>

#include "recall.h"

struct layout *layout_find(struct file *f, struct client *c)
{
	struct layout *l;

	DL_FOREACH2(f->layouts, l, file_next)
		if (l->st.client == c)
			return l;
	return NULL;
}

struct layout *layout_get(struct file *f, struct client *c)
{
	struct layout *l = layout_find(f, c);

	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return NULL;
		l->file = f;
		file_ref(f);
		state_add(f->srv, &l->st, STATE_LAYOUT, c);
		l->st.seqid = 0;	/* the first grant makes it 1 */
		DL_APPEND(c->layouts, l);
		DL_APPEND2(f->layouts, l, file_prev, file_next);
	}
	l->users++;
	return l;
}

void layout_put(struct layout *l)
{
	struct file *f = l->file;
	struct client *c = l->st.client;

	recall_settle(l);
	if (--l->users || l->segments)
		return;
	timer_cancel(f->srv->loop, &l->recall.deadline);
	DL_DELETE(c->layouts, l);
	DL_DELETE2(f->layouts, l, file_prev, file_next);
	state_remove(f->srv, &l->st);
	free(l);
	file_settle(f);
	file_put(f);
	if (c->dying)
		client_progress(c);
}

struct segment **layout_collect(struct layout *l, struct range r, bool read, bool rw,
				size_t *n)
{
	struct segment *seg, **list;

	*n = 0;
	DL_FOREACH(l->file->table.head, seg)
		*n += seg->layout == l;
	list = calloc(*n ? *n : 1, sizeof(*list));
	*n = 0;
	if (!list)
		return NULL;
	DL_FOREACH(l->file->table.head, seg)
		if (seg->layout == l && seg->state == SEGMENT_GRANTED &&
		    range_overlaps(seg->range, r) &&
		    (seg->mode == BACKING_READ ? read : rw))
			list[(*n)++] = seg;
	if (!*n) {
		free(list);
		return NULL;
	}
	return list;
}
