// SPDX-License-Identifier: BSD-3-Clause
/* Clients against each other, recall and fence: I4, I5, I8, T2, T5, T6. */
#include <errno.h>
#include <string.h>

#include "peer.h"

#define RECALL_MS 30000

static struct rig rig;
static struct peer a, b, c;
static iopmem_stateid a_open, b_open, c_open;

static int up(void **state)
{
	struct rig_opts o = { .recall_ms = RECALL_MS, .held = true };

	(void)state;
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

static void assert_recall(const iopmem_event *ev, const iopmem_stateid *id, uint32_t seqid,
			  uint64_t offset, uint64_t length)
{
	assert_int_equal(ev->type, IOPMEM_EVENT_RECALL);
	assert_memory_equal(ev->stateid.other, id->other, sizeof(id->other));
	assert_int_equal(ev->stateid.seqid, seqid);
	assert_true(ev->offset <= offset);
	assert_true(ev->length >= length);
	assert_true(ev->deadline_ms <= RECALL_MS);
}

static void T2_recall_and_return(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_event_wait_res res;
	iopmem_event ev;
	struct reply r;
	char buf[16];
	int i;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a', 2 * PAGE), 0);
	peer_event_park(&a, 60000);
	/* asking again and again makes one recall */
	for (i = 0; i < 5; i++)
		assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, PAGE, PAGE, &r),
			      IOPMEM_RECALLCONFLICT);
	assert_int_equal(peer_event_reply(&a, &res, RIG_PATIENCE_MS), 0);
	assert_int_equal(res.iopmem_event_wait_res_u.ok.events.events_len, 1);
	ev = res.iopmem_event_wait_res_u.ok.events.events_val[0];
	xdr_free(WIRE_XDR(xdr_iopmem_event_wait_res), &res);
	assert_int_equal(ev.number, 1);
	assert_recall(&ev, &id, 2, PAGE, PAGE);
	assert_int_equal(ev.deadline_ms, RECALL_MS);
	/* not acknowledged: told again */
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.number, 1);
	assert_false(peer_event(&a, &ev, 0));
	/* another range is nobody's business */
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);

	id = ev.stateid.seqid == 2 ? ev.stateid : id;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_false(r.present);
	assert_int_equal(id.seqid, 3);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(other.seqid, 2);
	assert_int_equal(peer_read(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], PAGE), buf, 16), 0);
	assert_memory_equal(buf, "aaaaaaaaaaaaaaaa", 16);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 2 * PAGE, 'a'));
}

static void readers_coexist_writers_do_not(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open, idc = c_open;
	struct reply ra, rb, rc;
	iopmem_event ev;
	char buf[16];

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_READ, 0, 4 * PAGE, &ra), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_READ, 2 * PAGE, 4 * PAGE, &rb),
		      IOPMEM_OK);
	assert_int_equal(peer_read(&a, ra.seg[0].rkey, peer_raddr(&ra.seg[0], 2 * PAGE), buf,
				   16), 0);
	assert_int_equal(peer_read(&b, rb.seg[0].rkey, peer_raddr(&rb.seg[0], 2 * PAGE), buf,
				   16), 0);
	assert_false(peer_event(&a, &ev, 0));
	/* the first return leaves the other's memory alone */
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &ra), IOPMEM_OK);
	assert_int_equal(peer_read(&b, rb.seg[0].rkey, peer_raddr(&rb.seg[0], 2 * PAGE), buf,
				   16), 0);
	ida = a_open;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_READ, 0, 4 * PAGE, &ra), IOPMEM_OK);
	/* a writer recalls both */
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_RW, 3 * PAGE, PAGE, &rc),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_recall(&ev, &ida, ida.seqid + 1, 3 * PAGE, PAGE);
	assert_true(peer_event(&b, &ev, RIG_PATIENCE_MS));
	assert_recall(&ev, &idb, idb.seqid + 1, 3 * PAGE, PAGE);
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &ra), IOPMEM_OK);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_RW, 3 * PAGE, PAGE, &rc),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutreturn(&b, &idb, 0, TO_END, &rb), IOPMEM_OK);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_RW, 3 * PAGE, PAGE, &rc), IOPMEM_OK);
	/* READ against RW */
	ida = a_open;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_READ, 3 * PAGE, 1, &ra),
		      IOPMEM_RECALLCONFLICT);
	finish();
}

