// SPDX-License-Identifier: BSD-3-Clause
#include "layout.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define MAXCOUNT (64 * 1024)	/* bytes of a LAYOUTGET reply */

bool layout_wait(struct file *file, uint64_t until_ms)
{
	while (file->layout_busy)
		if (!client_cond_wait(&file->cond, &file->lock, until_ms))
			return false;
	file->layout_busy = true;
	return true;
}

bool layout_begin(struct file *file, uint64_t until_ms)
{
	while (file->layout_busy || file->recalls)
		if (!client_cond_wait(&file->cond, &file->lock, until_ms))
			return false;
	file->layout_busy = true;
	return true;
}

void layout_end(struct file *file)
{
	file->layout_busy = false;
	pthread_cond_broadcast(&file->cond);
}

static bool same_other(const iopmem_stateid *a, const iopmem_stateid *b)
{
	return !memcmp(a->other, b->other, sizeof(a->other));
}

void layout_seen(struct file *file, const iopmem_stateid *stateid)
{
	if (!file->layout_present || !same_other(&file->layout, stateid)) {
		file->layout = *stateid;
		file->layout_present = true;
	} else if (seqid_newer(stateid->seqid, file->layout.seqid)) {
		file->layout.seqid = stateid->seqid;
	}
}

void layout_forget(struct file *file)
{
	file->layout_present = false;
	extent_map_fini(&file->maps[0]);
	extent_map_fini(&file->maps[1]);
}

/* A peer's segment, checked; -EPROTO for nonsense. */
static int insert(struct file *file, const iopmem_segment *seg)
{
	struct extent e = {
		.addr = seg->addr,
		.rkey = seg->rkey,
		.state = seg->state == IOPMEM_NONE_DATA ? EXTENT_HOLE : EXTENT_DATA,
		.needs_commit = !(seg->flags & IOPMEM_SEG_NO_LAYOUTCOMMIT),
	};

	if (!range_make(seg->offset, seg->length, &e.r) ||
	    seg->addr > UINT64_MAX - range_len(e.r) ||
	    (seg->iomode != IOPMEM_WIRE_READ && seg->iomode != IOPMEM_WIRE_RW))
		return -EPROTO;
	return extent_map_insert(&file->maps[seg->iomode == IOPMEM_WIRE_RW], &e);
}

static void count_get(struct iopmem_client *client, bool done)
{
	pthread_mutex_lock(&client->gets_lock);
	if (done) {
		client->gets_done++;
		pthread_cond_broadcast(&client->gets_cond);
	} else {
		client->gets_started++;
	}
	pthread_mutex_unlock(&client->gets_lock);
}

static int get_reply(struct file *file, const iopmem_layoutget_ok *ok,
		     uint64_t epoch, struct iopmem_err *err)
{
	u_int i;
	int ret;

	if (file->stale)
		return err_set(err, ESTALE, "lease '%s'", file->path);
	file->size = ok->size;
	if (!ok->segments.segments_len)
		return -ENODATA;
	if (epoch != file->layout_epoch)	/* a recall was served before this came */
		return -EAGAIN;
	layout_seen(file, &ok->stateid);
	for (i = 0; i < ok->segments.segments_len; i++) {
		ret = insert(file, &ok->segments.segments_val[i]);
		if (ret)
			return err_set(err, -ret, "lease '%s': segment %u of the reply",
				       file->path, i);
	}
	return 0;
}

static int get_error(struct file *file, unsigned int status, bool rw,
		     bool by_layout, struct iopmem_err *err)
{
	if (status_is_retry(status) || status == IOPMEM_OLD_STATEID)
		return -EAGAIN;
	if (status == IOPMEM_BADLAYOUT && !rw)
		return -ENODATA;
	if (by_layout && (status == IOPMEM_BAD_STATEID || status == IOPMEM_ADMIN_REVOKED)) {
		file_lose(file, (struct range){ 0, UINT64_MAX });
		layout_forget(file);
		return -EAGAIN;		/* with the open stateid */
	}
	return err_msg(err, -status_to_errno(status), "lease '%s': %s", file->path,
		       status_text(status));
}

