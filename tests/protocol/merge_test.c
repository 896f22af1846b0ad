// SPDX-License-Identifier: BSD-3-Clause
/* One LAYOUTGET over what the client holds in pieces: listed, or replaced (IOPMEM_GET_MERGE). */
#include <errno.h>
#include <string.h>

#include "peer.h"

static struct rig rig;
static struct peer a, b;
static iopmem_stateid a_open, b_open;

static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', 8 * PAGE);
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

static iopmem_segment get(struct peer *p, iopmem_stateid *id, iopmem_iomode mode, uint64_t page,
			  uint64_t n)
{
	struct reply r;

	assert_status(peer_layoutget(p, id, mode, page * PAGE, n * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 1);
	return r.seg[0];
}

static u_int merge(struct peer *p, iopmem_stateid *id, iopmem_iomode mode, uint64_t page,
		   uint64_t n, struct reply *r)
{
	iopmem_layoutget_args args = peer_get_args(p, id, mode, page * PAGE, n * PAGE);

	args.flags = IOPMEM_GET_MERGE;
	peer_layoutget_with(p, &args, r);
	if (!r->status)
		*id = r->stateid;
	return r->status;
}

static void assert_dead(const iopmem_segment *seg)
{
	assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, seg->offset), 'z', 1), -EACCES);
}

static void assert_works(const iopmem_segment *seg, char byte)
{
	assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, seg->offset), byte,
				    (uint32_t)seg->length), 0);
}

/* pynfs BLOCK2, without replacing: everything held and the first gap, no key dies. */
static void held_segments_are_listed(void **state)
{
	iopmem_stateid id = a_open;
	iopmem_segment first, third;
	struct reply r;

	(void)state;
	first = get(&a, &id, IOPMEM_WIRE_RW, 0, 1);
	third = get(&a, &id, IOPMEM_WIRE_RW, 2, 1);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 8 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.seg[0].rkey, first.rkey);
	assert_int_equal(r.seg[1].offset, PAGE);
	assert_int_equal(r.seg[1].length, PAGE);
	assert_int_equal(r.seg[2].rkey, third.rkey);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 8 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 4);
	assert_int_equal(r.seg[3].offset, 3 * PAGE);
	assert_int_equal(r.seg[3].length, 5 * PAGE);
	assert_works(&r.seg[0], 'a');
	assert_works(&r.seg[1], 'b');
	assert_works(&r.seg[2], 'c');
	assert_works(&r.seg[3], 'd');
	/* all of it is held now: listed again, nothing new */
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 0, 8 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 4);
	/* from the middle of a segment on, and no more than maxcount has room for */
	iopmem_layoutget_args args = peer_get_args(&a, &id, IOPMEM_WIRE_RW, PAGE + 1, 4 * PAGE);

	args.maxcount = 36 + 2 * 44;
	peer_layoutget_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.seg[0].offset, PAGE);
	finish();
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, PAGE, 'c'));
	assert_true(rig_bytes(&rig, "f", 3 * PAGE, 5 * PAGE, 'd'));
}

static void merge_replaces(void **state)
{
	iopmem_segment one, two, far;
	iopmem_stateid id = a_open;
	uint32_t seqid;
	struct reply r;

	(void)state;
	one = get(&a, &id, IOPMEM_WIRE_RW, 0, 2);
	two = get(&a, &id, IOPMEM_WIRE_RW, 3, 2);
	far = get(&a, &id, IOPMEM_WIRE_RW, 7, 1);
	assert_works(&one, 'a');
	assert_works(&two, 'b');
	seqid = id.seqid;
	/* whole segments are replaced, also where the range touches them only */
	assert_status(merge(&a, &id, IOPMEM_WIRE_RW, 1, 3, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, seqid + 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.seg[0].offset, 0);
	assert_int_equal(r.seg[0].length, 5 * PAGE);
	assert_dead(&one);
	assert_dead(&two);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 2 * PAGE), 'c',
				    PAGE), 0);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 5 * PAGE) - 1, 'z',
				    2), -EACCES);
	assert_works(&far, 'd');
	/* nothing of its own there: an ordinary grant */
	assert_status(merge(&a, &id, IOPMEM_WIRE_RW, 5, 1, &r), IOPMEM_OK);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.seg[0].length, PAGE);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 2 * PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, PAGE, 'c'));
	assert_true(rig_bytes(&rig, "f", 3 * PAGE, 2 * PAGE, 'b'));
}

/* From READ to RW without a recall of oneself. */
static void merge_upgrades(void **state)
{
	iopmem_stateid id = a_open;
	iopmem_segment read;
	iopmem_event ev;
	struct reply r;

	(void)state;
	read = get(&a, &id, IOPMEM_WIRE_READ, 2, 2);
	assert_status(merge(&a, &id, IOPMEM_WIRE_RW, 2, 1, &r), IOPMEM_OK);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.seg[0].iomode, IOPMEM_WIRE_RW);
	assert_int_equal(r.seg[0].length, 2 * PAGE);
	assert_dead(&read);
	assert_works(&r.seg[0], 'a');
	assert_false(peer_event(&a, &ev, 20));
	finish();
}