/* I4: while a recall waits, nobody else gets in front, not even a reader of readers. */
static void T5_nobody_overtakes_a_recall(void **state)
{
	iopmem_stateid ida = a_open, idb = b_open, idc = c_open;
	struct reply ra, rb, rc;
	iopmem_event ev;

	(void)state;
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_READ, 0, 4 * PAGE, &ra), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &rb),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_READ, 0, PAGE, &rc),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_RW, 0, PAGE, &rc),
		      IOPMEM_RECALLCONFLICT);
	/* nor does the holder get more of it, before and after its acknowledgement */
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_READ, 0, PAGE, &ra),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_false(peer_event(&a, &ev, 0));
	assert_status(peer_layoutget(&a, &ida, IOPMEM_WIRE_READ, 0, PAGE, &ra),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutget(&c, &idc, IOPMEM_WIRE_READ, 0, PAGE, &rc),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutreturn(&a, &ida, 0, TO_END, &ra), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &idb, IOPMEM_WIRE_RW, 0, PAGE, &rb), IOPMEM_OK);
	finish();
}

/* T6, T1: acknowledges and then says nothing: fenced at the deadline, not before. */
static void T6_ack_then_silence(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_segment seg;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r), IOPMEM_OK);
	seg = r.seg[0];
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_recall(&ev, &id, 2, 0, PAGE);
	assert_false(peer_event(&a, &ev, 0));		/* acknowledged */
	/* it keeps writing, and its lease */
	rig_step(&rig, RECALL_MS - 1);
	assert_status(peer_renew(&a), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'a', 2 * PAGE), 0);
	rig_step(&rig, 2);
	assert_int_equal(rig_logged(&rig, "fenced"), 1);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', 2 * PAGE), -EACCES);
	assert_status(peer_renew(&a), IOPMEM_OK);
	await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r) == IOPMEM_OK);
	assert_int_equal(peer_write(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'b', 2 * PAGE), 0);
	/* the old key, on a new connection, with b's bytes there */
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', 2 * PAGE), -EACCES);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, PAGE), 'z', 1), -EACCES);
	/* it is told: event and stateid */
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_REVOKED);
	assert_memory_equal(ev.stateid.other, id.other, sizeof(id.other));
	assert_true(ev.offset == 0 && ev.length >= PAGE);
	assert_status(peer_commit(&a, &id, 0, PAGE, 0, NULL), IOPMEM_ADMIN_REVOKED);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_ADMIN_REVOKED);
	id.seqid = ev.stateid.seqid;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r),
		      IOPMEM_ADMIN_REVOKED);
	/* the client itself lives: its open does, and a new layout begins at 1 */
	id = a_open;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, 1);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 2 * PAGE, 'b'));
}

