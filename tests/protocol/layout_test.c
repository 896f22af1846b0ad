// SPDX-License-Identifier: BSD-3-Clause
/* Layout stateids, LAYOUTGET's argument laws, partial returns: I1, I7, I9, T12, T13, T14, T20. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "peer.h"

#define FILE_PAGES 8ULL

static struct rig rig;
static struct peer a, b;
static iopmem_stateid a_open, b_open;

static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', FILE_PAGES * PAGE);
	rig_fill(&rig, "empty", 'o', 0);
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

/* pynfs BLOCK1, FFST1: 1 first, one more with each reply. */
static void T12_seqids_count(void **state)
{
	iopmem_stateid id = a_open, first;
	struct reply r;
	uint64_t i;

	(void)state;
	for (i = 0; i < FILE_PAGES - 1; i++) {
		assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, i * PAGE, PAGE, &r),
			      IOPMEM_OK);
		assert_int_equal(id.seqid, i + 1);
		if (!i)
			first = id;
		assert_memory_equal(id.other, first.other, sizeof(id.other));
	}
	assert_memory_not_equal(id.other, a_open.other, sizeof(id.other));
	/* LAYOUTCOMMIT leaves it alone */
	assert_status(peer_commit(&a, &id, 0, PAGE, 0, NULL), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, i * PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, i + 1);
	/* a failed LAYOUTGET too */
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_ANY, 0, PAGE, &r), IOPMEM_BADIOMODE);
	/* whole segments go, nothing is replaced: one more */
	assert_status(peer_layoutreturn(&a, &id, 0, 2 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, i + 2);
	assert_true(r.present);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_false(r.present);
	/* a new layout begins anew, under another id */
	id = a_open;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, 1);
	assert_memory_not_equal(id.other, first.other, sizeof(id.other));
	finish();
}

/* However many segments a return replaces, its reply is one step. */
static void T12_replacing_return_is_one_step(void **state)
{
	iopmem_stateid id = a_open;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, FILE_PAGES * PAGE, &r),
		      IOPMEM_OK);
	assert_int_equal(id.seqid, 1);
	assert_status(peer_layoutreturn(&a, &id, 3 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 2);
	assert_int_equal(id.seqid, 2);
	finish();
}