/* Somebody else is in the way: refused before anything is replaced. */
static void merge_is_refused_without_effect(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_segment mine;
	struct reply r;

	(void)state;
	mine = get(&a, &id, IOPMEM_WIRE_RW, 0, 1);
	get(&b, &other, IOPMEM_WIRE_READ, 2, 1);
	assert_status(merge(&a, &id, IOPMEM_WIRE_RW, 0, 3, &r), IOPMEM_RECALLCONFLICT);
	assert_works(&mine, 'a');
	other.seqid++;
	assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &r), IOPMEM_OK);
	assert_status(merge(&a, &id, IOPMEM_WIRE_RW, 0, 3, &r), IOPMEM_OK);
	assert_dead(&mine);
	assert_int_equal(r.seg[0].length, 3 * PAGE);
	/* an unknown flag */
	iopmem_layoutget_args args = peer_get_args(&a, &id, IOPMEM_WIRE_RW, 0, PAGE);

	args.flags = 2;
	peer_layoutget_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_INVAL);
	finish();
}

/* Behind EOF what was written and not committed is still there, and can be committed. */
static void merge_keeps_bytes_past_eof(void **state)
{
	iopmem_segment one, two;
	iopmem_stateid id = a_open;
	uint64_t size;
	struct reply r;

	(void)state;
	one = get(&a, &id, IOPMEM_WIRE_RW, 8, 2);
	two = get(&a, &id, IOPMEM_WIRE_RW, 10, 2);
	assert_works(&one, 'a');
	assert_works(&two, 'b');
	assert_status(merge(&a, &id, IOPMEM_WIRE_RW, 8, 4, &r), IOPMEM_OK);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.seg[0].length, 4 * PAGE);
	assert_status(peer_commit(&a, &id, 8 * PAGE, 4 * PAGE, 12 * PAGE, &size), IOPMEM_OK);
	assert_int_equal(size, 12 * PAGE);
	finish();
	assert_true(rig_bytes(&rig, "f", 8 * PAGE, 2 * PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", 10 * PAGE, 2 * PAGE, 'b'));
}

/* While the old keys die the gap between them is not to be had by anybody else. */
static void I8_nobody_gets_between(void **state)
{
	iopmem_layoutget_args args;
	iopmem_layoutget_res res;
	iopmem_stateid id, other;
	struct reply r;
	int i, merged = 0;

	(void)state;
	for (i = 0; i < 200; i++) {
		id = a_open;
		assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
		assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, PAGE, &r),
			      IOPMEM_OK);
		memset(&res, 0, sizeof(res));
		args = peer_get_args(&a, &id, IOPMEM_WIRE_RW, 0, 3 * PAGE);
		args.flags = IOPMEM_GET_MERGE;
		assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_LAYOUTGET,
					   WIRE_XDR(xdr_iopmem_layoutget_args), &args), 0);
		other = b_open;
		peer_layoutget(&b, &other, IOPMEM_WIRE_RW, PAGE, PAGE, &r);
		assert_int_equal(wire_recv(&a.rpc, WIRE_XDR(xdr_iopmem_layoutget_res), &res,
					   RIG_PATIENCE_MS), 0);
		if (!r.status) {	/* b was first, or nothing was merged */
			assert_status(res.status, IOPMEM_RECALLCONFLICT);
			assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &r), IOPMEM_OK);
		} else {
			assert_status(res.status, IOPMEM_OK);
			id = res.iopmem_layoutget_res_u.ok.stateid;
			merged++;
		}
		xdr_free(WIRE_XDR(xdr_iopmem_layoutget_res), &res);
		assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
		assert_false(r.present);
		/* nobody waits any more: the range is free */
		await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 3 * PAGE, &r) == IOPMEM_OK ||
		      (other = b_open, false));
		assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &r), IOPMEM_OK);
	}
	assert_true(merged > 0);
	finish();
}

/* Again and again, with the other client in between: nothing is left over. */
static void merge_many_rounds(void **state)
{
	iopmem_stateid id, other;
	struct reply r;
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		id = a_open;
		get(&a, &id, IOPMEM_WIRE_RW, 0, 1);
		get(&a, &id, i % 2 ? IOPMEM_WIRE_READ : IOPMEM_WIRE_RW, 1, 1);
		get(&a, &id, IOPMEM_WIRE_RW, 2, 1);
		assert_status(merge(&a, &id, IOPMEM_WIRE_RW, 0, 3, &r), IOPMEM_OK);
		assert_int_equal(r.n, 1);
		assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
		assert_false(r.present);
		other = b_open;
		get(&b, &other, IOPMEM_WIRE_RW, 0, 8);
		assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &r), IOPMEM_OK);
	}
	finish();
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(held_segments_are_listed),
		T(merge_replaces),
		T(merge_upgrades),
		T(merge_is_refused_without_effect),
		T(merge_keeps_bytes_past_eof),
		T(I8_nobody_gets_between),
		T(merge_many_rounds),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