/* T6 once more, with the machine's own time: it may take longer, never less. */
static void T6_deadline_in_real_time(void **state)
{
	struct rig_opts o = { .recall_ms = 700 };
	iopmem_stateid id, other;
	uint64_t asked;
	struct reply r;

	(void)state;
	peer_drop(&a);
	peer_drop(&b);
	rig_stop(&rig);
	rig_start(&rig, &o);
	peer_up(&a, &rig, "a");
	peer_up(&b, &rig, "b");
	assert_status(peer_open(&a, "f", 3, &id), IOPMEM_OK);
	assert_status(peer_open(&b, "f", 3, &other), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	asked = now_ms();
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	rig_await_log(&rig, "fenced");
	assert_true(now_ms() - asked >= 700);
	peer_down(&a);
	peer_down(&b);
	rig_stop(&rig);
}

/* A fence of one range leaves the client's other segments and files alone. */
static void fence_is_per_range(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_segment recalled, kept;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	recalled = r.seg[0];
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	kept = r.seg[0];
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	rig_step(&rig, RECALL_MS + 1);
	await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	assert_int_equal(peer_write(&a, recalled.rkey, peer_raddr(&recalled, 0), 'z', 16), -EACCES);
	assert_int_equal(peer_write(&a, kept.rkey, peer_raddr(&kept, 4 * PAGE), 'a', PAGE), 0);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_REVOKED);
	assert_int_equal(ev.offset, 0);
	assert_int_equal(ev.length, PAGE);
	/* the layout lives, with what is left of it */
	id.seqid = ev.stateid.seqid;
	assert_status(peer_layoutreturn(&a, &id, 0, PAGE, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_false(r.present);
	finish();
	assert_true(rig_bytes(&rig, "f", 4 * PAGE, PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'o'));
}

/* Pieces given back in time count; only what is left at the deadline is fenced. */
static void recall_answered_in_pieces(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	id.seqid = ev.stateid.seqid;
	rig_step(&rig, RECALL_MS - 1);
	assert_status(peer_layoutreturn(&a, &id, 0, PAGE, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_int_equal(r.n, 0);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutreturn(&a, &id, PAGE, PAGE, &r), IOPMEM_OK);
	assert_false(r.present);
	/* the deadline of what is back is nobody's any more */
	rig_step(&rig, 2);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	finish();
}

/* The size change of another client waits for the layout, and its own goes first too. */
static void setsize_recalls(void **state)
{
	iopmem_stateid id = a_open;
	iopmem_setsize_args args;
	iopmem_attr_res res = { 0 };
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 8 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a', 8 * PAGE), 0);
	args = (iopmem_setsize_args){ peer_seq(&b, 1), b_open, 2 * PAGE };
	assert_int_equal(wire_send(&b.rpc, IOPMEM_PROC_SETSIZE,
				   WIRE_XDR(xdr_iopmem_setsize_args), &args), 0);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_recall(&ev, &id, 2, 0, 8 * PAGE);
	/* no new grant sneaks in; nothing is cut while the key lives */
	assert_status(peer_layoutget(&c, &c_open, IOPMEM_WIRE_READ, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_int_equal(rig_size(&rig, "f"), 8 * PAGE);
	rig_rest(&rig);
	assert_true(wire_is_quiet(&b.rpc));
	id.seqid = 2;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(wire_recv(&b.rpc, WIRE_XDR(xdr_iopmem_attr_res), &res,
				   RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_attr_res_u.attr.size, 2 * PAGE);
	assert_int_equal(rig_size(&rig, "f"), 2 * PAGE);
	/* the gate is open again */
	assert_status(peer_layoutget(&c, &c_open, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);

	/* one that never returns is fenced, and then the size changes */
	args = (iopmem_setsize_args){ peer_seq(&b, 1), b_open, PAGE };
	assert_int_equal(wire_send(&b.rpc, IOPMEM_PROC_SETSIZE,
				   WIRE_XDR(xdr_iopmem_setsize_args), &args), 0);
	assert_true(peer_event(&c, &ev, RIG_PATIENCE_MS));
	rig_step(&rig, RECALL_MS - 1);
	assert_true(wire_is_quiet(&b.rpc));
	rig_step(&rig, 2);
	assert_int_equal(wire_recv(&b.rpc, WIRE_XDR(xdr_iopmem_attr_res), &res,
				   RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(rig_size(&rig, "f"), PAGE);
	char buf[16];

	assert_int_equal(peer_read(&c, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), buf, 16), -EACCES);
	/* growing shows zeroes */
	assert_status(peer_setsize(&b, &b_open, 4 * PAGE), IOPMEM_OK);
	assert_status(peer_setsize(&b, &b_open, 1ULL << 63), IOPMEM_FBIG);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 4 * PAGE);
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'a'));
	assert_true(rig_bytes(&rig, "f", PAGE, 3 * PAGE, 0));
}

/* From READ to RW: its own READ is in the way and is recalled, not deadlocked on. */
static void upgrade(void **state)
{
	iopmem_stateid id = a_open;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	id.seqid = ev.stateid.seqid;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	id = a_open;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	finish();
}

/* Events pile up while nobody listens and come in order, a batch at a time. */
static void events_are_kept_until_acknowledged(void **state)
{
	iopmem_stateid ids[4], other = b_open, open_id;
	iopmem_event_wait_res res;
	iopmem_event ev;
	struct reply r;
	char name[8];
	u_int i, k;

	(void)state;
	for (i = 0; i < 4; i++) {
		name[0] = (char)('p' + i);
		name[1] = '\0';
		rig_fill(&rig, name, 'o', PAGE);
		assert_status(peer_open(&a, name, 3, &ids[i]), IOPMEM_OK);
		assert_status(peer_layoutget(&a, &ids[i], IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	}
	for (i = 0; i < 4; i++) {
		name[0] = (char)('p' + i);
		assert_status(peer_open(&b, name, 3, &open_id), IOPMEM_OK);
		other = open_id;
		assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
			      IOPMEM_RECALLCONFLICT);
	}
	for (i = 0; i < 4; i++) {	/* acknowledging one by one */
		peer_event_park(&a, 0);
		assert_int_equal(peer_event_reply(&a, &res, RIG_PATIENCE_MS), 0);
		assert_int_equal(res.iopmem_event_wait_res_u.ok.events.events_len, 4 - i);
		for (k = i; k < 4; k++) {
			ev = res.iopmem_event_wait_res_u.ok.events.events_val[k - i];
			assert_int_equal(ev.number, k + 1);
			assert_memory_equal(ev.stateid.other, ids[k].other,
					    sizeof(ids[k].other));
		}
		xdr_free(WIRE_XDR(xdr_iopmem_event_wait_res), &res);
		a.acked = i + 1;
	}
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	peer_event_park(&a, 0);
	assert_int_equal(peer_event_reply(&a, &res, RIG_PATIENCE_MS), 0);
	assert_int_equal(res.iopmem_event_wait_res_u.ok.events.events_len, 0);
	finish();
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(T2_recall_and_return),
		T(readers_coexist_writers_do_not),
		T(T5_nobody_overtakes_a_recall),
		T(T6_ack_then_silence),
		T(T6_deadline_in_real_time),
		T(fence_is_per_range),
		T(recall_answered_in_pieces),
		T(setsize_recalls),
		T(upgrade),
		T(events_are_kept_until_acknowledged),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("conflict", tests, NULL, NULL);
}