static void T12_bad_stateids(void **state)
{
	iopmem_stateid id = a_open, bad, b_id = b_open;
	struct reply r;
	int i;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, PAGE, PAGE, &r), IOPMEM_OK);

	bad = id;
	bad.seqid = 0;
	assert_status(peer_layoutget(&a, &bad, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_BAD_STATEID);
	assert_status(peer_commit(&a, &bad, 0, PAGE, 0, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutreturn(&a, &bad, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	bad.seqid = id.seqid + 1;
	assert_status(peer_layoutget(&a, &bad, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_BAD_STATEID);
	assert_status(peer_commit(&a, &bad, 0, PAGE, 0, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutreturn(&a, &bad, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	bad.seqid = id.seqid;
	bad.other[0] = (char)(bad.other[0] + 1);
	assert_status(peer_layoutget(&a, &bad, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutreturn(&a, &bad, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	memset(&bad, 0, sizeof(bad));
	assert_status(peer_layoutget(&a, &bad, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_BAD_STATEID);
	memset(&bad, 0xff, sizeof(bad));
	assert_status(peer_layoutget(&a, &bad, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_BAD_STATEID);

	/* another client's, layout and open */
	bad = id;
	assert_status(peer_layoutget(&b, &bad, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r),
		      IOPMEM_BAD_STATEID);
	assert_status(peer_commit(&b, &bad, 0, PAGE, 0, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutreturn(&b, &bad, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	bad = a_open;
	assert_status(peer_layoutget(&b, &bad, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r),
		      IOPMEM_BAD_STATEID);
	assert_status(peer_getattr(&b, &a_open, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_close(&b, &a_open), IOPMEM_BAD_STATEID);

	/* of the wrong type */
	assert_status(peer_layoutreturn(&a, &a_open, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	assert_status(peer_close(&a, &id), IOPMEM_BAD_STATEID);
	assert_status(peer_getattr(&a, &id, NULL), IOPMEM_BAD_STATEID);

	/* parallel calls may use the same old seqid (pynfs FFLOOS); a very old one is old */
	bad = id;
	bad.seqid = 1;
	for (i = 0; i < 3; i++) {
		iopmem_stateid same = bad;

		assert_status(peer_layoutget(&a, &same, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
		id = same;
	}
	for (i = 0; i < 64; i++)
		assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &bad, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OLD_STATEID);
	assert_status(peer_layoutreturn(&a, &bad, 0, TO_END, &r), IOPMEM_OLD_STATEID);

	/* after the final return it is dead, and b's was never touched */
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_false(r.present);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutget(&b, &b_id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	/* a closed open is dead */
	assert_status(peer_close(&a, &a_open), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &a_open, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_BAD_STATEID);
	finish();
}

struct law {
	const char *what;
	int iomode;
	uint64_t offset, length, minlength;
	u_int maxcount;
	u_int status;
};

#define RW IOPMEM_WIRE_RW
#define TOP UINT64_MAX

static const struct law laws[] = {
	{ "length < minlength", RW, 0, PAGE, PAGE + 1, 4096, IOPMEM_INVAL },
	{ "length 0 < minlength", RW, 0, 0, 1, 4096, IOPMEM_INVAL },
	{ "offset + minlength wraps", RW, TOP - PAGE, TOP, 2 * PAGE, 4096, IOPMEM_INVAL },
	{ "offset + length wraps", RW, TOP - PAGE, 2 * PAGE, 0, 4096, IOPMEM_INVAL },
	{ "offset 2^64-1", RW, TOP, 1, 1, 4096, IOPMEM_INVAL },
	{ "offset 2^64-1, to the end", RW, TOP, TOP, 1, 4096, IOPMEM_INVAL },
	{ "iomode ANY", IOPMEM_WIRE_ANY, 0, PAGE, 1, 4096, IOPMEM_BADIOMODE },
	{ "iomode 0", 0, 0, PAGE, 1, 4096, IOPMEM_BADIOMODE },
	{ "iomode 99", 99, 0, PAGE, 1, 4096, IOPMEM_BADIOMODE },
	{ "iomode -1", -1, 0, PAGE, 1, 4096, IOPMEM_BADIOMODE },
	{ "maxcount 0", RW, 0, PAGE, 1, 0, IOPMEM_TOOSMALL },
	{ "maxcount without room for a segment", RW, 0, PAGE, 1, 71, IOPMEM_TOOSMALL },
	{ "behind what a file can have", RW, 1ULL << 63, PAGE, 1, 4096, IOPMEM_FBIG },
	{ "minlength beyond any grant", RW, 0, 1ULL << 40, 1ULL << 40, 4096, IOPMEM_BADLAYOUT },
	{ "minlength to the end, RW", RW, 0, TOP, TOP, 4096, IOPMEM_BADLAYOUT },
};

static void assert_law(const struct law *law)
{
	iopmem_layoutget_args args = peer_get_args(&a, &a_open, (iopmem_iomode)law->iomode,
						   law->offset, law->length);
	struct reply r;

	args.minlength = law->minlength;
	args.maxcount = law->maxcount;
	peer_layoutget_with(&a, &args, &r);
	if (r.status != law->status)
		fail_msg("%s: %s, not %s", law->what, status_name(r.status),
			 status_name(law->status));
}

/* File times come in ticks: until what changes now is seen to be later than @than. */
static void await_tick(const struct timespec *than)
{
	struct stat st;
	char path[128];

	rig_path(&rig, "tick", path);
	do {
		rig_fill(&rig, "tick", 't', 1);
		assert_int_equal(stat(path, &st), 0);
	} while (st.st_ctim.tv_sec == than->tv_sec && st.st_ctim.tv_nsec == than->tv_nsec);
}

/* I9: exactly the named error, and no lease, region or allocation behind it. */
static void T13_argument_laws(void **state)
{
	struct stat before, after;
	iopmem_stateid other;
	struct reply r;
	char path[128];
	size_t i;

	(void)state;
	/* an RW grant that is taken back leaves a trace: the change time */
	rig_path(&rig, "f", path);
	assert_int_equal(stat(path, &before), 0);
	await_tick(&before.st_ctim);
	for (i = 0; i < sizeof(laws) / sizeof(laws[0]); i++)
		assert_law(&laws[i]);
	assert_int_equal(stat(path, &after), 0);
	assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim));
	for (i = 0; i < sizeof(laws) / sizeof(laws[0]); i++) {
		assert_law(&laws[i]);
		/* the other client gets all of the file at the first attempt */
		other = b_open;
		assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, FILE_PAGES * PAGE,
					     &r), IOPMEM_OK);
		assert_int_equal(r.size, FILE_PAGES * PAGE);
		assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &r), IOPMEM_OK);
		assert_int_equal(rig_size(&rig, "f"), FILE_PAGES * PAGE);
	}
	finish();
}

/* Forms that are allowed. */
static void T13_legal_forms(void **state)
{
	iopmem_layoutget_args args;
	iopmem_stateid id = a_open;
	struct reply r;

	(void)state;
	/* length and minlength 0: any layout with the offset in it */
	args = peer_get_args(&a, &id, IOPMEM_WIRE_RW, 5 * PAGE + 17, 0);
	args.minlength = 0;
	peer_layoutget_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_int_equal(r.n, 1);
	assert_true(r.seg[0].offset <= 5 * PAGE + 17);
	assert_true(r.seg[0].offset + r.seg[0].length > 5 * PAGE + 17);
	id = r.stateid;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);

	/* not aligned: what is granted covers it, and starts at it or before */
	id = a_open;
	args = peer_get_args(&a, &id, IOPMEM_WIRE_RW, PAGE - 1, 2);
	args.minlength = 2;
	peer_layoutget_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_int_equal(r.seg[0].offset, 0);
	assert_int_equal(r.seg[0].length, 2 * PAGE);
	assert_int_equal(r.seg[0].iomode, IOPMEM_WIRE_RW);
	assert_int_equal(r.seg[0].state, IOPMEM_RW_DATA);
	assert_int_equal(r.seg[0].flags, IOPMEM_SEG_NO_LAYOUTCOMMIT);
	id = r.stateid;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);

	/* READ to the end, minlength as well: as much as the file has */
	id = a_open;
	args = peer_get_args(&a, &id, IOPMEM_WIRE_READ, PAGE, TO_END);
	args.minlength = TO_END;
	peer_layoutget_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_int_equal(r.seg[0].offset, PAGE);
	assert_int_equal(r.seg[0].length, (FILE_PAGES - 1) * PAGE);
	assert_int_equal(r.seg[0].iomode, IOPMEM_WIRE_READ);
	id = r.stateid;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);

	/* RW across EOF: ascending, no gap, the part behind EOF wants a commit */
	id = a_open;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 6 * PAGE, 4 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.seg[0].offset, 6 * PAGE);
	assert_int_equal(r.seg[0].length, 2 * PAGE);
	assert_int_equal(r.seg[0].flags, IOPMEM_SEG_NO_LAYOUTCOMMIT);
	assert_int_equal(r.seg[1].offset, 8 * PAGE);
	assert_int_equal(r.seg[1].length, 2 * PAGE);
	assert_int_equal(r.seg[1].flags, 0);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(r.size, FILE_PAGES * PAGE);
	finish();
	assert_int_equal(rig_size(&rig, "f"), FILE_PAGES * PAGE);
}

/* Nothing there to read: no layout, whatever was asked, and never a dead stateid. */
static void T13_nothing_to_read(void **state)
{
	iopmem_layoutget_args args;
	iopmem_stateid id;
	struct reply r;

	(void)state;
	assert_status(peer_open(&a, "empty", 3, &id), IOPMEM_OK);
	args = peer_get_args(&a, &id, IOPMEM_WIRE_READ, 0, PAGE);
	peer_layoutget_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_BADLAYOUT);
	args = peer_get_args(&a, &id, IOPMEM_WIRE_READ, 0, PAGE);
	args.minlength = 0;
	peer_layoutget_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_BADLAYOUT);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, 1);
	finish();
}

/* A layout where what is already held lies in the way: no key is made twice. */
static void overlapping_own_grants(void **state)
{
	iopmem_stateid id = a_open;
	uint32_t rkey;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	rkey = r.seg[0].rkey;
	/* inside: the same key */
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 3 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.seg[0].rkey, rkey);
	assert_int_equal(r.seg[0].offset, 2 * PAGE);
	/* READ is less than what it has */
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 3 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.seg[0].rkey, rkey);
	/* in front of it: up to it */
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.seg[0].offset, 0);
	assert_int_equal(r.seg[0].length, 2 * PAGE);
	assert_int_not_equal(r.seg[0].rkey, rkey);
	assert_int_equal(peer_write(&a, rkey, 2 * PAGE, 'a', 2 * PAGE), 0);
	finish();
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, 2 * PAGE, 'a'));
}

/* The segment's key works on exactly its bytes. */
static void assert_exact(const iopmem_segment *seg, uint64_t first, uint64_t end)
{
	assert_int_equal(seg->offset, first);
	assert_int_equal(seg->length, end - first);
	assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, first), 'a', 1), 0);
	assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, end - 1), 'a', 1), 0);
	assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, first), 'a',
				    (uint32_t)(end - first)), 0);
	assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, end), 'z', 1), -EACCES);
	assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, end - 1), 'z', 2), -EACCES);
	if (first)
		assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, first) - 1, 'z', 1),
				 -EACCES);
}

