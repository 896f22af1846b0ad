// SPDX-License-Identifier: BSD-3-Clause
/*
 * Clients that forget, replies and recalls that overtake each other, and who gets a
 * range next: T15, T18, starvation.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

#define RECALL_MS 3000
#define HOLD_MS 600
#define LONG_HOLD_MS 60000	/* over all limits of this test */

static struct rig rig;
static struct peer a, b, c;
static iopmem_stateid a_open, b_open, c_open;

static int start(unsigned int hold_ms)
{
	struct rig_opts o = { .recall_ms = RECALL_MS, .hold_ms = hold_ms };

	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', 8 * PAGE);
	peer_up(&a, &rig, "a");
	peer_up(&b, &rig, "b");
	peer_up(&c, &rig, "c");
	assert_status(peer_open(&a, "f", 3, &a_open), IOPMEM_OK);
	assert_status(peer_open(&b, "f", 3, &b_open), IOPMEM_OK);
	assert_status(peer_open(&c, "f", 3, &c_open), IOPMEM_OK);
	return 0;
}

static int up(void **state)
{
	(void)state;
	return start(0);
}

static int up_holding(void **state)
{
	(void)state;
	return start(HOLD_MS);
}

static int up_holding_long(void **state)
{
	(void)state;
	return start(LONG_HOLD_MS);
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

/* Once more with the open's stateid: it has forgotten.  The old keys are dead by the reply. */
static void T15_open_stateid_means_forgotten(void **state)
{
	iopmem_stateid id = a_open, again = a_open, other = b_open;
	iopmem_segment first, second;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r), IOPMEM_OK);
	first = r.seg[0];
	assert_true(r.return_on_close);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 6 * PAGE, PAGE, &r), IOPMEM_OK);
	second = r.seg[0];
	assert_int_equal(peer_write(&a, first.rkey, peer_raddr(&first, 0), 'a', PAGE), 0);
	assert_status(peer_layoutget(&a, &again, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(again.seqid, 1);
	assert_memory_not_equal(again.other, id.other, sizeof(id.other));
	assert_int_equal(peer_write(&a, first.rkey, peer_raddr(&first, 0), 'z', 16), -EACCES);
	assert_int_equal(peer_read(&a, second.rkey, peer_raddr(&second, 6 * PAGE), &ev, 16),
			 -EACCES);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 4 * PAGE), 'a',
				    PAGE), 0);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	/* nothing of it is left to recall */
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r), IOPMEM_OK);
	assert_false(peer_event(&a, &ev, 20));
	finish();
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", PAGE, 3 * PAGE, 'o'));
}

/* A second open of the same client is no sign of it: it joins the layout. */
static void T15_another_open_joins(void **state)
{
	iopmem_stateid id = a_open, second;
	iopmem_segment first;
	struct reply r;

	(void)state;
	assert_status(peer_open(&a, "f", 3, &second), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	first = r.seg[0];
	assert_status(peer_layoutget(&a, &second, IOPMEM_WIRE_RW, PAGE, PAGE, &r), IOPMEM_OK);
	assert_memory_equal(second.other, id.other, sizeof(id.other));
	assert_int_equal(second.seqid, 2);
	assert_int_equal(peer_write(&a, first.rkey, peer_raddr(&first, 0), 'a', PAGE), 0);
	finish();
}

/* Two at once, before the client has seen a reply: neither has forgotten anything. */
static void T15_two_first_ones_at_once(void **state)
{
	iopmem_layoutget_args one, two;
	iopmem_layoutget_res r1 = { 0 }, r2 = { 0 };
	iopmem_segment *s1, *s2;
	struct wire second;

	(void)state;
	wire_open(&second, &rig, PEER_UID);
	one = peer_get_args(&a, &a_open, IOPMEM_WIRE_RW, 0, PAGE);
	two = peer_get_args(&a, &a_open, IOPMEM_WIRE_RW, PAGE, PAGE);
	a.sequence[0]--;		/* that one goes by slot 1 */
	two.seq = peer_seq(&a, 1);
	assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_LAYOUTGET,
				   WIRE_XDR(xdr_iopmem_layoutget_args), &one), 0);
	assert_int_equal(wire_call(&second, IOPMEM_PROC_LAYOUTGET,
				   WIRE_XDR(xdr_iopmem_layoutget_args), &two,
				   WIRE_XDR(xdr_iopmem_layoutget_res), &r2), 0);
	assert_int_equal(wire_recv(&a.rpc, WIRE_XDR(xdr_iopmem_layoutget_res), &r1,
				   RIG_PATIENCE_MS), 0);
	assert_status(r1.status, IOPMEM_OK);
	assert_status(r2.status, IOPMEM_OK);
	s1 = r1.iopmem_layoutget_res_u.ok.segments.segments_val;
	s2 = r2.iopmem_layoutget_res_u.ok.segments.segments_val;
	assert_int_equal(peer_write(&a, s1->rkey, peer_raddr(s1, 0), 'a', PAGE), 0);
	assert_int_equal(peer_write(&a, s2->rkey, peer_raddr(s2, PAGE), 'a', PAGE), 0);
	xdr_free(WIRE_XDR(xdr_iopmem_layoutget_res), &r1);
	xdr_free(WIRE_XDR(xdr_iopmem_layoutget_res), &r2);
	wire_close(&second);
	finish();
}

