// SPDX-License-Identifier: BSD-3-Clause
/* What a client is told when the server, or itself, has been away: nothing is reclaimed. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "peer.h"

#define LEASE_MS 2000
#define RECALL_MS 1000

static struct rig rig;
static const char *const no_courtesy[] = { "--courtesy-ms", "0", NULL };
static const struct rig_opts opts = { .lease_ms = LEASE_MS, .recall_ms = RECALL_MS,
				      .more = no_courtesy };

static int up(void **state)
{
	(void)state;
	rig_up(&rig, &opts);
	rig_fill(&rig, "f", 'o', 2 * PAGE);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

/* What is recorded behind the changes before it is durable with them. */
static void settle(void)
{
	iopmem_deviceinfo info;
	struct peer other;

	peer_connect(&other, &rig, "other", PEER_UID);
	assert_status(peer_exchange_id(&other, 7), IOPMEM_OK);
	assert_status(peer_deviceinfo(&other, "d", &info), IOPMEM_OK);
	peer_down(&other);
}

static void crash(void)
{
	settle();
	assert_int_equal(kill(rig.pid, SIGKILL), 0);
	assert_int_equal(waitpid(rig.pid, NULL, 0), rig.pid);
	rig.pid = 0;
	rig_start(&rig, &opts);
}

static void stop_and_start(void)
{
	rig_stop(&rig);
	rig_start(&rig, &opts);
}

/* @p identifies itself as "owner", new verifier @v; the server tells @previous of run @of. */
static void come_back(struct peer *p, uint64_t v, iopmem_previous previous, uint64_t of)
{
	peer_connect(p, &rig, "owner", PEER_UID);
	assert_status(peer_exchange_id(p, v), IOPMEM_OK);
	assert_int_equal(p->previous, previous);
	assert_int_equal(p->previous_verifier, of);
}

static void first_run(struct peer *p)
{
	come_back(p, 1, IOPMEM_PREVIOUS_NONE, 0);
	peer_join(p);
}

/* RW [0, 6) of "f", which has two pages; all of it is written. */
static void lease(struct peer *p, iopmem_stateid *id, struct reply *r)
{
	u_int i;

	assert_status(peer_open(p, "f", 3, id), IOPMEM_OK);
	assert_status(peer_layoutget(p, id, IOPMEM_WIRE_RW, 0, 6 * PAGE, r), IOPMEM_OK);
	for (i = 0; i < r->n; i++)
		assert_int_equal(peer_write(p, r->seg[i].rkey,
					    peer_raddr(&r->seg[i], r->seg[i].offset), 'a',
					    (uint32_t)r->seg[i].length), 0);
}

/* The client's own list of what it has not committed is the truth, to the page. */
static void told_and_exact(void **state)
{
	struct handle_bytes handle;
	iopmem_stateid id, open_id;
	struct peer p, back;
	uint8_t instance[16];
	iopmem_attr attr;
	struct reply r;
	uint64_t size;

	(void)state;
	first_run(&p);
	memcpy(instance, p.instance, sizeof(instance));
	lease(&p, &id, &r);
	handle = p.handle;
	assert_status(peer_commit(&p, &id, 2 * PAGE, 2 * PAGE, 4 * PAGE, &size), IOPMEM_OK);
	crash();
	come_back(&back, 2, IOPMEM_PREVIOUS_RESTART, 1);
	assert_memory_equal(back.previous_instance, instance, sizeof(instance));
	assert_memory_not_equal(back.instance, instance, sizeof(instance));
	/* the old run is nobody */
	peer_reconnect(&p);
	assert_status(peer_renew(&p), IOPMEM_STALE_CLIENTID);
	assert_status(peer_getattr(&back, &id, NULL), IOPMEM_BAD_STATEID);
	if (handle.len)
		assert_status(peer_open_handle(&back, &handle, 3, &open_id), IOPMEM_OK);
	else
		assert_status(peer_open(&back, "f", 3, &open_id), IOPMEM_OK);
	/* committed: there; not committed: never was */
	assert_status(peer_getattr(&back, &open_id, &attr), IOPMEM_OK);
	assert_int_equal(attr.size, 4 * PAGE);
	/* asked again it says the same */
	assert_status(peer_exchange_id(&back, 2), IOPMEM_OK);
	assert_int_equal(back.previous, IOPMEM_PREVIOUS_RESTART);
	peer_drop(&p);
	peer_down(&back);
	rig_stop(&rig);
	assert_int_equal(rig_size(&rig, "f"), 4 * PAGE);
	assert_true(rig_bytes(&rig, "f", 0, 4 * PAGE, 'a'));
}

