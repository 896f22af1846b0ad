// SPDX-License-Identifier: BSD-3-Clause
/*
 * T4, I3: a grant with a break, a recall, a gate, a CLOSE, a dying client or a stopping
 * server at each point inside it, and with each of its steps failing.  Backing, fabric and
 * file queue are fakes that count what is alive.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <utlist.h>

#include "export.h"
#include "fabric/fabric.h"
#include "layout.h"
#include "recall.h"
#include "recall_any.h"

static struct server srv;
static struct export exp_;
static struct file file;
static struct client client;
static struct layout layout;
static struct open open_;

static struct file_job *queued;
static int nr_mems, nr_mrs, nr_lease_opens, nr_puts, nr_scarce;
static struct teardown *torn;
#define STEPS 6		/* lease, map, two memories, two keys */
static int step, fail_at;	/* the fail_at-th step that can fail does */

static void (*event)(void);	/* comes at the event_at-th step */
static int event_at;

static int may_fail(int rc)
{
	step++;
	if (step == event_at)
		event();
	return step == fail_at ? rc : 0;
}

/* ---- fakes ---- */

void file_submit(struct file *f, struct file_job *fj)
{
	fj->file = f;
	queued = fj;
}

void server_write_failed(struct server *server, int rc)
{
	(void)server;
	(void)rc;
}

void recall_hold(struct layout *l)
{
	(void)l;
}

void layout_put(struct layout *l)
{
	nr_puts++;
	l->users--;
}

void layout_add(struct layout *l, struct segment *seg)
{
	layout_table_insert(&l->file->table, seg);
	DL_APPEND2(l->segs, seg, own_prev, own_next);
}

void layout_remove(struct layout *l, struct segment *seg)
{
	layout_table_remove(&l->file->table, seg);
	DL_DELETE2(l->segs, seg, own_prev, own_next);
}

bool open_any(const struct file *f, const struct client *c)
{
	(void)c;
	return f->opens != NULL;
}

bool file_inside_eof(const struct file *f, struct range r)
{
	(void)f;
	(void)r;
	return true;
}

void recall_any_check(struct server *s)
{
	(void)s;
}

void recall_any_scarce(struct server *s)
{
	(void)s;
	nr_scarce++;
}

void teardown_start(struct teardown *t)
{
	torn = t;
}

static int fake_layout_open(struct backing_file *bf, struct iopmem_err *err)
{
	(void)bf;
	nr_lease_opens++;
	return may_fail(-EAGAIN) ? err_msg(err, EAGAIN, "fake") : 0;
}

static int fake_map(struct backing_file *bf, struct range range, enum backing_iomode mode,
		    struct backing_extent *ext, size_t *n, uint64_t *size,
		    struct iopmem_err *err)
{
	uint64_t middle = range.offset + 4096;

	(void)bf;
	if (may_fail(-ENOSPC))
		return err_msg(err, ENOSPC, "fake");
	assert_true(*n >= 3);
	ext[0] = (struct backing_extent){ { range.offset, middle }, (int)mode == BACKING_RW ?
					  BACKING_RW_DATA : BACKING_READ_DATA, true };
	ext[1] = (struct backing_extent){ { middle, middle + 4096 }, BACKING_NONE, false };
	ext[2] = (struct backing_extent){ { middle + 4096, range.end }, ext[0].state, false };
	*n = 3;
	*size = 12345;
	return 0;
}

static int fake_mem_get(struct backing_file *bf, struct range range, enum backing_iomode mode,
			struct memsrc *src, struct iopmem_err *err)
{
	(void)bf;
	(void)mode;
	if (may_fail(-EIO))
		return err_msg(err, EIO, "fake");
	*src = (struct memsrc){ .fd = 7, .file_offset = range.offset, .length = range_len(range) };
	nr_mems++;
	return 0;
}

static void fake_mem_put(struct backing_file *bf, struct memsrc *src)
{
	(void)bf;
	assert_int_equal(src->fd, 7);	/* one that was handed out */
	nr_mems--;
}

