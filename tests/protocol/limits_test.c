// SPDX-License-Identifier: BSD-3-Clause
/*
 * What one client may have, what all may have, and how long a recall may take: I20, I5.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"

#define RECALL_MS 800

static struct rig rig;
static struct peer a, b;
static iopmem_stateid a_open, b_open;

static int up(void **state)
{
	struct rig_opts o = { .recall_ms = RECALL_MS, .more = *state };

	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', 16 * PAGE);
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

/* The third one is too much, for this client only; what is given back is free again. */
static void I20_segments(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r),
		      IOPMEM_LAYOUTTRYLATER);
	/* what it holds it is told all the same */
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutreturn(&a, &id, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 8 * PAGE, PAGE, &r), IOPMEM_OK);
	finish();
}

static void I20_bytes(void **state)
{
	iopmem_stateid id = a_open;
	struct reply r;

	(void)state;
	rig_fill(&rig, "big", 'o', 2 << 20);
	assert_status(peer_open(&a, "big", 3, &id), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 1 << 19, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 1 << 19, (1 << 19) + 1, &r),
		      IOPMEM_LAYOUTTRYLATER);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 1 << 19, 1 << 19, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 1 << 20, PAGE, &r),
		      IOPMEM_LAYOUTTRYLATER);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	finish();
}

static void I20_opens(void **state)
{
	iopmem_stateid second;

	(void)state;
	assert_status(peer_open(&a, "f", 3, &second), IOPMEM_OK);
	assert_status(peer_open(&a, "f", 3, NULL), IOPMEM_DELAY);
	assert_status(peer_close(&a, &second), IOPMEM_OK);
	assert_status(peer_open(&a, "f", 3, NULL), IOPMEM_OK);
	finish();
}

