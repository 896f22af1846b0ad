// SPDX-License-Identifier: BSD-3-Clause
/* Processes on the server's host against clients, on the "dir" backing: I2, T1, T3. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "peer.h"

#define RECALL_MS 30000

static struct rig rig;
static struct peer a;
static iopmem_stateid a_open;

/* "f" has four pages of 'o'. */
static int up(void **state)
{
	struct rig_opts o = { .recall_ms = RECALL_MS, .held = true };

	(void)state;
	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', 4 * PAGE);
	peer_up(&a, &rig, "a");
	assert_status(peer_open(&a, "f", 3, &a_open), IOPMEM_OK);
	return 0;
}

static int down(void **state)
{
	(void)state;
	peer_drop(&a);
	rig_down(&rig);
	return 0;
}

/* ---- the other process ---- */

struct local {
	pid_t pid;
	int fd;			/* readable once it is done */
};

/* @act's result (0 or errno) comes out of local_result(). */
static struct local local_start(int (*act)(const char *path))
{
	struct local l;
	char path[128];
	int ends[2];

	rig_path(&rig, "f", path);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	l.pid = fork();
	assert_true(l.pid >= 0);
	if (!l.pid) {
		char rc;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rc = (char)act(path);
		_exit(write(ends[1], &rc, 1) != 1);
	}
	close(ends[1]);
	l.fd = ends[0];
	return l;
}

static bool local_done(const struct local *l, int timeout_ms)
{
	struct pollfd pfd = { .fd = l->fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1;
}

static int local_result(struct local *l)
{
	char rc = -1;

	if (!local_done(l, (int)RIG_PATIENCE_MS)) {
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
		fail_msg("the local process still waits");
	}
	assert_int_equal(read(l->fd, &rc, 1), 1);
	close(l->fd);
	waitpid(l->pid, NULL, 0);
	return rc;
}

/* It waits in the kernel for the server's lease. */
static void assert_waiting(const struct local *l)
{
	await(task_sleeps_in(task_name(l->pid), "break_lease") || local_done(l, 0));
	assert_false(local_done(l, 0));
}

static int open_as(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? errno : close(fd);
}

static int open_rdonly(const char *path)
{
	return open_as(path, O_RDONLY);
}

static int open_wronly(const char *path)
{
	return open_as(path, O_WRONLY);
}

static int open_rdwr(const char *path)
{
	return open_as(path, O_RDWR);
}

static int open_trunc(const char *path)
{
	return open_as(path, O_WRONLY | O_TRUNC);
}

static int truncate_path(const char *path)
{
	return truncate(path, PAGE) ? errno : 0;
}

static int fill_locally(const char *path)
{
	char buf[4096];
	int fd = open(path, O_WRONLY | O_CLOEXEC), i, rc = 0;

	if (fd < 0)
		return errno;
	memset(buf, 'l', sizeof(buf));
	for (i = 0; i < 4; i++)
		if (pwrite(fd, buf, sizeof(buf), i * 4096) != 4096)
			rc = errno;
	if (fsync(fd))
		rc = errno;
	close(fd);
	return rc;
}

/* ---- tests ---- */

struct act {
	const char *name;
	int (*fn)(const char *path);
	uint64_t size;		/* of the file afterwards */
};

static const struct act acts[] = {
	{ "open O_RDONLY", open_rdonly, 4 * 4096 },
	{ "open O_WRONLY", open_wronly, 4 * 4096 },
	{ "open O_RDWR", open_rdwr, 4 * 4096 },
	{ "truncate", truncate_path, 4096 },
	{ "open O_TRUNC", open_trunc, 0 },
};

/* Each one asks the client first, waits for the return, and happens then. */
static void T3_local_access_waits_for_the_return(void **state)
{
	iopmem_stateid id;
	iopmem_event ev;
	struct local l;
	struct reply r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		print_message("  %s\n", acts[i].name);
		rig_fill(&rig, "f", 'o', 4 * PAGE);
		id = a_open;
		/* the local process may be through before the server has put its lease away */
		await(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r) !=
		      IOPMEM_RECALLCONFLICT);
		assert_status(r.status, IOPMEM_OK);
		l = local_start(acts[i].fn);
		assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
		assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
		assert_memory_equal(ev.stateid.other, id.other, sizeof(id.other));
		assert_int_equal(ev.offset, 0);
		assert_int_equal(ev.length, TO_END);
		/* it waits, our key still works, nobody gets a new layout */
		assert_waiting(&l);
		assert_int_equal(rig_size(&rig, "f"), 4 * PAGE);
		assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a',
					    PAGE), 0);
		assert_status(peer_layoutget(&a, &a_open, IOPMEM_WIRE_READ, 8 * PAGE, PAGE, &r),
			      IOPMEM_RECALLCONFLICT);
		id.seqid = ev.stateid.seqid;
		/* nor does it get through just before the deadline */
		rig_step(&rig, RECALL_MS - 1);
		assert_waiting(&l);
		assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
		assert_int_equal(local_result(&l), 0);
		assert_int_equal(rig_size(&rig, "f"), acts[i].size);
		if (acts[i].size)
			assert_true(rig_bytes(&rig, "f", 0, PAGE, 'a'));
	}
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	peer_down(&a);
	rig_stop(&rig);
}

