// SPDX-License-Identifier: BSD-3-Clause
/* SIGTERM: recall first, fence what stays silent, exit 0; and what the next start finds. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

/* SERVER_STOP_PATIENCE_MS: with clients that do not answer. */
#define PATIENCE_MS 5000

static struct rig rig;

/* Time stands still: how long something may take is said by steps. */
static const struct rig_opts held = { .held = true };

static int up(void **state)
{
	(void)state;
	rig_up(&rig, &held);
	rig_fill(&rig, "f", 'o', 4 * PAGE);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

static void lease(struct peer *p, uint64_t page, iopmem_stateid *id, iopmem_segment *seg)
{
	struct reply r;

	assert_status(peer_open(p, "f", 3, id), IOPMEM_OK);
	assert_status(peer_layoutget(p, id, IOPMEM_WIRE_RW, page * PAGE, PAGE, &r), IOPMEM_OK);
	*seg = r.seg[0];
	assert_int_equal(peer_write(p, seg->rkey, peer_raddr(seg, page * PAGE), 'a', PAGE), 0);
}

/* SIGTERM has arrived. */
static void term(void)
{
	rig_term(&rig);
	rig_await_log(&rig, "stopping");
}

static void idle_server_stops_at_once(void **state)
{
	struct peer p, parked;

	(void)state;
	peer_up(&p, &rig, "p");
	peer_up(&parked, &rig, "parked");
	peer_event_park(&parked, 3000);
	term();
	rig_step(&rig, 1);		/* the next tick */
	rig_await_exit(&rig);
	peer_drop(&p);
	peer_drop(&parked);
}

static void clients_that_return_are_not_fenced(void **state)
{
	struct peer p, late;
	iopmem_stateid id, none;
	iopmem_segment seg;
	iopmem_event ev;
	struct reply r;

	(void)state;
	peer_up(&p, &rig, "polite");
	peer_up(&late, &rig, "late");
	lease(&p, 0, &id, &seg);
	assert_status(peer_open(&late, "f", 3, &none), IOPMEM_OK);
	/* connections are made before: a server that stops accepts none */
	assert_false(peer_event(&p, &ev, 0));
	term();
	assert_true(peer_event(&p, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	assert_memory_equal(ev.stateid.other, id.other, sizeof(id.other));
	/* no new state from now on */
	assert_int_not_equal(peer_layoutget(&late, &none, IOPMEM_WIRE_READ, 2 * PAGE, PAGE, &r), 0);
	assert_int_not_equal(peer_open(&late, "f", 1, &none), 0);
	assert_int_not_equal(peer_exchange_id(&late, 77), 0);
	/* the key works until it is given back */
	rig_step(&rig, PATIENCE_MS - 1);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 0), 'b', PAGE), 0);
	id.seqid = ev.stateid.seqid;
	assert_status(peer_layoutreturn(&p, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_false(r.present);
	rig_go(&rig);
	rig_await_exit(&rig);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	peer_drop(&p);
	peer_drop(&late);
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'b'));
}

static void silent_client_is_fenced(void **state)
{
	struct peer polite, silent;
	iopmem_stateid id, sid;
	iopmem_segment seg, sseg;
	iopmem_event ev;
	struct reply r;
	int rc;

	(void)state;
	peer_up(&polite, &rig, "polite");
	peer_up(&silent, &rig, "silent");
	lease(&polite, 0, &id, &seg);
	lease(&silent, 1, &sid, &sseg);
	assert_false(peer_event(&polite, &ev, 0));
	term();
	assert_true(peer_event(&polite, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.deadline_ms, PATIENCE_MS);	/* not the 30 s of a recall */
	id.seqid = ev.stateid.seqid;
	assert_status(peer_layoutreturn(&polite, &id, 0, TO_END, &r), IOPMEM_OK);
	rig_step(&rig, PATIENCE_MS - 1);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	assert_int_equal(peer_write(&silent, sseg.rkey, peer_raddr(&sseg, PAGE), 'b', PAGE), 0);
	rig_step(&rig, 2);
	assert_true(rig_logged(&rig, "fenced") > 0);
	rc = peer_write(&silent, sseg.rkey, peer_raddr(&sseg, PAGE), 'z', PAGE);
	assert_true(rc == -EACCES || rc == -ECONNRESET);
	rig_go(&rig);
	rig_await_exit(&rig);
	assert_true(rig_bytes(&rig, "f", PAGE, PAGE, 'b'));
	peer_drop(&polite);
	peer_drop(&silent);
}

/* A second SIGTERM: patience is over. */
static void second_signal_is_impatient(void **state)
{
	iopmem_stateid id;
	iopmem_segment seg;
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "silent");
	lease(&p, 0, &id, &seg);
	term();
	rig_term(&rig);
	rig_await_exit(&rig);		/* and the clock has not moved */
	peer_drop(&p);
}

