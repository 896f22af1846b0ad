// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server is in the middle of copying into the region and cannot go on: its page
 * is missing, and we (userfaultfd) do not bring it yet; or its pwrite(2), which we
 * wrap, hangs.  Revoke and disconnect must not return: that copy lands later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "contract.h"

static atomic_bool gate_shut, at_gate;

ssize_t __real_pwrite(int fd, const void *buf, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t at);

ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	while (gate_shut) {
		at_gate = true;
		poll(NULL, 0, 1);
	}
	return __real_pwrite(fd, buf, len, at);
}

/* -1: only root may stop the kernel's own page faults. */
static int fault_fd(const struct memory *m)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)m->map, .len = m->size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -1;
	assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &range), 0);
	return fd;
}

/* Waits until somebody stands before a missing page. */
static void await_fault(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct uffd_msg msg;

	assert_int_equal(poll(&pfd, 1, guard_ms()), 1);
	assert_int_equal(read(fd, &msg, sizeof(msg)), sizeof(msg));
	assert_int_equal(msg.event, UFFD_EVENT_PAGEFAULT);
}

/* From now on pages are there. */
static void release(int fd, const struct memory *m)
{
	struct uffdio_range range = { .start = (uintptr_t)m->map, .len = m->size };

	assert_int_equal(ioctl(fd, UFFDIO_UNREGISTER, &range), 0);	/* wakes who waits */
	close(fd);
}

struct ending {
	struct fabric_mr *mr;		/* NULL: the peer is disconnected */
	struct fabric_peer *peer;
	atomic_int tid;			/* 0: not begun */
	atomic_bool returned;
};

static void *end(void *arg)
{
	struct ending *e = arg;

	e->tid = (int)syscall(SYS_gettid);
	if (e->mr)
		fabric_mr_dereg(e->mr);
	else
		fabric_peer_disconnect(e->peer);
	e->returned = true;
	return NULL;
}

/*
 * It has cut the connection, which the client sees, and sleeps until the copy is done.  A
 * copy that the kernel makes holds the socket: then even the cut waits for it.
 */
static void assert_waiting(struct fabric_conn *conn, struct ending *e, bool by_fd)
{
	struct fabric_wc wc;
	bool cut = false;

	while (!e->returned && !(cut && task_sleeps_in(task_name(e->tid), "futex")) &&
	       (by_fd || !task_sleeps_in(task_name(e->tid), "lock_sock"))) {
		cut = cut || fabric_poll(conn, &wc, 1, 1) == 1;
		if (cut)
			assert_int_equal(wc.status, -ECONNRESET);
	}
	assert_false(e->returned);
}

/* Nobody but who ends it waits for the stuck copy. */
static void others_go_on(struct fixture *f)
{
	struct memory m = memory_new(4096);
	struct fabric_conn *conn = dial(f, f->b, 1);
	struct fabric_mr *mr = reg(f->b, source(&m, 0, m.size, false), FABRIC_WRITE);
	uint8_t x = 1;

	assert_int_equal(do_op(conn, FABRIC_OP_WRITE, &x, 1, fabric_mr_rkey(mr), 0), 0);
	assert_int_equal(fabric_mr_dereg(mr), 0);
	fabric_disconnect(conn);
	memory_free(&m);
}

/* Holds up the copy into @m: the gate, or a missing page.  False: we may not. */
static bool hold_up(const struct memory *m, bool by_fd, int *fd)
{
	if (by_fd) {
		at_gate = false;
		gate_shut = true;
		return true;
	}
	*fd = fault_fd(m);
	return *fd >= 0;
}

static void await_stuck(bool by_fd, int fd)
{
	if (!by_fd)
		await_fault(fd);
	while (by_fd && !at_gate)
		poll(NULL, 0, 1);
}

static void waits_for_copy(struct fixture *f, bool by_fd, bool disconnect)
{
	struct memory m = memory_new(MIB);
	struct fabric_conn *conn = dial(f, f->a, 1);
	struct fabric_mr *mr = reg(f->a, source(&m, 0, m.size, by_fd), FABRIC_WRITE);
	static uint8_t mine[MIB];
	struct fabric_buf *buf = buf_of(conn, mine, sizeof(mine));
	struct ending e = { .mr = disconnect ? NULL : mr, .peer = f->a };
	struct fabric_wc wc;
	pthread_t thread;
	int fd = -1;

	if (!hold_up(&m, by_fd, &fd)) {
		fabric_buf_dereg(buf);
		fabric_disconnect(conn);
		fabric_mr_dereg(mr);
		memory_free(&m);
		print_message("SKIP: userfaultfd, which stops the copy, needs root\n");
		skip();
	}
	memset(mine, 0x66, sizeof(mine));
	assert_int_equal(fabric_post(conn, FABRIC_OP_WRITE, buf, mine, MIB,
				     fabric_mr_rkey(mr), 0, NULL), 0);
	assert_int_equal(fabric_poll(conn, &wc, 1, 0), 0);
	await_stuck(by_fd, fd);
	assert_int_equal(pthread_create(&thread, NULL, end, &e), 0);
	while (!e.tid)
		poll(NULL, 0, 1);
	assert_waiting(conn, &e, by_fd);
	others_go_on(f);
	assert_false(e.returned);
	gate_shut = false;
	if (!by_fd)
		release(fd, &m);
	pthread_join(thread, NULL);
	memset(m.map, 0xcc, m.size);
	while (fabric_poll(conn, &wc, 1, guard_ms()) != -ECONNRESET)
		;
	assert_true(all_bytes(m.map, m.size, 0xcc));
	fabric_buf_dereg(buf);
	fabric_disconnect(conn);
	if (disconnect)
		fabric_mr_dereg(mr);
	memory_free(&m);
}

static void revoke_waits_for_copy(void **state)
{
	waits_for_copy(*state, false, false);
}

static void revoke_waits_for_pwrite(void **state)
{
	waits_for_copy(*state, true, false);
}

static void disconnect_waits_for_copy(void **state)
{
	waits_for_copy(*state, false, true);
}

static void disconnect_waits_for_pwrite(void **state)
{
	waits_for_copy(*state, true, true);
}

/* A test that failed half-way has left the copy standing there. */
static int teardown_open(void **state)
{
	gate_shut = false;
	return teardown(state);
}

const struct CMUnitTest tests_stuck[] = {
	cmocka_unit_test_setup_teardown(revoke_waits_for_copy, setup, teardown_open),
	cmocka_unit_test_setup_teardown(revoke_waits_for_pwrite, setup, teardown_open),
	cmocka_unit_test_setup_teardown(disconnect_waits_for_copy, setup, teardown_open),
	cmocka_unit_test_setup_teardown(disconnect_waits_for_pwrite, setup, teardown_open),
};
const size_t nr_tests_stuck = sizeof(tests_stuck) / sizeof(tests_stuck[0]);