/* Looking at a file is no conflict. */
static void T3_stat_and_rename_do_not_recall(void **state)
{
	char from[128], to[128];
	iopmem_stateid id = a_open;
	struct stat st;
	iopmem_event ev;
	struct reply r;

	(void)state;
	rig_path(&rig, "f", from);
	rig_path(&rig, "g", to);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(stat(from, &st), 0);
	assert_int_equal(access(from, R_OK), 0);
	assert_int_equal(rename(from, to), 0);
	/* whom a lease is in the way of waits for it: none did, and none was told of */
	rig_rest(&rig);
	assert_false(peer_event(&a, &ev, 0));
	assert_int_equal(rig_logged(&rig, "recalling"), 0);
	/* known by handle, not by path */
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a', PAGE), 0);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&a);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "g", 0, PAGE, 'a'));
}

/* T1: the client ignores the recall and writes on; after the local write, none of it lands. */
static void T1_fence_before_local_write(void **state)
{
	iopmem_stateid id = a_open;
	iopmem_segment seg;
	struct local l;
	struct reply r;
	int rc;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r), IOPMEM_OK);
	seg = r.seg[0];
	l = local_start(fill_locally);
	rig_await_log(&rig, "recalling [");
	rig_step(&rig, RECALL_MS - 1);
	assert_waiting(&l);
	for (rc = 0; rc < 50; rc++)
		assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', 4 * PAGE), 0);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	rig_step(&rig, 2);
	assert_int_equal(rig_logged(&rig, "fenced"), 1);
	assert_int_equal(local_result(&l), 0);
	for (rc = 0; rc < 50; rc++)
		assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', 4 * PAGE),
				 -EACCES);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_ADMIN_REVOKED);
	assert_true(rig_bytes(&rig, "f", 0, 4 * PAGE, 'l'));
	/* and it works again for the client */
	id = a_open;
	await(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r) == IOPMEM_OK);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&a);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, 4 * PAGE, 'l'));
}

/* What was committed is there for the local process, what was not never was. */
static void T11_committed_stays_uncommitted_is_trimmed(void **state)
{
	iopmem_stateid id = a_open;
	struct local l;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 8 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.n, 2);
	assert_int_equal(peer_write(&a, r.seg[1].rkey, peer_raddr(&r.seg[1], 4 * PAGE), 'a',
				    4 * PAGE), 0);
	assert_status(peer_commit(&a, &id, 4 * PAGE, 2 * PAGE, 6 * PAGE, NULL), IOPMEM_OK);
	l = local_start(open_rdonly);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_waiting(&l);
	/* silent from here: the fence ends it */
	rig_step(&rig, RECALL_MS + 1);
	assert_int_equal(local_result(&l), 0);
	assert_int_equal(rig_size(&rig, "f"), 6 * PAGE);
	assert_true(rig_bytes(&rig, "f", 0, 4 * PAGE, 'o'));
	assert_true(rig_bytes(&rig, "f", 4 * PAGE, 2 * PAGE, 'a'));
	peer_down(&a);
	rig_stop(&rig);
	assert_int_equal(rig_size(&rig, "f"), 6 * PAGE);
}

/* A commit that rides on the return of a recalled layout counts. */
static void T11_commit_on_recalled_return(void **state)
{
	iopmem_wire_range range = { 4 * PAGE, PAGE };
	iopmem_layoutreturn_args args;
	iopmem_stateid id = a_open;
	struct local l;
	iopmem_event ev;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 4 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 4 * PAGE), 'a',
				    2 * PAGE), 0);
	l = local_start(open_wronly);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	args = peer_return_args(&a, &ev.stateid, 0, TO_END);
	args.commit = (iopmem_commit){ { 1, &range }, 5 * PAGE };
	peer_layoutreturn_with(&a, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_status(r.commit_status, IOPMEM_OK);
	assert_false(r.present);
	assert_int_equal(local_result(&l), 0);
	peer_down(&a);
	rig_stop(&rig);
	assert_int_equal(rig_size(&rig, "f"), 5 * PAGE);
	assert_true(rig_bytes(&rig, "f", 4 * PAGE, PAGE, 'a'));
}

