// SPDX-License-Identifier: BSD-3-Clause
/* Who a client is, and for how long: I13, I14, T16, T17. */
#include <errno.h>
#include <string.h>

#include "peer.h"

/* Shorter than a recall: it is the lease that ends what is below. */
#define LEASE_MS 18000

static struct rig rig;

static int up(void **state)
{
	struct rig_opts o = { .lease_ms = LEASE_MS, .held = true };

	(void)state;
	rig_up(&rig, &o);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

/* @p with an RW layout of the first page of "f", proved by a write. */
static void lease_page(struct peer *p, iopmem_stateid *open_id, iopmem_stateid *id,
		       iopmem_segment *seg)
{
	struct reply r;

	rig_fill(&rig, "f", 'o', 4 * PAGE);
	assert_status(peer_open(p, "f", 3, open_id), IOPMEM_OK);
	*id = *open_id;
	assert_status(peer_layoutget(p, id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 1);
	*seg = r.seg[0];
	assert_int_equal(peer_write(p, seg->rkey, peer_raddr(seg, 0), 'a', 16), 0);
}

static void same_verifier_same_id(void **state)
{
	iopmem_stateid open_id, id;
	iopmem_segment seg;
	struct peer p, again;

	(void)state;
	peer_up(&p, &rig, "owner");
	lease_page(&p, &open_id, &id, &seg);
	peer_connect(&again, &rig, "owner", PEER_UID);
	assert_status(peer_exchange_id(&again, 1), IOPMEM_OK);
	assert_true(again.id == p.id);
	assert_memory_equal(again.instance, p.instance, sizeof(p.instance));
	assert_int_equal(again.lease_ms, LEASE_MS);
	/* and nothing of it was lost */
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'b', 16), 0);
	peer_drop(&again);

	peer_connect(&again, &rig, "owner2", PEER_UID);
	assert_status(peer_exchange_id(&again, 1), IOPMEM_OK);
	assert_true(again.id != p.id);
	peer_down(&again);
	peer_connect(&again, &rig, "", PEER_UID);
	assert_status(peer_exchange_id(&again, 1), IOPMEM_INVAL);
	peer_drop(&again);
	peer_down(&p);
	rig_stop(&rig);
}

