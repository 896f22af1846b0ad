// SPDX-License-Identifier: BSD-3-Clause
/*
 * A thread fills windows from the source, this one empties them into the sink.
 *
 * Resuming: as long as a window lies inside what the sink has, it is read back and
 * compared; from the first that differs on everything is moved.  Sparse: what is a hole
 * at the source is no window at all; and blocks of zeros can be left out at the sink.
 * That is right because a sink is empty behind what was written to it.
 */
#include "flow.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ZERO_BLOCK 65536U	/* the unit in which zeros are looked for */

struct flow {
	struct windows *ws;
	struct end *from, *to;
	struct digest *digest;
	struct flow_result *result;
	bool skip_holes;	/* of the source */
	bool skip_zeros;	/* at the sink */
	uint64_t dense_until;	/* no hole is skipped before: it is compared */
	uint64_t there;		/* what the sink has and was not found to differ ends here */
	bool writing;		/* has begun */
	struct iopmem_err source_err;
};

/* ---- the source's thread ---- */

static int fill(struct flow *f, struct window *w, uint64_t pos, struct iopmem_err *err)
{
	uint64_t data = pos, end = UINT64_MAX;
	int ret;

	if (f->skip_holes && pos >= f->dense_until)
		f->from->ops->next_data(f->from, &data, &end);
	w->offset = data;
	w->len = end - data < WINDOW_BYTES ? (size_t)(end - data) : WINDOW_BYTES;
	ret = f->from->ops->read(f->from, w, err);
	if (!ret && f->digest) {
		digest_add_zeros(f->digest, data - pos);
		digest_add(f->digest, w->data, w->len);
	}
	return ret;
}

static void *run_source(void *arg)
{
	struct flow *f = arg;
	struct window *w;
	uint64_t pos = 0;

	while ((w = window_to_fill(f->ws))) {
		if (fill(f, w, pos, &f->source_err)) {
			windows_stop(f->ws);
			break;
		}
		pos = w->offset + w->len;
		window_filled(f->ws);
		if (!w->len)
			break;
	}
	return NULL;
}

/* ---- the sink ---- */

/* 1 the sink has the same bytes, 0 others, or -errno. */
static int same(struct flow *f, const struct window *w, struct iopmem_err *err)
{
	struct window there = { .data = f->ws->scratch };
	size_t done;
	int ret;

	for (done = 0; done < w->len; done += there.len) {
		there.offset = w->offset + done;
		there.len = w->len - done < SCRATCH_BYTES ? w->len - done : SCRATCH_BYTES;
		ret = f->to->ops->read(f->to, &there, err);
		if (ret)
			return ret;
		if (!there.len || memcmp(there.data, w->data + done, there.len))
			return 0;
	}
	return 1;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	return !*data && !memcmp(data, data + 1, len - 1);
}

static size_t block_at(const struct window *w, size_t at)
{
	return w->len - at < ZERO_BLOCK ? w->len - at : ZERO_BLOCK;
}

/* Writes what is not zero. */
static int write_runs(struct flow *f, const struct window *w, struct iopmem_err *err)
{
	struct window run;
	size_t at = 0, begin;
	int ret;

	while (at < w->len) {
		if (f->skip_zeros && is_zero(w->data + at, block_at(w, at))) {
			at += block_at(w, at);
			continue;
		}
		for (begin = at; at < w->len; at += block_at(w, at))
			if (f->skip_zeros && is_zero(w->data + at, block_at(w, at)))
				break;
		run = (struct window){ w->data + begin, at - begin, w->offset + begin };
		ret = f->to->ops->write(f->to, &run, err);
		if (ret)
			return ret;
		f->result->moved += run.len;
	}
	return 0;
}

static int empty(struct flow *f, const struct window *w, struct iopmem_err *err)
{
	int ret;

	if (!f->writing && w->offset + w->len <= f->there) {
		ret = same(f, w, err);
		if (ret > 0) {
			f->result->kept += w->len;
			return 0;
		}
		if (ret < 0)
			return ret;
	}
	if (!f->writing && f->there > w->offset) {
		ret = f->to->ops->resize(f->to, w->offset, err);
		if (ret)
			return ret;
	}
	f->writing = true;
	return write_runs(f, w, err);
}

static int run_sink(struct flow *f, struct iopmem_err *err)
{
	struct window *w;
	int ret = 0;

	while (!ret && (w = window_to_empty(f->ws))) {
		if (!w->len) {
			f->result->size = w->offset;
			return 0;
		}
		ret = empty(f, w, err);
		window_emptied(f->ws);
	}
	return ret ? ret : -EPIPE;	/* the source has failed and says why */
}

/* Reads the sink and compares its checksum with the source's. */
static int read_back(struct flow *f, struct iopmem_err *err)
{
	struct window w = { .data = f->ws->scratch };
	char text[DIGEST_TEXT_MAX];
	int ret;

	f->to->st.size = f->result->size;
	for (w.offset = 0; w.offset < f->result->size; w.offset += w.len) {
		w.len = SCRATCH_BYTES;
		ret = f->to->ops->read(f->to, &w, err);
		if (ret)
			return ret;
		if (!w.len)
			break;
		digest_add(f->digest, w.data, w.len);
	}
	digest_text(f->digest, text);
	if (!strcmp(text, f->result->digest))
		return 0;
	err->code = EILSEQ;
	snprintf(err->text, sizeof(err->text),
		 "'%.200s', read back, has the checksum %.64s, not %.64s", f->to->path, text,
		 f->result->digest);
	return -EILSEQ;
}

static int finish(struct flow *f, struct iopmem_err *err)
{
	struct flow_result *r = f->result;
	int ret = 0;

	r->holes = r->size - r->moved - r->kept;
	/* A hole at the end, or more than the source has. */
	if (f->to->seekable && (r->holes || f->there > r->size))
		ret = f->to->ops->resize(f->to, r->size, err);
	if (!f->digest || ret)
		return ret;
	digest_text(f->digest, r->digest);
	return f->to->seekable ? read_back(f, err) : 0;
}

int flow_run(struct windows *ws, struct end *from, struct end *to,
	     const struct flow_options *options, struct flow_result *result,
	     struct iopmem_err *err)
{
	struct flow f = { .ws = ws, .from = from, .to = to, .digest = options->digest,
			  .result = result };
	bool sparse = options->sparse != SPARSE_NEVER && to->seekable;
	pthread_t source;
	int ret;

	*result = (struct flow_result){ 0 };
	windows_reset(ws);
	f.there = options->resume && to->seekable ? to->st.size : 0;
	f.dense_until = f.there;
	f.skip_holes = sparse && from->seekable && from->ops->next_data;
	f.skip_zeros = sparse && (options->sparse == SPARSE_ALWAYS ||
				  (!from->ops->next_data && from->st.space_used < from->st.size));
	if (pthread_create(&source, NULL, run_source, &f))
		return cli_error(err, EAGAIN, "start a thread for", from->path);
	ret = run_sink(&f, err);
	windows_stop(ws);
	pthread_join(source, NULL);
	if (f.source_err.code) {
		*err = f.source_err;
		return -f.source_err.code;
	}
	return ret ? ret : finish(&f, err);
}