static void assert_dead(const iopmem_segment *seg)
{
	uint64_t x;

	for (x = seg->offset; x < seg->offset + seg->length; x += PAGE)
		assert_int_equal(peer_write(&a, seg->rkey, peer_raddr(seg, x), 'z', 1), -EACCES);
}

static void T14_partial_returns(void **state)
{
	iopmem_stateid id = a_open;
	iopmem_segment old;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, FILE_PAGES * PAGE, &r),
		      IOPMEM_OK);
	assert_int_equal(r.n, 1);
	assert_exact(&r.seg[0], 0, 8 * PAGE);

	old = r.seg[0];			/* head */
	assert_status(peer_layoutreturn(&a, &id, 0, PAGE, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_int_equal(r.n, 1);
	assert_dead(&old);
	assert_exact(&r.seg[0], PAGE, 8 * PAGE);

	old = r.seg[0];			/* tail, superset at the end */
	assert_status(peer_layoutreturn(&a, &id, 7 * PAGE, TO_END, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_int_equal(r.n, 1);
	assert_dead(&old);
	assert_exact(&r.seg[0], PAGE, 7 * PAGE);

	old = r.seg[0];			/* middle */
	assert_status(peer_layoutreturn(&a, &id, 3 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_int_equal(r.n, 2);
	assert_dead(&old);
	assert_exact(&r.seg[0], PAGE, 3 * PAGE);
	assert_exact(&r.seg[1], 5 * PAGE, 7 * PAGE);

	/* what was given back is free for others, and only that */
	iopmem_stateid other = b_open;
	struct reply rb;

	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 3 * PAGE, 2 * PAGE, &rb),
		      IOPMEM_OK);
	assert_int_equal(peer_write(&b, rb.seg[0].rkey, peer_raddr(&rb.seg[0], 3 * PAGE), 'b',
				    2 * PAGE), 0);
	assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &rb), IOPMEM_OK);

	/* never held, already given back, nothing at all: no error, nothing dies */
	old = r.seg[1];
	iopmem_segment left = r.seg[0];

	assert_status(peer_layoutreturn(&a, &id, 100 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_int_equal(r.n, 0);
	assert_status(peer_layoutreturn(&a, &id, 3 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_int_equal(r.n, 0);
	assert_exact(&left, PAGE, 3 * PAGE);
	assert_exact(&old, 5 * PAGE, 7 * PAGE);

	/* two segments cut by one return */
	assert_status(peer_layoutreturn(&a, &id, 2 * PAGE, 4 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 2);
	assert_dead(&left);
	assert_dead(&old);
	assert_exact(&r.seg[0], PAGE, 2 * PAGE);
	assert_exact(&r.seg[1], 6 * PAGE, 7 * PAGE);
	left = r.seg[0];
	old = r.seg[1];

	/* bad ranges return nothing */
	assert_status(peer_layoutreturn(&a, &id, 0, 0, &r), IOPMEM_INVAL);
	assert_status(peer_layoutreturn(&a, &id, TO_END - 1, 2, &r), IOPMEM_INVAL);
	/* of the other iomode */
	iopmem_layoutreturn_args args = peer_return_args(&a, &id, 0, TO_END);

	args.iomode = IOPMEM_WIRE_READ;
	peer_layoutreturn_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_true(r.present);
	assert_exact(&left, PAGE, 2 * PAGE);
	args = peer_return_args(&a, &id, 0, TO_END);
	args.iomode = (iopmem_iomode)7;
	peer_layoutreturn_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_BADIOMODE);
	args = peer_return_args(&a, &id, 0, TO_END);
	args.type = (iopmem_return_type)9;
	peer_layoutreturn_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_INVAL);
	assert_exact(&left, PAGE, 2 * PAGE);

	/* superset */
	assert_status(peer_layoutreturn(&a, &id, 0, 1000 * PAGE, &r), IOPMEM_OK);
	assert_false(r.present);
	assert_int_equal(r.n, 0);
	assert_dead(&left);
	assert_dead(&old);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 3 * PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", 3 * PAGE, 2 * PAGE, 'b'));
	assert_true(rig_bytes(&rig, "f", 5 * PAGE, 3 * PAGE, 'a'));
	assert_int_equal(rig_size(&rig, "f"), 8 * PAGE);
}

static void return_bulk(iopmem_return_type type, struct reply *r)
{
	iopmem_stateid none = { 0 };
	iopmem_layoutreturn_args args = peer_return_args(&a, &none, 0, 0);

	args.type = type;
	peer_layoutreturn_with(&a, &args, r);
}

/* FSID and ALL: every file of the client, nobody else's; an empty set is fine. */
static void T14_bulk_returns(void **state)
{
	static const iopmem_return_type types[] = { IOPMEM_RETURN_FSID, IOPMEM_RETURN_ALL };
	iopmem_stateid open2, id1, id2, other;
	struct reply r1, r2, rb, r;
	int i;

	(void)state;
	rig_fill(&rig, "g", 'o', 2 * PAGE);
	assert_status(peer_open(&a, "g", 3, &open2), IOPMEM_OK);
	for (i = 0; i < 2; i++) {
		return_bulk(types[i], &r);
		assert_status(r.status, IOPMEM_OK);
		id1 = a_open;
		id2 = open2;
		other = b_open;
		assert_status(peer_layoutget(&a, &id1, IOPMEM_WIRE_RW, 0, PAGE, &r1), IOPMEM_OK);
		assert_status(peer_layoutget(&a, &id2, IOPMEM_WIRE_READ, 0, PAGE, &r2), IOPMEM_OK);
		assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, PAGE, PAGE, &rb),
			      IOPMEM_OK);
		return_bulk(types[i], &r);
		assert_status(r.status, IOPMEM_OK);
		assert_false(r.present);
		assert_dead(&r1.seg[0]);
		assert_dead(&r2.seg[0]);
		assert_status(peer_layoutreturn(&a, &id1, 0, TO_END, &r), IOPMEM_BAD_STATEID);
		assert_status(peer_layoutreturn(&a, &id2, 0, TO_END, &r), IOPMEM_BAD_STATEID);
		assert_int_equal(peer_write(&b, rb.seg[0].rkey, peer_raddr(&rb.seg[0], PAGE),
					    'b', PAGE), 0);
		assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &r), IOPMEM_OK);
	}
	finish();
}