/* T17, I14: when the new id is there, the old state and its keys are not. */
static void T17_new_verifier_kills_old_state(void **state)
{
	iopmem_stateid open_id, id;
	struct peer p, reborn, other;
	iopmem_segment seg;
	struct reply r;
	int rc;

	(void)state;
	peer_up(&p, &rig, "owner");
	peer_up(&other, &rig, "other");
	lease_page(&p, &open_id, &id, &seg);
	peer_connect(&reborn, &rig, "owner", PEER_UID);
	assert_status(peer_exchange_id(&reborn, 2), IOPMEM_OK);
	assert_true(reborn.id != p.id);
	rc = peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE);
	assert_true(rc == -EACCES || rc == -ECONNRESET);
	assert_status(peer_renew(&p), IOPMEM_STALE_CLIENTID);
	assert_status(peer_getattr(&p, &open_id, NULL), IOPMEM_STALE_CLIENTID);
	/* the old stateid means nothing to the new id, and its range is free at once */
	assert_status(peer_getattr(&reborn, &open_id, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_open(&other, "f", 3, &id), IOPMEM_OK);
	assert_status(peer_layoutget(&other, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	/* the old key on the new client's connection */
	assert_int_equal(peer_write(&reborn, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE), -EACCES);
	assert_status(peer_layoutreturn(&other, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_drop(&p);
	peer_down(&reborn);
	peer_down(&other);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, 16, 'a'));
	assert_true(rig_bytes(&rig, "f", 16, PAGE - 16, 'o'));
}

/* Three times in a row while calls of the old incarnation are in progress. */
static void T17_reboot_with_calls_in_progress(void **state)
{
	iopmem_setsize_args args;
	struct peer holder, p, reborn;
	iopmem_stateid open_id, id, mine;
	iopmem_segment seg;
	struct reply r;

	(void)state;
	peer_up(&holder, &rig, "holder");
	peer_up(&p, &rig, "owner");
	lease_page(&holder, &open_id, &id, &seg);
	assert_status(peer_open(&p, "f", 3, &mine), IOPMEM_OK);
	peer_event_park(&p, LEASE_MS);
	args = (iopmem_setsize_args){ peer_seq(&p, 1), mine, 2 * PAGE };
	assert_int_equal(wire_send(&p.rpc, IOPMEM_PROC_SETSIZE,
				   WIRE_XDR(xdr_iopmem_setsize_args), &args), 0);
	peer_connect(&reborn, &rig, "owner", PEER_UID);
	iopmem_exchange_id_args ex = { { 5, reborn.owner }, { 2 } };

	/* its answer has to wait for the SETSIZE, which waits for the holder */
	assert_int_equal(wire_send(&reborn.rpc, IOPMEM_PROC_EXCHANGE_ID,
				   WIRE_XDR(xdr_iopmem_exchange_id_args), &ex), 0);
	rig_await_log(&rig, "new verifier");
	/* one more of the same waits its turn, or is told to */
	peer_reconnect(&p);
	assert_status(peer_exchange_id(&p, 2), IOPMEM_DELAY);
	assert_status(peer_layoutreturn(&holder, &id, 0, TO_END, &r), IOPMEM_OK);
	iopmem_exchange_id_res res = { 0 };

	assert_int_equal(wire_recv(&reborn.rpc, WIRE_XDR(xdr_iopmem_exchange_id_res), &res,
				   RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_true(res.iopmem_exchange_id_res_u.ok.clientid != p.id);
	peer_drop(&p);
	peer_drop(&reborn);
	peer_down(&holder);
	rig_stop(&rig);
}

static void T17_impostor(void **state)
{
	struct peer p, impostor;
	iopmem_stateid open_id, id;
	iopmem_segment seg;

	(void)state;
	peer_up(&p, &rig, "owner");
	lease_page(&p, &open_id, &id, &seg);
	peer_connect(&impostor, &rig, "owner", PEER_UID + 1);
	assert_status(peer_exchange_id(&impostor, 1), IOPMEM_CLID_INUSE);
	assert_status(peer_exchange_id(&impostor, 2), IOPMEM_CLID_INUSE);
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'b', 16), 0);
	/* the id itself is of no use to another principal */
	impostor.id = p.id;
	assert_status(peer_renew(&impostor), IOPMEM_ACCESS);
	assert_status(peer_destroy(&impostor), IOPMEM_ACCESS);
	assert_status(peer_getattr(&impostor, &open_id, NULL), IOPMEM_ACCESS);
	impostor.sequence[0] = p.sequence[0];
	assert_status(peer_close(&impostor, &open_id), IOPMEM_ACCESS);
	/* nor did it burn the owner's slot */
	assert_status(peer_close(&p, &open_id), IOPMEM_OK);
	impostor.id = p.id + 1;
	assert_status(peer_renew(&impostor), IOPMEM_STALE_CLIENTID);
	peer_drop(&impostor);
	peer_down(&p);
	rig_stop(&rig);
}

/* Somebody else's calls do not keep a silent client alive. */
static void impostor_does_not_renew(void **state)
{
	struct peer p, impostor;

	(void)state;
	peer_up(&p, &rig, "owner");
	peer_connect(&impostor, &rig, "impostor", PEER_UID + 1);
	impostor.id = p.id;
	rig_step(&rig, LEASE_MS / 2);
	assert_status(peer_renew(&impostor), IOPMEM_ACCESS);
	rig_step(&rig, LEASE_MS / 2 - 1);
	assert_status(peer_renew(&impostor), IOPMEM_ACCESS);
	rig_step(&rig, 2);
	assert_status(peer_renew(&impostor), IOPMEM_STALE_CLIENTID);
	peer_drop(&impostor);
	peer_drop(&p);
	rig_stop(&rig);
}

/* T16 without courtesy: silence ends a client, but not before its lease does. */
static void T16_lease_expiry(void **state)
{
	iopmem_stateid open_id, id, other_id;
	struct peer p, other;
	iopmem_segment seg;
	struct reply r;
	int rc;

	(void)state;
	peer_up(&p, &rig, "silent");
	peer_up(&other, &rig, "other");
	lease_page(&p, &open_id, &id, &seg);
	assert_status(peer_open(&other, "f", 3, &other_id), IOPMEM_OK);
	/* a renewal counts from when it came, not from the beginning */
	rig_step(&rig, LEASE_MS / 2);
	assert_status(peer_renew(&p), IOPMEM_OK);
	assert_status(peer_layoutget(&other, &other_id, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	rig_step(&rig, LEASE_MS - 1);
	assert_status(peer_renew(&other), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "ends (lease expired)"), 0);
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'a', 16), 0);
	assert_status(peer_layoutget(&other, &other_id, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	rig_step(&rig, 2);
	assert_int_equal(rig_logged(&rig, "ends (lease expired)"), 1);
	assert_status(peer_layoutget(&other, &other_id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "recall deadline passed"), 0);
	assert_int_equal(peer_write(&other, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'b', PAGE), 0);
	/* one-sided traffic is no sign of life, and it no longer lands */
	rc = peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE);
	assert_true(rc == -EACCES || rc == -ECONNRESET);
	assert_status(peer_renew(&p), IOPMEM_STALE_CLIENTID);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_STALE_CLIENTID);
	assert_status(peer_layoutreturn(&other, &other_id, 0, TO_END, &r), IOPMEM_OK);
	/* it recovers through fresh state; the same verifier, for it did not restart */
	assert_status(peer_exchange_id(&p, 1), IOPMEM_OK);
	assert_status(peer_getattr(&p, &open_id, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_open(&p, "f", 3, &id), IOPMEM_OK);
	iopmem_deviceinfo info;

	assert_status(peer_deviceinfo(&p, "d", &info), IOPMEM_OK);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutreturn(&p, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&p);
	peer_down(&other);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'b'));
	assert_true(rig_bytes(&rig, "f", PAGE, 3 * PAGE, 'o'));
}