/* A file that is open on the host has no layouts; afterwards it has. */
static void open_elsewhere(void **state)
{
	iopmem_stateid id = a_open;
	struct reply r;
	char path[128];
	int fd;

	(void)state;
	rig_path(&rig, "f", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_LAYOUTUNAVAILABLE);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 0, PAGE, &r),
		      IOPMEM_LAYOUTUNAVAILABLE);
	close(fd);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, 1);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&a);
	rig_stop(&rig);
}

/* A grant that has its lease and its blocks and no key yet: it goes on with open_gate(). */
static void grant_to_the_gate(iopmem_layoutget_args *args)
{
	*args = peer_get_args(&a, &a_open, IOPMEM_WIRE_RW, 0, 4 * PAGE);
	rig_shut_gate(&rig);
	assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_LAYOUTGET,
				   WIRE_XDR(xdr_iopmem_layoutget_args), args), 0);
	rig_await_gate(&rig);
}

static u_int grant_through_the_gate(const iopmem_layoutget_args *args, struct reply *r)
{
	rig_open_gate(&rig);
	assert_int_equal(wire_recv(&a.rpc, NULL, NULL, RIG_PATIENCE_MS), 0);
	peer_layoutget_with(&a, args, r);		/* the same answer, decoded */
	return r->status;
}

static void forget_events(void)
{
	iopmem_event ev;

	while (peer_event(&a, &ev, 0))
		;
}

/* T4: the break is there while the grant has no key yet. */
static void T4_break_inside_grant(void **state)
{
	iopmem_layoutget_args args;
	iopmem_stateid id = a_open;
	struct local l;
	struct reply r;

	(void)state;
	grant_to_the_gate(&args);
	l = local_start(fill_locally);
	assert_waiting(&l);
	assert_true(wire_is_quiet(&a.rpc));
	assert_status(grant_through_the_gate(&args, &r), IOPMEM_RECALLCONFLICT);
	/* nobody has to give anything back for it */
	assert_int_equal(local_result(&l), 0);
	rig_rest(&rig);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, 1);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	peer_down(&a);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, 4 * PAGE, 'l'));
}

/* T4: opens hit grants at every moment from there on; no key survives one. */
static void T4_break_races_grant(void **state)
{
	enum { OFTEN = 20, ROUNDS = 100 };
	uint64_t until = now_ms() + 4 * RIG_PATIENCE_MS;
	int round, inside = 0, behind = 0;
	iopmem_layoutget_args args;
	iopmem_stateid id;
	iopmem_event ev;
	struct local l;
	struct reply r;

	(void)state;
	for (round = 0; round < ROUNDS || inside < OFTEN || behind < OFTEN; round++) {
		if (now_ms() > until)
			fail_msg("only %d breaks inside a grant, %d behind one", inside, behind);
		rig_rest(&rig);
		grant_to_the_gate(&args);
		l = local_start(fill_locally);
		usleep((unsigned int)(round % 20) * 200);
		if (!grant_through_the_gate(&args, &r)) {
			iopmem_segment seg = r.seg[0];

			assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'a',
						    4 * PAGE), 0);
			/* it waits for this */
			assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
			assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
			id = r.stateid;
			id.seqid = ev.stateid.seqid;
			assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
			assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z',
						    4 * PAGE), -EACCES);
			behind++;
		} else {
			assert_status(r.status, IOPMEM_RECALLCONFLICT);
			inside++;
		}
		assert_int_equal(local_result(&l), 0);
		rig_rest(&rig);
		forget_events();
	}
	print_message("  %d breaks inside a grant, %d behind one\n", inside, behind);
	assert_int_equal(rig_logged(&rig, "fenced"), 0);
	peer_down(&a);
	rig_stop(&rig);
	assert_true(rig_bytes(&rig, "f", 0, 4 * PAGE, 'l'));
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(T3_local_access_waits_for_the_return),
		T(T3_stat_and_rename_do_not_recall),
		T(T1_fence_before_local_write),
		T(T11_committed_stays_uncommitted_is_trimmed),
		T(T11_commit_on_recalled_return),
		T(open_elsewhere),
		T(T4_break_inside_grant),
		T(T4_break_races_grant),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