int layout_get(struct file *file, struct range want, bool rw, struct iopmem_err *err)
{
	struct iopmem_client *client = file->client;
	bool by_layout = file->layout_present;
	uint64_t epoch = file->layout_epoch;
	iopmem_layoutget_args args = {
		.stateid = by_layout ? file->layout : file->open,
		.iomode = rw ? IOPMEM_WIRE_RW : IOPMEM_WIRE_READ,
		.offset = want.offset,
		.length = want.end == UINT64_MAX ? UINT64_MAX : range_len(want),
		/* RW must get something; a READ may find nothing, past EOF. */
		.minlength = rw ? client->conn.granule : 0,
		.maxcount = MAXCOUNT,
	};
	iopmem_layoutget_res res;
	struct session_op op = SESSION_OP(LAYOUTGET, layoutget_args, layoutget_res, &args, &res,
					  file->generation, SESSION_ONCE);
	struct iopmem_err cause = { 0 };
	unsigned int status = 0;
	int ret;

	pthread_mutex_unlock(&file->lock);
	count_get(client, false);
	ret = session_call(client, &client->main, &op, &status, &cause);
	pthread_mutex_lock(&file->lock);
	if (ret) {
		err_msg(err, -ret, "lease '%s': %.200s", file->path, cause.text);
	} else if (status) {
		file->refusal = status;
		ret = get_error(file, status, rw, by_layout, err);
	} else {
		ret = get_reply(file, &res.iopmem_layoutget_res_u.ok, epoch, err);
		session_free(&op);
	}
	/* Only now: a recall waits until the reply is processed. */
	count_get(client, true);
	return ret;
}

/* ---- return ---- */

/* @r grown to whole segments of @map. */
static struct range hull(const struct extent_map *map, struct range r)
{
	const struct extent *e = extent_map_find(map, r.offset);

	if (e)
		r.offset = e->r.offset;
	e = extent_map_find(map, r.end - 1);
	if (e)
		r.end = e->r.end;
	return r;
}

/* Takes the range, and every segment that it cuts, out of the maps. */
static void take_out(struct file *file, struct range r)
{
	int i;

	if (extent_map_splits(&file->maps[0], r) || extent_map_splits(&file->maps[1], r)) {
		file->gate = true;
		while (file->inflight)
			pthread_cond_wait(&file->cond, &file->lock);
	}
	for (i = 0; i < 2; i++)
		extent_map_remove(&file->maps[i], hull(&file->maps[i], r));
}

static void lose_uncovered(struct file *file)
{
	struct iopmem_lease *l;
	struct range gap;

	for (l = file->leases; l; l = l->next)
		if (l->state == LEASE_ACTIVE && !layout_covers(file, l, &gap))
			lease_lose(l, (struct range){ 0, UINT64_MAX });
}

static void open_gate(struct file *file)
{
	if (!file->gate)
		return;
	file->gate = false;
	lose_uncovered(file);
	pthread_cond_broadcast(&file->cond);
}

static void return_reply(struct file *file, struct layout_return *lr,
			 const iopmem_layoutreturn_ok *ok)
{
	u_int i;

	lr->commit_status = ok->commit_status;
	file->size = ok->size;
	if (!ok->present) {
		layout_forget(file);
		return;
	}
	layout_seen(file, &ok->stateid);
	for (i = 0; i < ok->segments.segments_len; i++)
		insert(file, &ok->segments.segments_val[i]);	/* failed: not held */
}

static int return_call(struct file *file, struct rpc_channel *ch,
		       struct layout_return *lr, struct iopmem_err *err)
{
	iopmem_wire_range ranges[IOPMEM_RANGES_MAX];
	iopmem_layoutreturn_args args = {
		.type = IOPMEM_RETURN_FILE,
		.iomode = IOPMEM_WIRE_ANY,
		.export_name = file->client->export_name,
		.stateid = file->layout,
		.offset = lr->r.offset,
		.length = lr->r.end == UINT64_MAX ? UINT64_MAX : range_len(lr->r),
		.commit = { { (u_int)lr->n, ranges }, lr->new_size },
	};
	iopmem_layoutreturn_res res;
	struct session_op op = SESSION_OP(LAYOUTRETURN, layoutreturn_args, layoutreturn_res,
					  &args, &res, file->generation, SESSION_ONCE);
	unsigned int status = 0;
	size_t i;
	int ret;