/* NOMATCHING_LAYOUT: who knows nothing of the layout returns the file by the event's id. */
static void T15_recall_of_an_unknown_layout(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_segment seg;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	seg = r.seg[0];
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, 1000));
	assert_status(peer_layoutreturn(&a, &ev.stateid, 0, TO_END, &r), IOPMEM_OK);
	assert_false(r.present);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', 16), -EACCES);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	finish();
}

/* It forgets under a recall: that ends the recall, and the turn is the other's. */
static void T15_forgotten_under_recall(void **state)
{
	iopmem_stateid id = a_open, again = a_open, other = b_open;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&a, &again, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	finish();
}

/* Something has come that nobody has read yet. */
static void await_answer(const struct peer *p)
{
	struct pollfd pfd = { .fd = p->rpc.fd, .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, RIG_PATIENCE_MS), 1);
}

/* The recall comes before the reply to the first LAYOUTGET is read. */
static void T18_recall_overtakes_the_first_reply(void **state)
{
	iopmem_layoutget_args args, more;
	iopmem_layoutget_res res = { 0 }, refused = { 0 };
	iopmem_stateid other = b_open;
	iopmem_segment seg;
	iopmem_event ev;
	struct wire second;
	struct reply r;

	(void)state;
	wire_open(&second, &rig, PEER_UID);
	args = peer_get_args(&a, &a_open, IOPMEM_WIRE_RW, 0, PAGE);
	assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_LAYOUTGET,
				   WIRE_XDR(xdr_iopmem_layoutget_args), &args), 0);
	await_answer(&a);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, 1000));
	assert_int_equal(ev.stateid.seqid, 2);
	/* one more LAYOUTGET is answered, not held back until the recall is served */
	more = peer_get_args(&a, &a_open, IOPMEM_WIRE_RW, 0, PAGE);
	a.sequence[0]--;
	more.seq = peer_seq(&a, 1);
	assert_int_equal(wire_call(&second, IOPMEM_PROC_LAYOUTGET,
				   WIRE_XDR(xdr_iopmem_layoutget_args), &more,
				   WIRE_XDR(xdr_iopmem_layoutget_res), &refused), 0);
	assert_status(refused.status, IOPMEM_RECALLCONFLICT);
	/* the late reply is of the layout that is recalled, and not lost: its key works */
	assert_int_equal(wire_recv(&a.rpc, WIRE_XDR(xdr_iopmem_layoutget_res), &res,
				   RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_layoutget_res_u.ok.stateid.seqid, 1);
	assert_memory_equal(res.iopmem_layoutget_res_u.ok.stateid.other, ev.stateid.other,
			    sizeof(ev.stateid.other));
	seg = res.iopmem_layoutget_res_u.ok.segments.segments_val[0];
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'a', PAGE), 0);
	xdr_free(WIRE_XDR(xdr_iopmem_layoutget_res), &res);
	assert_status(peer_layoutreturn(&a, &ev.stateid, 0, TO_END, &r), IOPMEM_OK);
	assert_false(r.present);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	wire_close(&second);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'a'));
}

/* A LAYOUTGET waits in the file's queue when the recall comes: refused, and nothing is held. */
static void T18_recall_while_a_get_is_queued(void **state)
{
	iopmem_layoutget_args args;
	iopmem_layoutget_res res = { 0 };
	iopmem_setsize_args size;
	iopmem_attr_res attr = { 0 };
	struct wire second;
	uint32_t i;

	(void)state;
	wire_open(&second, &rig, PEER_UID);
	for (i = 0; i < 50; i++) {
		memset(&res, 0, sizeof(res));
		args = peer_get_args(&a, &a_open, IOPMEM_WIRE_RW, 0, PAGE);
		assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_LAYOUTGET,
					   WIRE_XDR(xdr_iopmem_layoutget_args), &args), 0);
		size = (iopmem_setsize_args){ peer_seq(&b, 1), b_open, (8 - i % 2) * PAGE };
		assert_int_equal(wire_send(&b.rpc, IOPMEM_PROC_SETSIZE,
					   WIRE_XDR(xdr_iopmem_setsize_args), &size), 0);
		assert_int_equal(wire_recv(&a.rpc, WIRE_XDR(xdr_iopmem_layoutget_res), &res,
					   RIG_PATIENCE_MS), 0);
		if (!res.status) {
			iopmem_stateid id = res.iopmem_layoutget_res_u.ok.stateid;
			struct reply r;

			peer_layoutreturn(&a, &id, 0, TO_END, &r);
			assert_status(r.status, IOPMEM_OK);
			xdr_free(WIRE_XDR(xdr_iopmem_layoutget_res), &res);
		} else {
			assert_status(res.status, IOPMEM_RECALLCONFLICT);
		}
		assert_int_equal(wire_recv(&b.rpc, WIRE_XDR(xdr_iopmem_attr_res), &attr,
					   RIG_PATIENCE_MS), 0);
		assert_status(attr.status, IOPMEM_OK);
	}
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	wire_close(&second);
	finish();
}

