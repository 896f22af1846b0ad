// SPDX-License-Identifier: BSD-3-Clause
/* Who a client is, and for how long: I13, I14, T16, T17. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

#define LEASE_MS 2000

static struct rig rig;

static int up(void **state)
{
	static const char *const none[] = { "--courtesy-ms", "0", NULL };
	struct rig_opts o = { .lease_ms = LEASE_MS,
			      .more = *state ? (const char *const *)*state : none };

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
	peer_event_park(&p, 600);
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
	uint64_t until = now_ms() + RIG_PATIENCE_MS;
	struct peer p, impostor;
	u_int status;

	(void)state;
	peer_up(&p, &rig, "owner");
	peer_connect(&impostor, &rig, "impostor", PEER_UID + 1);
	impostor.id = p.id;
	do {
		assert_true(now_ms() < until);
		status = peer_renew(&impostor);
		nap(20);
	} while (status == IOPMEM_ACCESS);
	/* to others than the client it is not even said that there was one */
	assert_status(status, IOPMEM_STALE_CLIENTID);
	assert_status(peer_renew(&p), IOPMEM_EXPIRED);
	peer_drop(&impostor);
	peer_drop(&p);
	rig_stop(&rig);
}

/* T16 without courtesy: silence ends a client, but not before its lease does. */
static void T16_lease_expiry(void **state)
{
	iopmem_stateid open_id, id, other_id;
	uint64_t renewed, granted;
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
	nap(LEASE_MS / 2);
	renewed = now_ms();
	assert_status(peer_renew(&p), IOPMEM_OK);
	while (peer_layoutget(&other, &other_id, IOPMEM_WIRE_RW, 0, PAGE, &r)) {
		assert_true(r.status == IOPMEM_RECALLCONFLICT);
		assert_true(now_ms() - renewed < RIG_PATIENCE_MS);
		assert_status(peer_renew(&other), IOPMEM_OK);
		nap(10);
	}
	granted = now_ms();
	assert_true(granted - renewed >= LEASE_MS);
	assert_int_equal(peer_write(&other, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'b', PAGE), 0);
	/* one-sided traffic is no sign of life, and it no longer lands */
	rc = peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE);
	assert_true(rc == -EACCES || rc == -ECONNRESET);
	assert_status(peer_renew(&p), IOPMEM_EXPIRED);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_EXPIRED);
	assert_status(peer_layoutreturn(&other, &other_id, 0, TO_END, &r), IOPMEM_OK);
	/* it recovers through fresh state; the same verifier, for it did not restart */
	assert_status(peer_exchange_id(&p, 1), IOPMEM_OK);
	assert_status(peer_getattr(&p, &open_id, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_open(&p, "f", 3, &id), IOPMEM_OK);
	peer_join(&p);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutreturn(&p, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&p);
	peer_down(&other);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'b'));
	assert_true(rig_bytes(&rig, "f", PAGE, 3 * PAGE, 'o'));
}

/* Courtesy: nobody minds, so the client goes on with all it has. */
static void T16_courtesy_without_conflict(void **state)
{
	iopmem_stateid open_id, id;
	iopmem_segment seg;
	struct reply r;
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "late");
	lease_page(&p, &open_id, &id, &seg);
	rig_await_log(&rig, "lease expired, kept until somebody conflicts");
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'b', PAGE), 0);
	assert_status(peer_commit(&p, &id, 0, PAGE, 0, NULL), IOPMEM_OK);
	assert_int_equal(rig_logged(&rig, "came back"), 1);
	assert_status(peer_getattr(&p, &open_id, NULL), IOPMEM_OK);
	/* and its lease begins anew */
	nap(LEASE_MS / 2);
	assert_int_equal(rig_logged(&rig, "kept until somebody conflicts"), 1);
	assert_status(peer_layoutreturn(&p, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&p);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'b'));
}

/* Somebody minds: fenced at once, without the patience of a recall; then told. */
static void T16_courtesy_ends_with_a_conflict(void **state)
{
	iopmem_stateid open_id, id, other_id;
	struct peer p, other;
	iopmem_segment seg;
	uint64_t asked;
	struct reply r;
	int rc;

	(void)state;
	peer_up(&p, &rig, "silent");
	peer_up(&other, &rig, "other");
	lease_page(&p, &open_id, &id, &seg);
	assert_status(peer_open(&other, "f", 3, &other_id), IOPMEM_OK);
	while (!rig_logged(&rig, "kept until somebody conflicts")) {
		assert_status(peer_renew(&other), IOPMEM_OK);
		nap(20);
	}
	/* what it does not hold is nobody's reason */
	assert_status(peer_layoutget(&other, &other_id, IOPMEM_WIRE_RW, 2 * PAGE, PAGE, &r),
		      IOPMEM_OK);
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'b', PAGE), 0);
	asked = now_ms();
	await(peer_layoutget(&other, &other_id, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	assert_true(now_ms() - asked < 4000);	/* recall-ms is 5000 */
	rc = peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE);
	assert_true(rc == -EACCES || rc == -ECONNRESET);
	assert_status(peer_renew(&p), IOPMEM_EXPIRED);
	assert_status(peer_layoutreturn(&p, &id, 0, TO_END, &r), IOPMEM_EXPIRED);
	assert_status(peer_exchange_id(&p, 1), IOPMEM_OK);
	assert_status(peer_layoutreturn(&other, &other_id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&p);
	peer_down(&other);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'b'));
}

