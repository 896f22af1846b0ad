// SPDX-License-Identifier: BSD-3-Clause
#include "layout.h"

#include <stdlib.h>
#include <utlist.h>

#include "recall.h"
#include "usage.h"

struct layout *layout_find(struct file *f, struct client *c)
{
	struct layout *l;

	HASH_FIND(hh, c->layout_of_file, &f, sizeof(f), l);
	return l;
}

struct layout *layout_get(struct file *f, struct client *c)
{
	struct layout *l = layout_find(f, c);

	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return NULL;
		l->file = f;
		HASH_ADD(hh, c->layout_of_file, file, sizeof(l->file), l);
		if (!l->hh.tbl)
			goto err_free;
		if (!state_add(f->srv, &l->st, STATE_LAYOUT, c))
			goto err_hash;
		file_ref(f);
		l->st.seqid = 0;	/* the first grant makes it 1 */
		DL_APPEND(c->layouts, l);
		f->srv->metrics.layouts++;
		DL_APPEND2(f->layouts, l, file_prev, file_next);
	}
	l->users++;
	return l;
err_hash:
	HASH_DELETE(hh, c->layout_of_file, l);
err_free:
	free(l);
	return NULL;
}

void layout_put(struct layout *l)
{
	struct file *f = l->file;
	struct client *c = l->st.client;

	recall_settle(l);
	if (--l->users || l->segs)
		return;
	recall_drop(l);
	DL_DELETE(c->layouts, l);
	f->srv->metrics.layouts--;
	DL_DELETE2(f->layouts, l, file_prev, file_next);
	HASH_DELETE(hh, c->layout_of_file, l);
	state_remove(f->srv, &l->st);
	free(l);
	file_settle(f);
	file_put(f);
	if (c->dying)
		client_progress(c);
}

void layout_add(struct layout *l, struct segment *seg)
{
	layout_table_insert(&l->file->table, seg);
	DL_APPEND2(l->segs, seg, own_prev, own_next);
	usage_add(l->st.client, seg);
}

void layout_remove(struct layout *l, struct segment *seg)
{
	layout_table_remove(&l->file->table, seg);
	DL_DELETE2(l->segs, seg, own_prev, own_next);
	usage_remove(l->st.client, seg);
}

static bool is_everything(struct range r)
{
	return r.offset == 0 && r.end == UINT64_MAX;
}

bool layout_holds(const struct layout *l, struct range r)
{
	const struct segment *seg = NULL;

	if (is_everything(r))
		return l->segs != NULL;
	while ((seg = layout_table_overlap(&l->file->table, r, seg)))
		if (seg->layout == l)
			return true;
	return false;
}

/* The next of @l behind @seg that overlaps @r: of all by its own list, else by the table. */
static struct segment *next_of(const struct layout *l, struct range r, struct segment *seg)
{
	if (is_everything(r))
		return seg ? seg->own_next : l->segs;
	do
		seg = layout_table_overlap(&l->file->table, r, seg);
	while (seg && seg->layout != l);
	return seg;
}

struct segment **layout_collect(struct layout *l, struct range r, bool read, bool rw,
				size_t *n)
{
	struct segment *seg = NULL, **list;
	size_t room = 0;

	*n = 0;
	while ((seg = next_of(l, r, seg)))
		room++;
	list = calloc(room ? room : 1, sizeof(*list));
	if (!list)
		return NULL;
	while ((seg = next_of(l, r, seg)))
		if (seg->state == SEGMENT_GRANTED && (seg->mode == BACKING_READ ? read : rw))
			list[(*n)++] = seg;
	if (!*n) {
		free(list);
		return NULL;
	}
	return list;
}
