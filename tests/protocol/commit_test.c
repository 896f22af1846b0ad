// SPDX-License-Identifier: BSD-3-Clause
/* LAYOUTCOMMIT, and the commit that rides on a LAYOUTRETURN: I10, I11, T9. */
#include <string.h>

#include "peer.h"

static struct rig rig;
static struct peer a, b;
static iopmem_stateid a_open, b_open;

/* "f" has two pages of 'o'. */
static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', 2 * PAGE);
	peer_up(&a, &rig, "a");
	peer_up(&b, &rig, "b");
	assert_status(peer_open(&a, "f", 3, &a_open), IOPMEM_OK);
	assert_status(peer_open(&b, "f", 3, &b_open), IOPMEM_OK);
	return 0;
}

static int down(void **state)
{
	(void)state;
	peer_drop(&a);
	peer_drop(&b);
	rig_down(&rig);
	return 0;
}

static void finish(void)
{
	peer_down(&a);
	peer_down(&b);
	rig_stop(&rig);
}

static uint64_t size_now(void)
{
	iopmem_attr attr;

	assert_status(peer_getattr(&b, &b_open, &attr), IOPMEM_OK);
	return attr.size;
}

struct bad {
	const char *what;
	u_int n;
	iopmem_wire_range r[2];
	uint64_t new_size;
	u_int status;
};

#define TOP UINT64_MAX

/* A holds RW [0, 4) and READ [6, 7); B holds RW [5, 6). */
static const struct bad bads[] = {
	{ "out of range", 1, { { 4 * PAGE, PAGE } }, 0, IOPMEM_BADLAYOUT },
	{ "end out of range", 1, { { 3 * PAGE, 2 * PAGE } }, 0, IOPMEM_BADLAYOUT },
	{ "second out of range", 2, { { 0, PAGE }, { 4 * PAGE, 1 } }, 0, IOPMEM_BADLAYOUT },
	{ "foreign range", 1, { { 5 * PAGE, PAGE } }, 0, IOPMEM_BADLAYOUT },
	{ "READ layout", 1, { { 6 * PAGE, PAGE } }, 0, IOPMEM_BADIOMODE },
	{ "overlapping", 2, { { 0, 2 * PAGE }, { PAGE, PAGE } }, 0, IOPMEM_INVAL },
	{ "the same twice", 2, { { 0, PAGE }, { 0, PAGE } }, 0, IOPMEM_INVAL },
	{ "unsorted", 2, { { 2 * PAGE, PAGE }, { 0, PAGE } }, 0, IOPMEM_INVAL },
	{ "empty range", 1, { { 0, 0 } }, 0, IOPMEM_INVAL },
	{ "wrapping range", 1, { { TOP - 1, 4 } }, 0, IOPMEM_INVAL },
	{ "to the end", 1, { { 0, TOP } }, 0, IOPMEM_BADLAYOUT },
	{ "size behind the layout", 1, { { 0, PAGE } }, 4 * PAGE + 1, IOPMEM_BADLAYOUT },
	{ "size in a foreign layout", 1, { { 0, PAGE } }, 5 * PAGE + 1, IOPMEM_BADLAYOUT },
	{ "size in a READ layout", 1, { { 0, PAGE } }, 6 * PAGE + 1, IOPMEM_BADIOMODE },
	{ "size 2^63", 1, { { 0, PAGE } }, 1ULL << 63, IOPMEM_INVAL },
	{ "size 2^64-1", 0, { { 0, 0 } }, TOP, IOPMEM_INVAL },
};