/* Parked calls of many connections: the next is told to wait, and costs nothing. */
static void I20_calls(void **state)
{
	iopmem_setsize_args size;
	iopmem_stateid id = a_open;
	iopmem_attr_res res = { 0 };
	struct wire conn[2];
	struct reply r;
	int i;

	(void)state;
	assert_status(peer_layoutget(&b, &b_open, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	for (i = 0; i < 2; i++) {	/* both wait for b's layout */
		wire_open(&conn[i], &rig, PEER_UID);
		size = (iopmem_setsize_args){ peer_seq(&a, (uint32_t)i + 1), id, 8 * PAGE };
		assert_int_equal(wire_send(&conn[i], IOPMEM_PROC_SETSIZE,
					   WIRE_XDR(xdr_iopmem_setsize_args), &size), 0);
	}
	await(peer_renew(&a) == IOPMEM_DELAY);
	assert_status(peer_renew(&b), IOPMEM_OK);
	for (i = 0; i < 2; i++) {	/* until b is fenced */
		memset(&res, 0, sizeof(res));
		assert_int_equal(wire_recv(&conn[i], WIRE_XDR(xdr_iopmem_attr_res), &res,
					   RIG_PATIENCE_MS), 0);
		assert_status(res.status, IOPMEM_OK);
		wire_close(&conn[i]);
	}
	assert_status(peer_renew(&a), IOPMEM_OK);
	finish();
}

/* Who does not take its events: no queue without end, and the fence comes all the same. */
static void I20_events(void **state)
{
	iopmem_stateid ids[4], other;
	iopmem_event ev;
	struct reply r;
	char name[2] = "p";
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		name[0] = (char)('p' + i);
		rig_fill(&rig, name, 'o', PAGE);
		assert_status(peer_open(&a, name, 3, &ids[i]), IOPMEM_OK);
		assert_status(peer_layoutget(&a, &ids[i], IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
		assert_status(peer_open(&b, name, 3, &other), IOPMEM_OK);
		assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
			      IOPMEM_RECALLCONFLICT);
	}
	await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	assert_true(rig_logged(&rig, "takes no events"));
	assert_true(peer_event(&a, &ev, 1000));
	assert_true(peer_event(&a, &ev, 1000));
	assert_false(peer_event(&a, &ev, 20));
	assert_status(peer_layoutreturn(&a, &ids[3], 0, TO_END, &r), IOPMEM_ADMIN_REVOKED);
	finish();
}

/* Of fenced layouts the last are remembered; of the others only that they are no more. */
static void I20_tombstones(void **state)
{
	iopmem_stateid first, second, open_id, other;
	struct reply r;
	int i;

	(void)state;
	rig_fill(&rig, "g", 'o', PAGE);
	for (i = 0; i < 2; i++) {
		assert_status(peer_open(&a, i ? "g" : "f", 3, &open_id), IOPMEM_OK);
		assert_status(peer_layoutget(&a, &open_id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
		*(i ? &second : &first) = open_id;
		assert_status(peer_open(&b, i ? "g" : "f", 3, &other), IOPMEM_OK);
		await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	}
	assert_status(peer_layoutreturn(&a, &first, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutreturn(&a, &second, 0, TO_END, &r), IOPMEM_ADMIN_REVOKED);
	finish();
}

/* One more client: refused, unless one is there whose lease is over. */
static void I20_clients(void **state)
{
	struct peer more;

	(void)state;
	peer_connect(&more, &rig, "more", PEER_UID);
	assert_status(peer_exchange_id(&more, 1), IOPMEM_DELAY);
	peer_down(&a);
	await(peer_exchange_id(&more, 1) == IOPMEM_OK);
	peer_down(&more);
	peer_down(&b);
	rig_stop(&rig);
}

/* RECALL_ANY: who has most is asked, chooses what to give back, and is left alone then. */
static void recall_any_is_obeyed(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_event ev;
	struct reply r;
	u_int i;

	(void)state;
	for (i = 0; i < 8; i++)
		assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, i * PAGE, PAGE, &r),
			      IOPMEM_OK);
	assert_false(peer_event(&a, &ev, 20));
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 15 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_true(peer_event(&a, &ev, 1000));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL_ANY);
	assert_int_equal(ev.keep, 3);		/* three quarters of ten, by two */
	assert_true(ev.deadline_ms > 0 && ev.deadline_ms <= RECALL_MS);
	assert_status(peer_layoutreturn(&a, &id, 0, 5 * PAGE, &r), IOPMEM_OK);
	assert_true(r.present);
	assert_false(peer_event(&a, &ev, 2 * RECALL_MS));
	assert_false(peer_event(&b, &ev, 0));
	finish();
}

/* Or not: then the server chooses. */
static void recall_any_is_ignored(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_event ev;
	struct reply r;
	u_int i;

	(void)state;
	for (i = 0; i < 9; i++)
		assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, i * PAGE, PAGE, &r),
			      IOPMEM_OK);
	assert_true(peer_event(&a, &ev, 1000));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL_ANY);
	assert_int_equal(ev.keep, 7);
	/* the last one goes; then nobody gets one */
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 14 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 15 * PAGE, PAGE, &r),
		      IOPMEM_LAYOUTTRYLATER);
	assert_true(peer_event(&a, &ev, 3 * RECALL_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 15 * PAGE, PAGE, &r) == IOPMEM_OK);
	finish();
}

/* Many holders are recalled at once: all silent, they are fenced after one deadline. */
static void I5_recall_of_many_in_parallel(void **state)
{
	enum { MANY = 12 };
	struct peer p[MANY];
	iopmem_stateid id, other = b_open;
	iopmem_segment seg[MANY];
	iopmem_event ev;
	uint64_t asked;
	struct reply r;
	char name[8];
	int i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		peer_up(&p[i], &rig, name);
		assert_status(peer_open(&p[i], "f", 3, &id), IOPMEM_OK);
		assert_status(peer_layoutget(&p[i], &id, IOPMEM_WIRE_READ, 0, 16 * PAGE, &r),
			      IOPMEM_OK);
		seg[i] = r.seg[0];
	}
	asked = now_ms();
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	for (i = 0; i < MANY; i++) {
		assert_true(peer_event(&p[i], &ev, 1000));
		assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	}
	await(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	assert_true(now_ms() - asked >= RECALL_MS);
	assert_true(now_ms() - asked < 8 * RECALL_MS);	/* one after the other: twelve times */
	assert_int_equal(rig_logged(&rig, "is fenced"), MANY);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(peer_read(&p[i], seg[i].rkey, peer_raddr(&seg[i], 0), &ev, 16),
				 -EACCES);
		peer_down(&p[i]);
	}
	finish();
}