/* T20: keys are of no use to others, nor for more than they were given for. */
static void T20_stolen_and_overreaching_keys(void **state)
{
	iopmem_stateid id = a_open, rid = b_open;
	struct reply r, ro;
	char buf[16];
	uint32_t key;
	int i;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'z', 16), -EACCES);
	assert_int_equal(peer_read(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), buf, 16), -EACCES);
	/* the owner does not suffer from it */
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a', 16), 0);
	/* READ is for reading */
	assert_status(peer_layoutget(&b, &rid, IOPMEM_WIRE_READ, 4 * PAGE, PAGE, &ro), IOPMEM_OK);
	assert_int_equal(peer_read(&b, ro.seg[0].rkey, peer_raddr(&ro.seg[0], 4 * PAGE), buf,
				   16), 0);
	assert_memory_equal(buf, "oooooooooooooooo", 16);
	assert_int_equal(peer_write(&b, ro.seg[0].rkey, peer_raddr(&ro.seg[0], 4 * PAGE), 'z',
				    1), -EACCES);
	/* its other layout survived the end of its connection */
	assert_int_equal(peer_read(&b, ro.seg[0].rkey, peer_raddr(&ro.seg[0], 4 * PAGE), buf,
				   16), 0);
	/* keys near a known one are not keys */
	for (i = -3; i <= 3; i++) {
		key = r.seg[0].rkey + (uint32_t)i;
		if (i)
			assert_int_equal(peer_write(&a, key, 0, 'z', 1), -EACCES);
	}
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 16, 'a'));
	assert_true(rig_bytes(&rig, "f", 16, 8 * PAGE - 16, 'o'));
}