static void T9_bad_commits_change_nothing(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_layoutreturn_args args;
	struct reply r, rb;
	uint64_t size;
	size_t i;

	(void)state;
	rig_fill(&rig, "g", 'o', 8 * PAGE);	/* READ needs bytes to read */
	assert_status(peer_open(&a, "g", 3, &id), IOPMEM_OK);
	assert_status(peer_open(&b, "g", 3, &other), IOPMEM_OK);
	b_open = other;
	iopmem_stateid g_open = id;

	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 6 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 5 * PAGE, PAGE, &rb), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r), IOPMEM_OK);
	for (i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		iopmem_wire_range ranges[2] = { bads[i].r[0], bads[i].r[1] };
		u_int status = peer_commit_ranges(&a, &id, ranges, bads[i].n,
						  bads[i].new_size, &size);

		if (status != bads[i].status)
			fail_msg("commit, %s: %s, not %s", bads[i].what, status_name(status),
				 status_name(bads[i].status));
		/* carried by a return: refused as well, and nothing is returned */
		args = peer_return_args(&a, &id, 0, TO_END);
		args.commit = (iopmem_commit){ { bads[i].n, ranges }, bads[i].new_size };
		struct reply back;

		peer_layoutreturn_with(&a, &args, &back);
		if (back.status != bads[i].status)
			fail_msg("return, %s: %s, not %s", bads[i].what,
				 status_name(back.status), status_name(bads[i].status));
		assert_int_equal(peer_write(&a, r.seg[0].rkey, 0, 'a', 16), 0);
		assert_int_equal(size_now(), 8 * PAGE);
	}
	/* an open stateid is no layout */
	assert_status(peer_commit(&a, &g_open, 0, PAGE, 0, &size), IOPMEM_BADLAYOUT);
	/* with bulk returns there is nothing to commit */
	args = peer_return_args(&a, &id, 0, 0);
	args.type = IOPMEM_RETURN_ALL;
	args.commit.new_size = PAGE;
	peer_layoutreturn_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_INVAL);
	finish();
	assert_int_equal(rig_size(&rig, "g"), 8 * PAGE);
}

static void T9_commit_never_shrinks(void **state)
{
	static const uint64_t steps[][2] = {	/* new size, size afterwards */
		{ 0, 2 * PAGE }, { 1, 2 * PAGE }, { PAGE, 2 * PAGE }, { 2 * PAGE, 2 * PAGE },
		{ 3 * PAGE + 100, 3 * PAGE + 100 }, { 3 * PAGE + 100, 3 * PAGE + 100 },
		{ 3 * PAGE, 3 * PAGE + 100 }, { 0, 3 * PAGE + 100 }, { 1, 3 * PAGE + 100 },
	};
	iopmem_stateid id = a_open;
	struct reply r;
	uint64_t size;
	size_t i;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 8 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 2);
	assert_int_equal(peer_write(&a, r.seg[1].rkey, peer_raddr(&r.seg[1], 2 * PAGE), 'a',
				    6 * PAGE), 0);
	assert_int_equal(size_now(), 2 * PAGE);		/* not visible before */
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_status(peer_commit(&a, &id, 2 * PAGE, 2 * PAGE, steps[i][0], &size),
			      IOPMEM_OK);
		assert_int_equal(size, steps[i][1]);
		assert_int_equal(size_now(), steps[i][1]);
	}
	assert_status(peer_commit(&a, &id, 0, 0, 0, &size), IOPMEM_OK);	/* pynfs BLOCK3 */
	assert_int_equal(size, 3 * PAGE + 100);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(r.size, 3 * PAGE + 100);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 3 * PAGE + 100);
	assert_true(rig_bytes(&rig, "f", 0, 2 * PAGE, 'o'));
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, PAGE + 100, 'a'));
}

/* pynfs BLOCK4; not aligned, and several in one granule. */
static void commit_lists(void **state)
{
	iopmem_wire_range ranges[IOPMEM_RANGES_MAX];
	iopmem_stateid id = a_open;
	struct reply r;
	uint64_t size;
	u_int i;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r), IOPMEM_OK);
	ranges[0] = (iopmem_wire_range){ 2 * PAGE, PAGE };
	ranges[1] = (iopmem_wire_range){ 3 * PAGE, PAGE };
	assert_status(peer_commit_ranges(&a, &id, ranges, 2, 3 * PAGE, &size), IOPMEM_OK);
	assert_int_equal(size, 3 * PAGE);
	ranges[0] = (iopmem_wire_range){ 10, 20 };
	ranges[1] = (iopmem_wire_range){ 30, 4000 };
	assert_status(peer_commit_ranges(&a, &id, ranges, 2, 0, &size), IOPMEM_OK);
	for (i = 0; i < IOPMEM_RANGES_MAX; i++)
		ranges[i] = (iopmem_wire_range){ 64ULL * i, 32 };
	assert_status(peer_commit_ranges(&a, &id, ranges, i, 0, &size), IOPMEM_OK);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 3 * PAGE);
}