/* Two writers, one of whom asks again the moment it has given back: both get their turn. */
static void starvation_each_writer_gets_its_turn(void **state)
{
	struct peer *holder = &a, *waiter = &b, *swap;
	iopmem_stateid *hold = &a_open, *wait = &b_open, *swap_id;
	iopmem_stateid held = a_open, got;
	struct reply r;
	int i, k;

	(void)state;
	assert_status(peer_layoutget(holder, &held, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	for (i = 0; i < 100; i++) {
		got = *wait;
		assert_status(peer_layoutget(waiter, &got, IOPMEM_WIRE_RW, 0, PAGE, &r),
			      IOPMEM_RECALLCONFLICT);
		held.seqid++;		/* by the recall */
		assert_status(peer_layoutreturn(holder, &held, 0, TO_END, &r), IOPMEM_OK);
		for (k = 0; k < 3; k++) {
			held = *hold;
			assert_status(peer_layoutget(holder, &held, IOPMEM_WIRE_RW, 0, PAGE, &r),
				      IOPMEM_RECALLCONFLICT);
		}
		assert_status(peer_layoutget(waiter, &got, IOPMEM_WIRE_RW, 0, PAGE, &r),
			      IOPMEM_OK);
		held = got;
		swap = holder, holder = waiter, waiter = swap;
		swap_id = hold, hold = wait, wait = swap_id;
	}
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	finish();
}

/* First come, first served; another range is nobody's business. */
static void turns_are_in_order(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open, idc = c_open;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_READ, 0, 2 * PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	ida.seqid++;
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_READ, 0, 2 * PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutreturn(&b, &idb, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_READ, 0, 2 * PAGE, &r), IOPMEM_OK);
	finish();
}

/* Who asked and never came back does not keep the range from others. */
static void a_turn_ends_with_its_owner(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	ida.seqid++;
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &r), IOPMEM_OK);
	ida = a_open;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	await(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	/* and one that closes the file gives it up at once */
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	ida.seqid++;
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_close(&b, &b_open), IOPMEM_OK);
	ida = a_open;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	finish();
}

/* Another client's wish waits until the layout has been used, however often it asks; grants do not put it off. */
static void a_layout_is_held_before_it_is_recalled(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	uint64_t granted = now_ms(), again;
	struct reply r;
	iopmem_event ev;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	again = now_ms();
	do {
		assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
		assert_status(peer_layoutreturn(&a, &ida, 4 * PAGE, PAGE, &r), IOPMEM_OK);
		assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r),
			      IOPMEM_RECALLCONFLICT);
		assert_true(now_ms() - again < RECALL_MS);
	} while (!peer_event(&a, &ev, 10));
	assert_true(now_ms() - granted >= HOLD_MS);
	assert_int_equal(ev.offset, 0);
	assert_int_equal(ev.length, PAGE);
	assert_status(peer_layoutreturn(&a, &ev.stateid, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	finish();
}

/* What was given back of itself meanwhile is not recalled. */
static void a_hold_ends_with_the_layout(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	struct reply r;
	iopmem_event ev;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutreturn(&a, &ida, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_false(peer_event(&a, &ev, 2 * HOLD_MS));
	assert_int_equal(rig_logged(&rig, "recalling"), 0);
	finish();
}

/* Nobody on the server's host waits for it. */
static void a_hold_is_for_other_clients(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open;
	struct reply r;
	iopmem_event ev;
	char path[128];
	int status;
	pid_t pid;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&c, &c_open, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_false(peer_event(&a, &ev, 20));
	rig_path(&rig, "f", path);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(truncate(path, 2 * PAGE) ? errno : 0);
	assert_true(peer_event(&a, &ev, 1000));
	assert_int_equal(ev.length, TO_END);
	assert_true(peer_event(&b, &ev, 1000));
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_layoutreturn(&b, &idb, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rig_size(&rig, "f"), 2 * PAGE);
	finish();
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(T15_open_stateid_means_forgotten),
		T(T15_another_open_joins),
		T(T15_two_first_ones_at_once),
		T(T15_recall_of_an_unknown_layout),
		T(T15_forgotten_under_recall),
		T(T18_recall_overtakes_the_first_reply),
		T(T18_recall_while_a_get_is_queued),
		T(starvation_each_writer_gets_its_turn),
		T(turns_are_in_order),
		T(a_turn_ends_with_its_owner),
		cmocka_unit_test_setup_teardown(a_layout_is_held_before_it_is_recalled, up_holding, down),
		cmocka_unit_test_setup_teardown(a_hold_ends_with_the_layout, up_holding, down),
		cmocka_unit_test_setup_teardown(a_hold_is_for_other_clients, up_holding_long, down),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
