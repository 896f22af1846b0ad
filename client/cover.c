// SPDX-License-Identifier: BSD-3-Clause
#include "cover.h"

#include <stdlib.h>

#include "client.h"

void cover_tell(struct iopmem_client *client, enum iopmem_cover what, uint64_t fileid,
		struct range r)
{
	iopmem_cover_fn fn;
	void *arg;

	pthread_mutex_lock(&client->lock);
	fn = client->cover_fn;
	arg = client->cover_arg;
	pthread_mutex_unlock(&client->lock);
	if (fn)
		fn(what, fileid, r.offset, r.end == UINT64_MAX ? UINT64_MAX : range_len(r), arg);
}

/* A lease that ends with @r and was not told yet; @r grows to cover it. */
static bool next_ending(struct file *file, struct range *r, struct range *lease)
{
	struct iopmem_lease *l;

	for (l = file->leases; l; l = l->next) {
		if (l->state != LEASE_ACTIVE || l->told || !range_overlaps(l->wire, *r))
			continue;
		l->told = true;
		*lease = l->wire;
		if (l->wire.offset < r->offset)
			r->offset = l->wire.offset;
		if (l->wire.end > r->end)
			r->end = l->wire.end;
		return l->cached;
	}
	*lease = (struct range){ 0, 0 };
	return false;
}

static bool others_tell(const struct file *file, struct range r)
{
	const struct iopmem_lease *l;

	for (l = file->leases; l; l = l->next)
		if (l->telling && range_overlaps(l->wire, r))
			return true;
	return false;
}

void cover_tell_ends(struct file *file, struct range r, struct cover_ends *told)
{
	struct iopmem_lease *l;
	struct range one;
	size_t max = 0;
	bool cached;

	for (l = file->leases; l; l = l->next)
		max++;
	told->n = 0;
	told->v = calloc(max + 1, sizeof(*told->v));
	while (told->v && told->n < max) {
		cached = next_ending(file, &r, &one);
		if (range_empty(one))
			break;
		if (!cached)
			continue;
		told->v[told->n++] = one;
		pthread_mutex_unlock(&file->lock);
		cover_tell(file->client, IOPMEM_COVER_ENDS, file->fileid, one);
		pthread_mutex_lock(&file->lock);
	}
	while (others_tell(file, r))
		pthread_cond_wait(&file->cond, &file->lock);
}

void cover_tell_ended(struct file *file, struct range r, struct cover_ends *told)
{
	while (told->n)
		cover_tell(file->client, IOPMEM_COVER_ENDED, file->fileid, told->v[--told->n]);
	free(told->v);
	/* What is left over, of leases that ended in between or without memory for the list. */
	cover_tell(file->client, IOPMEM_COVER_NONE, file->fileid, r);
}
