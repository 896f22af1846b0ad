// SPDX-License-Identifier: BSD-3-Clause
/* Shared writers: several RW layouts of one range, for those who asked for it at OPEN: I8. */
#include <errno.h>
#include <string.h>

#include "peer.h"

static struct rig rig;
static struct peer a, b, c;
static iopmem_stateid a_open, b_open, c_open;

/* a and b share, c does not; "f" has eight pages of 'o'. */
static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', 8 * PAGE);
	peer_up(&a, &rig, "a");
	peer_up(&b, &rig, "b");
	peer_up(&c, &rig, "c");
	assert_status(peer_open(&a, "f", SHARED_RW, &a_open), IOPMEM_OK);
	assert_status(peer_open(&b, "f", SHARED_RW, &b_open), IOPMEM_OK);
	assert_status(peer_open(&c, "f", 3, &c_open), IOPMEM_OK);
	return 0;
}

static int down(void **state)
{
	(void)state;
	peer_drop(&a);
	peer_drop(&b);
	peer_drop(&c);
	rig_down(&rig);
	return 0;
}

static void finish(void)
{
	peer_down(&a);
	peer_down(&b);
	peer_down(&c);
	rig_stop(&rig);
}

static int put(struct peer *p, const iopmem_segment *seg, uint64_t page, char byte)
{
	return peer_write(p, seg->rkey, peer_raddr(seg, page * PAGE), byte, PAGE);
}

static void I8_sharers_write_together(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open, idc = c_open;
	struct reply ra, rb, r;
	iopmem_event ev;
	char buf[16];

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, 8 * PAGE, &ra), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, 8 * PAGE, &rb), IOPMEM_OK);
	assert_int_equal(rb.seg[0].length, 8 * PAGE);
	assert_int_equal(put(&a, &ra.seg[0], 0, 'a'), 0);
	assert_int_equal(put(&b, &rb.seg[0], 1, 'b'), 0);
	assert_int_equal(peer_read(&a, ra.seg[0].rkey, peer_raddr(&ra.seg[0], PAGE), buf, 16), 0);
	assert_memory_equal(buf, "bbbbbbbbbbbbbbbb", 16);
	assert_status(peer_commit(&a, &ida, 0, PAGE, 0, NULL), IOPMEM_OK);
	assert_false(peer_event(&a, &ev, 20));
	/* one that did not ask for it is in nobody's company: it recalls both */
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_READ, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, 1000));
	assert_true(peer_event(&b, &ev, 1000));
	ida.seqid++;
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(put(&a, &ra.seg[0], 0, 'z'), -EACCES);
	assert_int_equal(put(&b, &rb.seg[0], 2, 'b'), 0);	/* the other's key is its own */
	idb.seqid++;
	assert_status(peer_layoutreturn(&b, &idb, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	/* and the other way round */
	ida = a_open;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", PAGE, 2 * PAGE, 'b'));
}

/* Writers and readers among them do not exclude each other either. */
static void I8_sharers_read_together(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_READ, 0, 8 * PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 2 * PAGE, PAGE, &r), IOPMEM_OK);
	finish();
}

/* Growth stays with one: past EOF nothing is shared. */
static void I8_not_past_eof(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	struct reply ra, rb;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 6 * PAGE, 4 * PAGE, &ra),
		      IOPMEM_OK);
	assert_int_equal(ra.n, 2);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 6 * PAGE, 4 * PAGE, &rb),
		      IOPMEM_OK);
	assert_int_equal(rb.n, 1);
	assert_int_equal(rb.seg[0].offset, 6 * PAGE);
	assert_int_equal(rb.seg[0].length, 2 * PAGE);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 8 * PAGE, PAGE, &rb),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 9 * PAGE, PAGE, &rb),
		      IOPMEM_RECALLCONFLICT);
	finish();
}

/* What was granted past EOF stays one's own, also when a commit has moved EOF behind it. */
static void I8_growth_is_not_shared_by_its_commit(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	struct reply ra, rb;
	uint64_t size;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 6 * PAGE, 4 * PAGE, &ra),
		      IOPMEM_OK);
	assert_int_equal(put(&a, &ra.seg[1], 8, 'a'), 0);
	assert_status(peer_commit(&a, &ida, 8 * PAGE, PAGE, 9 * PAGE, &size), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 8 * PAGE, PAGE, &rb),
		      IOPMEM_RECALLCONFLICT);
	finish();
	assert_true(rig_bytes(&rig, "f", 8 * PAGE, PAGE, 'a'));
}

/* Every open of the client must have said so. */
static void I8_one_plain_open_is_enough_to_exclude(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open, plain;
	struct reply r;

	(void)state;
	assert_status(peer_open(&b, "f", 1, &plain), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	ida.seqid++;
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	ida = a_open;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	/* SHARED alone opens nothing */
	assert_status(peer_open(&c, "f", IOPMEM_ACCESS_SHARED, NULL), IOPMEM_INVAL);
	finish();
}

/* A partial return of one leaves the other's key, and the remainder is shared as before. */
static void I8_remainders_stay_shared(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	struct reply ra, rb;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, 4 * PAGE, &ra), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, 4 * PAGE, &rb), IOPMEM_OK);
	assert_status(peer_layoutreturn(&a, &ida, 0, PAGE, &ra), IOPMEM_OK);
	assert_int_equal(ra.n, 1);
	assert_int_equal(ra.seg[0].offset, PAGE);
	assert_int_equal(put(&b, &rb.seg[0], 0, 'b'), 0);
	assert_int_equal(put(&a, &ra.seg[0], 1, 'a'), 0);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'b'));
	assert_true(rig_bytes(&rig, "f", PAGE, PAGE, 'a'));
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(I8_sharers_write_together),
		T(I8_sharers_read_together),
		T(I8_not_past_eof),
		T(I8_growth_is_not_shared_by_its_commit),
		T(I8_one_plain_open_is_enough_to_exclude),
		T(I8_remainders_stay_shared),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