static void clean_end_is_not_told(void **state)
{
	struct peer p;

	(void)state;
	first_run(&p);
	peer_down(&p);
	crash();
	come_back(&p, 2, IOPMEM_PREVIOUS_NONE, 0);
	peer_down(&p);
	rig_stop(&rig);
}

static void double_restart(void **state)
{
	iopmem_deviceinfo info;
	struct peer p, back;

	(void)state;
	first_run(&p);
	crash();
	crash();
	peer_drop(&p);
	come_back(&back, 2, IOPMEM_PREVIOUS_RESTART, 1);
	peer_drop(&back);
	/* it had no layout, nor could it: the run before is what there is to tell */
	crash();
	come_back(&back, 3, IOPMEM_PREVIOUS_RESTART, 1);
	assert_status(peer_deviceinfo(&back, "d", &info), IOPMEM_OK);
	crash();
	peer_drop(&back);
	come_back(&back, 4, IOPMEM_PREVIOUS_RESTART, 3);
	peer_down(&back);
	/* a clean end is the end of it */
	come_back(&back, 5, IOPMEM_PREVIOUS_NONE, 0);
	peer_down(&back);
	rig_stop(&rig);
}

/* Fenced, then the server restarts: it is told that it was fenced, and gets nothing back. */
static void revoked_before_the_restart(void **state)
{
	iopmem_stateid id, other_id;
	struct peer p, other, back;
	struct reply r;

	(void)state;
	first_run(&p);
	lease(&p, &id, &r);
	peer_up(&other, &rig, "other");
	assert_status(peer_open(&other, "f", 3, &other_id), IOPMEM_OK);
	assert_status(peer_layoutget(&other, &other_id, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_RECALLCONFLICT);
	await(peer_renew(&p) == IOPMEM_OK && rig_logged(&rig, "is fenced"));
	peer_down(&other);
	crash();
	come_back(&back, 2, IOPMEM_PREVIOUS_REVOKED, 1);
	assert_status(peer_getattr(&back, &id, NULL), IOPMEM_BAD_STATEID);
	peer_drop(&p);
	peer_reconnect(&back);
	peer_down(&back);
	rig_stop(&rig);
}

/* Its lease ran out with a layout out; the same with a new verifier. */
static void ended_with_layouts(void **state)
{
	struct peer p, back;
	iopmem_stateid id;
	struct reply r;

	(void)state;
	first_run(&p);
	lease(&p, &id, &r);
	peer_drop(&p);
	rig_await_log(&rig, "all its state is gone");
	come_back(&back, 2, IOPMEM_PREVIOUS_ENDED, 1);
	crash();
	peer_drop(&back);
	come_back(&back, 3, IOPMEM_PREVIOUS_ENDED, 1);
	peer_join(&back);
	lease(&back, &id, &r);
	come_back(&p, 4, IOPMEM_PREVIOUS_ENDED, 3);
	peer_drop(&back);
	peer_down(&p);
	rig_stop(&rig);
}

/* An ordered stop recalls first: who gives all back loses nothing and is told nothing. */
static void ordered_restart(void **state)
{
	struct peer p, back;
	iopmem_stateid id;
	struct reply r;

	(void)state;
	first_run(&p);
	lease(&p, &id, &r);
	assert_status(peer_layoutreturn(&p, &id, 0, TO_END, &r), IOPMEM_OK);
	stop_and_start();
	peer_drop(&p);
	come_back(&back, 2, IOPMEM_PREVIOUS_NONE, 0);
	peer_join(&back);
	lease(&back, &id, &r);
	stop_and_start();		/* it does not answer the recall and is fenced */
	peer_drop(&back);
	come_back(&back, 3, IOPMEM_PREVIOUS_REVOKED, 2);
	peer_down(&back);
	rig_stop(&rig);
}

/* Another user who calls himself so learns nothing, and takes nothing from the owner. */
static void impostor(void **state)
{
	struct peer p, thief, back;

	(void)state;
	first_run(&p);
	crash();
	peer_drop(&p);
	peer_connect(&thief, &rig, "owner", PEER_UID + 1);
	assert_status(peer_exchange_id(&thief, 9), IOPMEM_OK);
	assert_int_equal(thief.previous, IOPMEM_PREVIOUS_NONE);
	peer_down(&thief);
	await(!rig_alive(&rig) || rig_logged(&rig, "all its state is gone"));
	come_back(&back, 2, IOPMEM_PREVIOUS_RESTART, 1);
	peer_down(&back);
	rig_stop(&rig);
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(told_and_exact),
		T(clean_end_is_not_told),
		T(double_restart),
		T(revoked_before_the_restart),
		T(ended_with_layouts),
		T(ordered_restart),
		T(impostor),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