static const struct backing_ops fake_ops = {
	.layout_open = fake_layout_open, .map = fake_map, .mem_get = fake_mem_get,
	.mem_put = fake_mem_put,
};

int fabric_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
		  struct fabric_mr **mr, struct iopmem_err *err)
{
	(void)peer;
	assert_int_equal(src->fd, 7);
	assert_int_equal(rights, FABRIC_READ | FABRIC_WRITE);
	if (may_fail(-ENOMEM))
		return err_msg(err, ENOMEM, "fake");
	nr_mrs++;
	*mr = (struct fabric_mr *)(uintptr_t)(0x1000 * (unsigned int)nr_mrs);
	return 0;
}

int fabric_mr_dereg(struct fabric_mr *mr)
{
	assert_non_null(mr);
	assert_true(nr_mems == nr_mrs);		/* the key dies before its memory */
	nr_mrs--;
	return 0;
}

/* ---- the scene ---- */

static int nr_done;
static enum iopmem_status done_status;
static size_t done_n;

static void granted(struct grant *g, enum iopmem_status status, struct segment **segs,
		    size_t n)
{
	size_t i;

	nr_done++;
	done_status = status;
	done_n = n;
	for (i = 0; i < n; i++)
		assert_int_equal(segs[i]->state, SEGMENT_GRANTED);
	free(g);
}

static int up(void **state)
{
	(void)state;
	memset(&srv, 0, sizeof(srv));
	memset(&file, 0, sizeof(file));
	memset(&client, 0, sizeof(client));
	memset(&layout, 0, sizeof(layout));
	exp_.srv = &srv;
	exp_.ops = &fake_ops;
	file.srv = &srv;
	file.exp = &exp_;
	strcpy(file.name, "d/f");
	client.srv = &srv;
	memset(&open_, 0, sizeof(open_));
	open_.file = &file;
	open_.access = IOPMEM_ACCESS_READ | IOPMEM_ACCESS_WRITE;
	file.opens = &open_;
	layout.file = &file;
	layout.st.client = &client;
	layout.users = 1;
	queued = NULL;
	torn = NULL;
	nr_mems = nr_mrs = nr_lease_opens = nr_puts = nr_done = step = fail_at = event_at = 0;
	nr_scarce = 0;
	return 0;
}

static void start(void)
{
	struct grant *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	g->range = (struct range){ 0, 4 * 4096 };
	g->mode = BACKING_RW;
	g->done = granted;
	grant_start(&layout, g);
}

static void run(void)
{
	queued->run(queued);
}

static void finish(void)
{
	queued->done(queued);
}

static int nr_segments(void)
{
	struct segment *seg;
	int n;

	DL_COUNT2(layout.segs, seg, n, own_next);
	return n;
}

static void drop_segments(void)
{
	struct segment *seg, *next;

	DL_FOREACH_SAFE(file.table.head, seg, next) {
		layout_remove(&layout, seg);
		free(seg);
	}
}

/* ---- tests ---- */

static void nothing_in_between(void **state)
{
	(void)state;
	start();
	assert_false(layout_table_empty(&file.table));		/* reserved */
	assert_int_equal(file.table.head->state, SEGMENT_GRANTING);
	run();
	finish();
	assert_int_equal(nr_done, 1);
	assert_int_equal(done_status, IOPMEM_OK);
	assert_int_equal(done_n, 3);
	assert_int_equal(nr_mrs, 2);				/* the hole has no key */
	assert_int_equal(nr_segments(), 3);
	assert_int_equal(layout.users, 1);
	assert_int_equal(file.lease, FILE_LEASE_HELD);
	assert_true(file.size == 12345);
	assert_null(torn);
	drop_segments();
}

static void by_break(void)
{
	file.broken = true;
	file.break_seq++;
}

/* Broken, given back, and taken again meanwhile: the break still counts. */
static void by_past_break(void)
{
	file.break_seq++;
}

static void by_gate(void)
{
	file.gates++;
}

static void by_death(void)
{
	client.dying = true;
}

static void by_stop(void)
{
	srv.stopping = true;
}