/* CLOSE gives back what its client still had of the file. */
static void layouts_end_with_the_last_close(void **state)
{
	iopmem_stateid second, id = a_open, other = b_open;
	struct reply r;

	(void)state;
	assert_status(peer_open(&a, "f", 3, &second), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_close(&a, &a_open), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, 0, 'a', 16), 0);
	assert_status(peer_close(&a, &second), IOPMEM_OK);
	await(peer_write(&a, r.seg[0].rkey, 0, 'a', 16) == -EACCES);
	await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	finish();
}

/* pynfs FFLG2: many grants and returns leave nothing behind. */
static void thousand_rounds(void **state)
{
	iopmem_stateid id;
	struct reply r;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		id = a_open;
		assert_status(peer_layoutget(&a, &id, i % 2 ? IOPMEM_WIRE_RW : IOPMEM_WIRE_READ,
					     (uint64_t)(i % 8) * PAGE, PAGE, &r), IOPMEM_OK);
		assert_int_equal(id.seqid, 1);
		assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
		assert_false(r.present);
	}
	finish();
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(T12_seqids_count),
		T(T12_replacing_return_is_one_step),
		T(T12_bad_stateids),
		T(T13_argument_laws),
		T(T13_legal_forms),
		T(T13_nothing_to_read),
		T(overlapping_own_grants),
		T(T14_partial_returns),
		T(T14_bulk_returns),
		T(T20_stolen_and_overreaching_keys),
		T(layouts_end_with_the_last_close),
		T(thousand_rounds),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