/* A right that is withdrawn is a conflict: with it go all opens of the client, of that file and others. */
static void T16_courtesy_ends_with_a_right(void **state)
{
	iopmem_stateid open_id, id, again, other_id;
	struct peer p, other;
	iopmem_segment seg;
	char path[128];

	(void)state;
	if (geteuid()) {
		print_message("SKIP: needs root, to be another user than the owner\n");
		skip();
	}
	peer_up(&other, &rig, "other");
	peer_up(&p, &rig, "silent");
	lease_page(&p, &open_id, &id, &seg);
	assert_status(peer_open(&p, "f", 3, &again), IOPMEM_OK);
	assert_status(peer_open(&other, "f", 3, &other_id), IOPMEM_OK);
	assert_status(peer_open(&p, "f", 3, &again), IOPMEM_OK);
	while (!rig_logged(&rig, "kept until somebody conflicts")) {
		assert_status(peer_renew(&other), IOPMEM_OK);
		nap(20);
	}
	rig_path(&rig, "f", path);
	assert_int_equal(chmod(path, 0444), 0);
	rig_await_log(&rig, "all its state is gone");
	await(rig_logged(&rig, "lost the right to write") >= 2);	/* the other one's, too */
	assert_status(peer_setsize(&other, &other_id, 0), IOPMEM_ACCESS);
	assert_status(peer_renew(&p), IOPMEM_EXPIRED);
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE) == 0, 0);
	peer_drop(&p);
	peer_down(&other);
	rig_stop(&rig);
}

/* Courtesy has an end, whether somebody minds or not. */
static void T16_courtesy_is_bounded(void **state)
{
	iopmem_stateid open_id, id;
	iopmem_segment seg;
	uint64_t renewed;
	struct peer p;
	int rc;

	(void)state;
	peer_up(&p, &rig, "gone");
	renewed = now_ms();
	lease_page(&p, &open_id, &id, &seg);
	rig_await_log(&rig, "did not come back");
	assert_true(now_ms() - renewed >= LEASE_MS + 1000);
	await((rc = peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE)) == -EACCES ||
	      rc == -ECONNRESET);
	assert_status(peer_renew(&p), IOPMEM_EXPIRED);
	peer_drop(&p);
	rig_stop(&rig);
}

/* A client whose only calls are EVENT_WAITs lives. */
static void event_wait_keeps_the_lease(void **state)
{
	uint64_t until = now_ms() + 3 * LEASE_MS;
	iopmem_stateid open_id, id;
	iopmem_segment seg;
	iopmem_event ev;
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "listener");
	lease_page(&p, &open_id, &id, &seg);
	while (now_ms() < until)
		assert_false(peer_event(&p, &ev, LEASE_MS / 2));
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'b', 16), 0);
	assert_status(peer_getattr(&p, &open_id, NULL), IOPMEM_OK);
	peer_down(&p);
	rig_stop(&rig);
}

/* A parked EVENT_WAIT is answered within a third of the lease and renews by that only. */
static void parked_event_wait_is_bounded(void **state)
{
	iopmem_event_wait_res res;
	uint64_t start = now_ms();
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "parked");
	peer_event_park(&p, 0xffffffff);
	assert_int_equal(peer_event_reply(&p, &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_true(now_ms() - start < LEASE_MS);
	/* and then nothing: it expires */
	rig_await_log(&rig, "lease expired");
	assert_true(now_ms() - start >= LEASE_MS);
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
#define T_WITH(fn, ...) { #fn, fn, up, down, (void *)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL } }
	const struct CMUnitTest tests[] = {
		T(same_verifier_same_id),
		T(T17_new_verifier_kills_old_state),
		T(T17_reboot_with_calls_in_progress),
		T(T17_impostor),
		T(impostor_does_not_renew),
		T(T16_lease_expiry),
		T_WITH(T16_courtesy_without_conflict, "--courtesy-ms", "600000"),
		T_WITH(T16_courtesy_ends_with_a_conflict, "--courtesy-ms", "600000"),
		T_WITH(T16_courtesy_ends_with_a_right, "--courtesy-ms", "600000"),
		T_WITH(T16_courtesy_is_bounded, "--courtesy-ms", "1000"),
		T(event_wait_keeps_the_lease),
		T(parked_event_wait_is_bounded),
		T(destroy_clientid),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