/* The last page and the new size ride on the return; the rest is trimmed. */
static void commit_carried_by_return(void **state)
{
	iopmem_wire_range range = { 2 * PAGE, 2 * PAGE };
	iopmem_layoutreturn_args args;
	iopmem_stateid id = a_open;
	iopmem_segment seg;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, 4 * PAGE, &r), IOPMEM_OK);
	seg = r.seg[0];
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 2 * PAGE), 'a', 4 * PAGE), 0);
	/* in part: committed below, kept above */
	args = peer_return_args(&a, &id, 2 * PAGE, PAGE);
	args.commit = (iopmem_commit){ { 1, &range }, 3 * PAGE + 7 };
	peer_layoutreturn_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_status(r.commit_status, IOPMEM_OK);
	assert_int_equal(r.size, 3 * PAGE + 7);
	assert_true(r.present);
	/* what is left lies across the new EOF: two segments */
	assert_int_equal(r.n, 2);
	assert_int_equal(r.seg[0].offset, 3 * PAGE);
	assert_int_equal(r.seg[0].flags, IOPMEM_SEG_NO_LAYOUTCOMMIT);
	assert_int_equal(r.seg[1].flags, 0);
	id = r.stateid;
	assert_int_equal(id.seqid, 2);
	/* what was written but not committed is there still, for its owner */
	assert_int_equal(peer_write(&a, r.seg[1].rkey, peer_raddr(&r.seg[1], 5 * PAGE), 'b',
				    PAGE), 0);
	range = (iopmem_wire_range){ 4 * PAGE, PAGE };
	args = peer_return_args(&a, &id, 0, TO_END);
	args.commit = (iopmem_commit){ { 1, &range }, 5 * PAGE };
	peer_layoutreturn_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_status(r.commit_status, IOPMEM_OK);
	assert_false(r.present);
	assert_int_equal(r.size, 5 * PAGE);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 5 * PAGE);
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, 3 * PAGE, 'a'));
}

/* Without commit the growth never was; a new grant of it shows zeroes, not old bytes. */
static void T10_uncommitted_growth(void **state)
{
	static const char zero[64];
	iopmem_stateid id = a_open;
	struct reply r;
	char buf[64];

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 2 * PAGE), 'a',
				    2 * PAGE), 0);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(r.size, 2 * PAGE);
	await(rig_size(&rig, "f") == 2 * PAGE);
	id = b_open;
	assert_status(peer_layoutget(&b, &id, IOPMEM_WIRE_RW, 2 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_read(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], 3 * PAGE), buf,
				   sizeof(buf)), 0);
	assert_memory_equal(buf, zero, sizeof(buf));
	/* committed and never written: zeroes */
	assert_status(peer_commit(&b, &id, 2 * PAGE, PAGE, 3 * PAGE, NULL), IOPMEM_OK);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 3 * PAGE);
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, PAGE, 0));
}

/* What another client committed behind it makes the hole between them zeroes (why.md 9). */
static void two_growing_clients(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	struct reply r, rb;
	uint64_t size;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 4 * PAGE, 2 * PAGE, &rb),
		      IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 2 * PAGE), 'a',
				    2 * PAGE), 0);
	assert_int_equal(peer_write(&b, rb.seg[0].rkey, peer_raddr(&rb.seg[0], 4 * PAGE), 'b',
				    2 * PAGE), 0);
	assert_status(peer_commit(&b, &other, 4 * PAGE, 2 * PAGE, 6 * PAGE, &size), IOPMEM_OK);
	assert_int_equal(size, 6 * PAGE);
	assert_status(peer_commit(&a, &id, 2 * PAGE, 2 * PAGE, 4 * PAGE, &size), IOPMEM_OK);
	assert_int_equal(size, 6 * PAGE);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 2 * PAGE, 'o'));
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, 2 * PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", 4 * PAGE, 2 * PAGE, 'b'));
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(T9_bad_commits_change_nothing),
		T(T9_commit_never_shrinks),
		T(commit_lists),
		T(commit_carried_by_return),
		T(T10_uncommitted_growth),
		T(two_growing_clients),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}