/* The same with the machine's own time: it may take longer, never less. */
static void T16_expiry_in_real_time(void **state)
{
	struct rig_opts o = { .lease_ms = 1000 };
	uint64_t start;
	struct peer p;

	(void)state;
	rig_stop(&rig);
	rig_start(&rig, &o);
	peer_connect(&p, &rig, "silent", PEER_UID);
	start = now_ms();
	assert_status(peer_exchange_id(&p, 1), IOPMEM_OK);
	rig_await_log(&rig, "lease expired");
	assert_true(now_ms() - start >= 1000);
	peer_drop(&p);
	rig_stop(&rig);
}

/* A client whose only calls are EVENT_WAITs lives. */
static void event_wait_keeps_the_lease(void **state)
{
	iopmem_stateid open_id, id;
	iopmem_event_wait_res res;
	iopmem_segment seg;
	struct peer p;
	int i;

	(void)state;
	peer_up(&p, &rig, "listener");
	lease_page(&p, &open_id, &id, &seg);
	for (i = 0; i < 10; i++) {
		peer_event_park(&p, LEASE_MS / 3);
		wire_await_taken(&p.events, &rig);
		rig_step(&rig, LEASE_MS / 3 + 1);
		assert_int_equal(peer_event_reply(&p, &res, RIG_PATIENCE_MS), 0);
		assert_status(res.status, IOPMEM_OK);
		assert_int_equal(res.iopmem_event_wait_res_u.ok.events.events_len, 0);
	}
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'b', 16), 0);
	assert_status(peer_getattr(&p, &open_id, NULL), IOPMEM_OK);
	peer_down(&p);
	rig_stop(&rig);
}

/* A parked EVENT_WAIT is answered within a third of the lease and renews by that only. */
static void parked_event_wait_is_bounded(void **state)
{
	iopmem_event_wait_res res;
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "parked");
	peer_event_park(&p, 0xffffffff);
	wire_await_taken(&p.events, &rig);
	rig_step(&rig, LEASE_MS / 3 - 1);
	assert_true(wire_is_quiet(&p.events));
	rig_step(&rig, 2);
	assert_int_equal(peer_event_reply(&p, &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	/* and then nothing: it expires */
	rig_step(&rig, LEASE_MS - 1);
	assert_int_equal(rig_logged(&rig, "ends (lease expired)"), 0);
	rig_step(&rig, 2);
	assert_int_equal(rig_logged(&rig, "ends (lease expired)"), 1);
	peer_drop(&p);
	rig_stop(&rig);
}

static void destroy_clientid(void **state)
{
	iopmem_stateid open_id, id;
	struct peer p, other;
	iopmem_segment seg;
	struct reply r;
	int rc;

	(void)state;
	peer_up(&p, &rig, "leaver");
	peer_up(&other, &rig, "other");
	lease_page(&p, &open_id, &id, &seg);
	assert_status(peer_destroy(&p), IOPMEM_OK);
	assert_status(peer_destroy(&p), IOPMEM_STALE_CLIENTID);
	await((rc = peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'a', 16)) == -EACCES ||
	      rc == -ECONNRESET);
	assert_status(peer_open(&other, "f", 3, &id), IOPMEM_OK);
	await(peer_layoutget(&other, &id, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	peer_drop(&p);
	peer_down(&other);
	rig_stop(&rig);
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(same_verifier_same_id),
		T(T17_new_verifier_kills_old_state),
		T(T17_reboot_with_calls_in_progress),
		T(T17_impostor),
		T(impostor_does_not_renew),
		T(T16_lease_expiry),
		T(T16_expiry_in_real_time),
		T(event_wait_keeps_the_lease),
		T(parked_event_wait_is_bounded),
		T(destroy_clientid),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