/* SIGTERM while calls wait: for a size change, for a lease, for an event. */
static void calls_in_progress_end(void **state)
{
	iopmem_setsize_args args;
	struct peer holder, p;
	iopmem_stateid id, mine;
	iopmem_segment seg;
	iopmem_event ev;
	int i;

	(void)state;
	peer_up(&holder, &rig, "holder");
	peer_up(&p, &rig, "p");
	lease(&holder, 0, &id, &seg);
	assert_status(peer_open(&p, "f", 3, &mine), IOPMEM_OK);
	args = (iopmem_setsize_args){ peer_seq(&p, 1), mine, PAGE };
	assert_int_equal(wire_send(&p.rpc, IOPMEM_PROC_SETSIZE,
				   WIRE_XDR(xdr_iopmem_setsize_args), &args), 0);
	assert_true(peer_event(&holder, &ev, RIG_PATIENCE_MS));
	peer_event_park(&p, 3000);
	wire_await_taken(&p.events, &rig);
	term();
	/* the recall has its own deadline, the stop is not bound to it; it looks every 20 ms */
	for (i = 0; i <= PATIENCE_MS / 20; i++)
		rig_step(&rig, 21);
	rig_await_exit(&rig);
	peer_drop(&p);
	peer_drop(&holder);
}

/* T8 on dir: growth that a killed server left is trimmed by the next; ids are new. */
static void T8_kill_and_restart(void **state)
{
	iopmem_stateid id, open_id;
	uint8_t instance[16];
	iopmem_segment seg;
	struct reply r;
	struct peer p;
	uint64_t old;

	(void)state;
	peer_up(&p, &rig, "p");
	assert_status(peer_open(&p, "f", 3, &open_id), IOPMEM_OK);
	id = open_id;
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 4 * PAGE, 4 * PAGE, &r), IOPMEM_OK);
	seg = r.seg[0];
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 4 * PAGE), 'a', 4 * PAGE), 0);
	assert_status(peer_commit(&p, &id, 4 * PAGE, PAGE, 5 * PAGE, NULL), IOPMEM_OK);
	memcpy(instance, p.instance, sizeof(instance));
	old = p.id;
	kill(rig.pid, SIGKILL);
	waitpid(rig.pid, NULL, 0);
	rig.pid = 0;
	assert_int_equal(rig_size(&rig, "f"), 8 * PAGE);
	rig_start(&rig, NULL);
	assert_int_equal(rig_size(&rig, "f"), 5 * PAGE);
	peer_drop(&p);
	wire_open(&p.rpc, &rig, PEER_UID);
	assert_status(peer_renew(&p), IOPMEM_STALE_CLIENTID);
	assert_status(peer_exchange_id(&p, 1), IOPMEM_OK);
	assert_true(p.id != old);
	assert_memory_not_equal(p.instance, instance, sizeof(instance));
	assert_status(peer_getattr(&p, &open_id, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutreturn(&p, &id, 0, TO_END, &r), IOPMEM_BAD_STATEID);
	assert_int_equal(peer_write(&p, seg.rkey, peer_raddr(&seg, 4 * PAGE), 'z', 16), -EACCES);
	assert_status(peer_open(&p, "f", 3, &id), IOPMEM_OK);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.size, 5 * PAGE);
	peer_down(&p);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 4 * PAGE, PAGE, 'a'));
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(idle_server_stops_at_once),
		T(clients_that_return_are_not_fenced),
		T(silent_client_is_fenced),
		T(second_signal_is_impatient),
		T(calls_in_progress_end),
		T(T8_kill_and_restart),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("shutdown", tests, NULL, NULL);
}