	for (i = 0; i < lr->n; i++)
		ranges[i] = (iopmem_wire_range){ lr->ranges[i].offset, range_len(lr->ranges[i]) };
	pthread_mutex_unlock(&file->lock);
	ret = session_call(file->client, ch, &op, &status, err);
	pthread_mutex_lock(&file->lock);
	if (ret)
		return ret;
	if (!status) {
		return_reply(file, lr, &res.iopmem_layoutreturn_res_u.ok);
		session_free(&op);
		return 0;
	}
	if (status_is_retry(status) || status == IOPMEM_OLD_STATEID)
		return -EAGAIN;
	if (status == IOPMEM_BAD_STATEID || status == IOPMEM_ADMIN_REVOKED) {
		/* Fenced, or gone with its last segment: nothing is held any more. */
		lr->commit_status = status;
		layout_forget(file);
		lose_uncovered(file);
		file_uncovered(file);
		return 0;
	}
	if (lr->n || lr->new_size) {	/* the commit is refused: return without it */
		lr->commit_status = status;
		lr->n = 0;
		lr->new_size = 0;
		return -EAGAIN;
	}
	return err_msg(err, -status_to_errno(status), "return layout of '%s': %s", file->path,
		       status_text(status));
}

int layout_return(struct file *file, struct rpc_channel *ch, struct layout_return *lr,
		  struct iopmem_err *err)
{
	uint64_t until = clock_ms() + file->client->timeout_ms;
	struct backoff backoff = { 0 };
	unsigned int refused = 0;
	int ret;

	lr->commit_status = 0;
	take_out(file, lr->r);
	if (!file->layout_present || file->stale) {
		open_gate(file);
		return file->stale ? -ESTALE : 0;
	}
	for (;;) {
		ret = return_call(file, ch, lr, err);
		if (lr->commit_status)
			refused = lr->commit_status;
		if (ret != -EAGAIN || clock_ms() >= until)
			break;
		pthread_mutex_unlock(&file->lock);
		backoff_sleep(&backoff);
		pthread_mutex_lock(&file->lock);
	}
	if (refused)
		lr->commit_status = refused;
	open_gate(file);
	return ret;
}

void layout_return_unknown(struct iopmem_client *client, struct rpc_channel *ch,
			   const iopmem_stateid *stateid, uint64_t generation)
{
	iopmem_layoutreturn_args args = {
		.type = IOPMEM_RETURN_FILE,
		.iomode = IOPMEM_WIRE_ANY,
		.export_name = client->export_name,
		.stateid = *stateid,
		.length = UINT64_MAX,
	};
	iopmem_layoutreturn_res res;
	struct session_op op = SESSION_OP(LAYOUTRETURN, layoutreturn_args, layoutreturn_res,
					  &args, &res, generation, SESSION_ONCE);
	unsigned int status;

	if (!session_call(client, ch, &op, &status, NULL))
		session_free(&op);
}

/* ---- what is held ---- */

bool layout_needs_commit(const struct file *file, struct range r)
{
	const struct extent *e;

	if (r.end > file->size)
		return true;
	while (!range_empty(r)) {
		e = extent_map_find(&file->maps[1], r.offset);
		if (!e || e->needs_commit)
			return true;
		r.offset = e->r.end;
	}
	return false;
}

static void add_range(struct layout_return *lr, struct range r)
{
	struct range *last = lr->n ? &lr->ranges[lr->n - 1] : NULL;

	if (last && last->end >= r.offset)
		last->end = r.end > last->end ? r.end : last->end;
	else if (lr->n < IOPMEM_RANGES_MAX)
		lr->ranges[lr->n++] = r;
	else			/* the last one swallows the rest */
		last->end = r.end;
}

void layout_commit_ranges(const struct file *file, const struct written *w,
			  struct layout_return *lr)
{
	size_t i;

	lr->n = 0;
	for (i = 0; i < w->n; i++)
		add_range(lr, range_round_out(w->v[i].r, file->client->conn.granule));
}

void layout_commit_extents(const struct file *file, struct layout_return *lr)
{
	const struct extent_map *map = &file->maps[1];
	size_t i;

	lr->n = 0;
	for (i = 0; i < map->n; i++)
		if (range_overlaps(map->v[i].r, lr->r))
			add_range(lr, range_intersect(map->v[i].r, lr->r));
}

bool layout_covers(const struct file *file, const struct iopmem_lease *lease,
		   struct range *gap)
{
	struct range r = lease->wire, g, rest;

	if (lease->rw)
		return !extent_map_gap(&file->maps[1], r, gap);
	/* Memory past EOF is neither granted nor needed. */
	r.end = r.end < file->size ? r.end : round_up_sat(file->size, file->client->conn.granule);
	while (!range_empty(r) && extent_map_gap(&file->maps[0], r, &g)) {
		if (extent_map_gap(&file->maps[1], g, &rest)) {
			*gap = rest;
			return false;
		}
		r.offset = g.end;
	}
	return true;
}