static void by_recall(void)
{
	layout.recall.active = true;
	layout.recall.range = (struct range){ 3 * 4096, 5 * 4096 };
}

/* CLOSE fences what was granted before, not what is on its way. */
static void by_close(void)
{
	file.opens = NULL;
}

static void T4_overtaken_at_every_step(void **state)
{
	static void (*const events[])(void) = { by_break, by_past_break, by_gate, by_death,
						by_stop, by_recall, by_close };
	size_t i;
	int point;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		/* before its turn in the queue (0); inside its lease, map, memories and keys
		 * (1 to 6); before the loop hears of it (7) */
		for (point = 0; point <= STEPS + 1; point++) {
			up(state);
			event = events[i];
			event_at = point;
			start();
			if (point == 0)
				event();
			run();
			assert_int_equal(step, STEPS);
			if (point == STEPS + 1)
				event();
			finish();
			assert_int_equal(nr_done, 1);
			assert_int_equal(done_status, IOPMEM_RECALLCONFLICT);
			assert_int_equal(done_n, 0);
			/* torn down like any other, with a user until that is over */
			assert_non_null(torn);
			assert_int_equal(torn->n, 3);
			assert_ptr_equal(torn->layout, &layout);
			assert_int_equal(layout.users, 2);
			assert_int_equal(layout.st.seqid, 0);	/* the client saw nothing */
			nr_mems = 0;
			nr_mrs = 0;
			drop_segments();
			free(torn->segs);
			torn->segs = NULL;
			torn->done(torn);
			assert_int_equal(layout.users, 1);
		}
	}
}

/* A recall of another range is none of its business. */
static void other_recall(void **state)
{
	(void)state;
	layout.recall.active = true;
	layout.recall.range = (struct range){ 4 * 4096, UINT64_MAX };
	start();
	run();
	finish();
	assert_int_equal(done_status, IOPMEM_OK);
	drop_segments();
}

/* Step 1, 2, 3... fails until none is left: nothing survives any of them. */
static void every_step_fails_once(void **state)
{
	int n;

	for (n = 1; ; n++) {
		up(state);
		fail_at = n;
		start();
		run();
		finish();
		assert_int_equal(nr_done, 1);
		if (step < n)
			break;
		assert_int_not_equal(done_status, IOPMEM_OK);
		assert_int_equal(nr_mems, 0);
		assert_int_equal(nr_mrs, 0);
		assert_true(layout_table_empty(&file.table));
		assert_int_equal(nr_segments(), 0);
		assert_int_equal(layout.users, 1);
		/* the lease is the file's to give back, if it was taken */
		assert_int_equal(file.lease, n == 1 ? FILE_LEASE_NONE : FILE_LEASE_HELD);
	}
	assert_int_equal(n, STEPS + 1);
	assert_int_equal(done_status, IOPMEM_OK);
	drop_segments();
}

static void open_lease_is_not_taken_twice(void **state)
{
	(void)state;
	file.lease_open = true;
	file.lease = FILE_LEASE_HELD;
	start();
	run();
	finish();
	assert_int_equal(nr_lease_opens, 0);
	drop_segments();
}

static void too_little(void **state)
{
	struct grant *g = calloc(1, sizeof(*g));

	(void)state;
	assert_non_null(g);
	g->range = (struct range){ 0, 4 * 4096 };
	g->mode = BACKING_RW;
	g->min_end = 4 * 4096 + 1;
	g->done = granted;
	grant_start(&layout, g);
	run();
	finish();
	assert_int_equal(done_status, IOPMEM_BADLAYOUT);
	assert_int_equal(nr_mems, 0);
	assert_true(layout_table_empty(&file.table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_in_between, up),
		cmocka_unit_test_setup(T4_overtaken_at_every_step, up),
		cmocka_unit_test_setup(other_recall, up),
		cmocka_unit_test_setup(every_step_fails_once, up),
		cmocka_unit_test_setup(open_lease_is_not_taken_twice, up),
		cmocka_unit_test_setup(too_little, up),
	};

	return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