/* Pieces that come back move the deadline, up to recall-max-ms and no further. */
static void I5_progress_extends_up_to_the_maximum(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	uint64_t asked, alive = 0, page = 0, now;
	iopmem_segment last;
	iopmem_event ev;
	struct reply r;
	u_int i;

	(void)state;
	for (i = 0; i < 16; i++)
		assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, i * PAGE, PAGE, &r),
			      IOPMEM_OK);
	last = r.seg[0];
	asked = now_ms();
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, 16 * PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, 1000));
	for (;;) {
		if (peer_write(&a, last.rkey, peer_raddr(&last, 15 * PAGE), 'a', 16))
			break;
		now = now_ms();
		alive = now - asked;
		assert_true(alive < RIG_PATIENCE_MS);
		if (page < 15 && alive > page * 200) {
			iopmem_layoutreturn_args args = peer_return_args(&a, &ev.stateid,
									 page++ * PAGE, PAGE);

			peer_layoutreturn_with(&a, &args, &r);
			if (r.status == IOPMEM_ADMIN_REVOKED && now_ms() - asked >= 2 * RECALL_MS)
				continue;	/* fenced since the write */
			assert_status(r.status, IOPMEM_OK);
			ev.stateid.seqid = r.stateid.seqid;
		}
		nap(10);
	}
	assert_true(alive > RECALL_MS + RECALL_MS / 2);	/* the pieces counted */
	assert_true(now_ms() - asked >= 2 * RECALL_MS);	/* recall-max-ms, and */
	await(rig_logged(&rig, "is fenced"));		/* not one more piece helped */
	assert_true(page > 6);
	finish();
}

/* So does a commit; a renewal does not. */
static void I5_commit_is_progress_renewal_is_not(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_segment seg;
	uint64_t asked;
	iopmem_event ev;
	struct reply r;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		id = a_open;
		await(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
		seg = r.seg[0];
		other = b_open;
		asked = now_ms();
		assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 0, PAGE, &r),
			      IOPMEM_RECALLCONFLICT);
		assert_true(peer_event(&a, &ev, 1000));
		do {
			if (round)
				peer_commit(&a, &ev.stateid, 0, PAGE, 0, NULL);
			else
				assert_status(peer_renew(&a), IOPMEM_OK);
			nap(10);
			assert_true(now_ms() - asked < RIG_PATIENCE_MS);
		} while (!peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'a', 16));
		if (round)
			assert_true(now_ms() - asked >= 2 * RECALL_MS);
		else
			assert_true(now_ms() - asked < 2 * RECALL_MS);
		assert_true(peer_event(&a, &ev, 1000));
		assert_int_equal(ev.type, IOPMEM_EVENT_REVOKED);
	}
	finish();
}

int main(int argc, char **argv)
{
#define T(fn, ...) { #fn, fn, up, down, \
		     (void *)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL } }
	const struct CMUnitTest tests[] = {
		T(I20_segments, "--client-segments", "2"),
		T(I20_bytes, "--client-bytes", "1048576"),
		T(I20_opens, "--client-opens", "2"),
		T(I20_calls, "--client-calls", "2"),
		T(I20_events, "--client-events", "2"),
		T(I20_tombstones, "--client-tombstones", "1"),
		T(I20_clients, "--max-clients", "2"),
		T(recall_any_is_obeyed, "--max-regions", "10"),
		T(recall_any_is_ignored, "--max-regions", "10"),
		T(I5_recall_of_many_in_parallel, "--recall-max-ms", "0"),
		T(I5_progress_extends_up_to_the_maximum, "--recall-max-ms", "1600"),
		T(I5_commit_is_progress_renewal_is_not, "--recall-max-ms", "0"),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
