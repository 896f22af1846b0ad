// SPDX-License-Identifier: BSD-3-Clause
/* Local operations against a layout: they wait, the layout is told, they go on once it is closed. */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RW	IOPMEM_IOMODE_RW
#define OFTEN	20	/* so many growths and breaks make a stress */

static int op_file;

static void op_write(void *arg)
{
	(void)arg;
	CHECK_EQ(pwrite(op_file, "x", 1, 0), 1);
}

static void op_append(void *arg)
{
	(void)arg;
	CHECK_EQ(pwrite(op_file, "x", 1, 8 * MIB), 1);
}

static void op_shrink(void *arg)
{
	(void)arg;
	CHECK(!ftruncate(op_file, PG));
}

static void op_extend(void *arg)
{
	(void)arg;
	CHECK(!ftruncate(op_file, 4 * MIB));
}

static void op_punch(void *arg)
{
	(void)arg;
	CHECK(!fallocate(op_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 16 * PG));
}

static void op_fallocate(void *arg)
{
	(void)arg;
	CHECK(!fallocate(op_file, 0, 4 * MIB, MIB));
}

/* Touches every page through a mapping of the file, then truncates with the mapping in place. */
static void op_touch_truncate(void *arg)
{
	volatile char *p = lt_mmap(op_file, 0, MIB, PROT_READ | PROT_WRITE);
	size_t i;

	(void)arg;
	for (i = 0; i < MIB; i += PG)
		p[i] = p[i];
	CHECK(!ftruncate(op_file, 0));
}

static void op_touch_punch(void *arg)
{
	volatile char *p = lt_mmap(op_file, 0, MIB, PROT_READ | PROT_WRITE);
	size_t i;

	(void)arg;
	for (i = 0; i < MIB; i += PG)
		p[i] = p[i];
	op_punch(NULL);
}

static void break_and_close(void (*op)(void *arg))
{
	int file = op_file = lt_full_file("break", MIB, 0x33), fd = lt_layout(file);
	uint64_t size = 2 * MIB;
	pid_t pid;

	CHECK_EQ(lt_map(fd, 0, 2 * MIB, RW), 0);
	pid = lt_child(op, NULL);
	CHECK(lt_poll_break(fd, GUARD_MS));
	CHECK_WAITS(pid, IN_LEASE_BREAK);
	CHECK_EQ(lt_map(fd, 0, PG, RW), -EAGAIN);
	CHECK_EQ(lt_map(fd, 0, PG, IOPMEM_IOMODE_READ), -EAGAIN);
	CHECK_EQ(lt_open(file, NULL, NULL), -EBUSY);
	/* the last bytes get in, growth included */
	lt_write_pattern(fd, MIB, MIB, 20);
	CHECK_EQ(lt_commit(fd, MIB, MIB, &size), 0);
	CHECK_EQ(lt_size(file), 2 * MIB);
	CHECK(lt_has_pattern(file, MIB, MIB, 20));
	CHECK_WAITS(pid, IN_LEASE_BREAK);
	CHECK(lt_poll_break(fd, 0));
	close(fd);
	CHECK(lt_child_done(pid, GUARD_MS));
	close(lt_layout(file));
}

static void run_on(int cpu, int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
	CHECK(!sched_setscheduler(0, policy, &param));
}

static void op_slow_write(void *arg)
{
	run_on(0, SCHED_OTHER, 0);
	op_write(arg);
}

/* @arg: set once nobody else gets the CPU. */
static void op_keep_busy(void *arg)
{
	run_on(0, SCHED_FIFO, 1);
	*(volatile bool *)arg = true;
	for (;;)
		;
}

/* Has somebody been told, or has the operation ended?  The first is true. */
static bool told_or_ended(int fd, pid_t operation)
{
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;

	while (task_now_ms() < until) {
		if (lt_poll_break(fd, 10))
			return true;
		if (lt_child_done(operation, 0))
			return false;
	}
	lt_fail(__FILE__, __LINE__, "an operation waits and nobody is told");
}

/*
 * A layout ends, and the next one begins before the operation that waited for the first has a CPU again: the kernel
 * lets it wait for the second one as well, and tells nobody.  Tried until it has happened: the scheduler's limit for
 * real-time tasks may let the operation end in between.
 */
static void break_missed(void)
{
	volatile bool *busy = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int file = op_file = lt_full_file("break", MIB, 0x33), fd = lt_layout(file);
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;
	bool missed = false;
	pid_t pid, hog;
	char self[32];

	CHECK(busy != MAP_FAILED);
	run_on(1, SCHED_OTHER, 0);
	while (!missed) {
		CHECK(task_now_ms() < until);
		pid = lt_child(op_slow_write, NULL);
		CHECK(lt_poll_break(fd, GUARD_MS));
		CHECK_WAITS(pid, IN_LEASE_BREAK);
		*busy = false;
		hog = lt_child(op_keep_busy, (void *)busy);
		while (!*busy)
			lt_sleep_ms(1);
		close(fd);
		fd = lt_layout(file);
		lt_kill(hog);
		missed = told_or_ended(fd, pid);
	}
	CHECK_WAITS(pid, IN_LEASE_BREAK);
	close(fd);
	CHECK(lt_child_done(pid, GUARD_MS));
	/* Opens ask for leases too, and break none. */
	fd = lt_layout(file);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file);
	CHECK(!close(open(self, O_RDWR)));
	CHECK_KEPT(fd);
	close(fd);
}

static void break_write(void) { break_and_close(op_write); }
static void break_append(void) { break_and_close(op_append); }
static void break_shrink(void) { break_and_close(op_shrink); }
static void break_extend(void) { break_and_close(op_extend); }
static void break_punch(void) { break_and_close(op_punch); }
static void break_fallocate(void) { break_and_close(op_fallocate); }
static void break_touched(void) { break_and_close(op_touch_truncate); }

/* Gives the pins in a pipe up.  Not by closing it: children have copies. */
static void drain(int pipe_out, size_t length)
{
	static char buf[MIB];
	ssize_t got;

	for (; length; length -= got) {
		got = read(pipe_out, buf, sizeof(buf));
		CHECK(got > 0);
	}
}

/* The trap: XFS waits for our pins before it breaks the lease. */
static void hook(void (*op)(void *arg))
{
	int file = op_file = lt_full_file("hook", MIB, 0x33), fd = lt_layout(file), pipes[2];
	void *p;
	pid_t pid;

	CHECK(!pipe(pipes));
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	p = lt_mmap(fd, 0, MIB, PROT_READ | PROT_WRITE);
	lt_pin(pipes[1], p, MIB);
	pid = lt_child(op, NULL);
	CHECK(lt_poll_break(fd, GUARD_MS));
	CHECK_WAITS(pid, IN_PIN_WAIT);
	CHECK_EQ(lt_map(fd, 0, PG, RW), -EAGAIN);
	CHECK_EQ(lt_unmap(fd, 0, MIB), -EBUSY);
	/* MR dead first, then the layout */
	drain(pipes[0], MIB);
	CHECK(!munmap(p, MIB));
	CHECK_WAITS(pid, IN_LEASE_BREAK);
	close(fd);
	CHECK(lt_child_done(pid, GUARD_MS));
	CHECK_EQ(lt_orphans(), 0);
}

static void hook_truncate(void) { hook(op_touch_truncate); }
static void hook_punch(void) { hook(op_touch_punch); }

/* Our own extend would wait for our own pins: it recalls instead. */
static void extend_with_own_pins(void)
{
	int file = lt_full_file("own", MIB, 0x33), fd = lt_layout(file), pipes[2];
	volatile char *local;
	char path[256];
	size_t i;

	CHECK(!pipe(pipes));
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	/* pins without a local mapping are no obstacle */
	lt_pin(pipes[1], lt_mmap(fd, 0, MIB, PROT_READ | PROT_WRITE), 64 * PG);
	CHECK_EQ(lt_map(fd, MIB, MIB, RW), 0);
	CHECK(!lt_poll_break(fd, 0));
	/* read-only, or MAP would say ETXTBSY before */
	snprintf(path, sizeof(path), "%s/own", lt_mnt);
	file = open(path, O_RDONLY | O_CLOEXEC);
	local = lt_mmap(file, 0, MIB, PROT_READ);
	for (i = 0; i < MIB; i += PG)
		(void)local[i];
	CHECK_EQ(lt_map(fd, 0, 2 * MIB, RW), 0);
	for (i = 0; i < MIB; i += PG)
		(void)local[i];
	CHECK_EQ(lt_map(fd, 2 * MIB, MIB, RW), -EAGAIN);
	CHECK(lt_poll_break(fd, 0));
}

/* What a NIC does: a long-term pin.  io_uring does so from 6.5 on for file mappings. */
static void longterm_pin(void)
{
	int file = lt_full_file("long", MIB, 0x44), fd = lt_layout(file), ring;
	struct io_uring_params params = { 0 };
	struct iovec iov = { .iov_len = MIB };
	unsigned int reg;
	uint64_t until;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	iov.iov_base = lt_mmap(fd, 0, MIB, PROT_READ | PROT_WRITE);
	ring = syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0)
		lt_skip("no io_uring");
	reg = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1) ? errno : 0;
	if (reg == EOPNOTSUPP)
		lt_skip("io_uring of this kernel takes no file mappings");
	CHECK_EQ(reg, 0);
	CHECK_EQ(lt_unmap(fd, 0, MIB), -EBUSY);
	CHECK(!syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0));
	for (until = task_now_ms() + (uint64_t)GUARD_MS; task_now_ms() < until && lt_unmap(fd, 0, MIB) == -EBUSY;)
		lt_sleep_ms(10);
	CHECK_EQ(lt_unmap(fd, 0, MIB), 0);
}

/*
 * Opens, maps, commits and closes against local writers: no hang, no warning in the log.  The writer goes on until it is
 * told to end, now without a pause and now with one, so that a layout lives long enough to grow the file.
 */
static void stress_local(void *arg)
{
	const volatile bool *stop = arg;
	int file = op_file, i;

	/* No stores through a mapping here: XFS warns when they race with a lookup (known, see kmod/map.c). */
	for (i = 0; !*stop; i++) {
		CHECK_EQ(pwrite(file, "y", 1, (i * 37 % 512) * KIB), 1);
		CHECK(!ftruncate(file, (i % 7 + 1) * 64 * KIB));
		CHECK(!fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * PG));
		lt_sleep_ms(i % 2 ? i % 50 : 0);
	}
}

static void stress(void)
{
	int file = op_file = lt_full_file("stress", 512 * KIB, 0x55), grown = 0, broken = 0, fewer = 0;
	volatile bool *stop = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;
	pid_t pid;

	CHECK(stop != MAP_FAILED);
	pid = lt_child(stress_local, (void *)stop);
	while (fewer < OFTEN && task_now_ms() < until) {
		uint64_t size;
		int fd;

		CHECK(!lt_child_done(pid, 0));
		if (lt_open(file, &fd, NULL))
			continue;
		size = lt_size(file) + 128 * KIB;
		if (!lt_map(fd, (size - 128 * KIB + PG - 1) / PG * PG, 128 * KIB, RW) && !lt_commit(fd, 0, 0, &size))
			grown++;
		broken += lt_poll_break(fd, 20);
		close(fd);
		if (grown > fewer && broken > fewer) {
			fewer++;
			until = task_now_ms() + (uint64_t)GUARD_MS;
		}
	}
	*stop = true;
	printf("# grown %d times, broken %d times\n", grown, broken);
	CHECK(lt_child_done(pid, GUARD_MS));
	CHECK(grown >= OFTEN && broken >= OFTEN);
}

/* EXTEND and TRIM pass their own lease, on a file that is mapped and touched as well, and only that one. */
static void extend_keeps_lease(void)
{
	int file = lt_file("extend", O_RDWR), fd = lt_layout(file), other;
	struct iopmem_extend big = { .size = sizeof(big), .flags = 1, .length = PG };
	char *p;

	CHECK(ioctl(fd, IOPMEM_IOC_EXTEND, &big) < 0 && errno == EINVAL);
	CHECK_EQ(lt_extend(fd, 1, PG), -EINVAL);
	CHECK_EQ(lt_extend(fd, 0, 0), -EINVAL);
	CHECK_EQ(lt_extend(fd, INT64_MAX - PG + 1, 2 * PG), -EINVAL);
	CHECK_EQ(lt_extend(fd, 0, 1ULL << 50), -ENOSPC);
	CHECK_EQ(lt_size(file), 0);
	CHECK_EQ(lt_extend(fd, 0, MIB), 0);
	CHECK_EQ(lt_size(file), MIB);
	p = lt_mmap(file, 0, MIB, PROT_READ | PROT_WRITE);
	p[0] = 7;
	CHECK_EQ(lt_extend(fd, MIB, MIB), 0);
	CHECK_EQ(lt_size(file), 2 * MIB);
	CHECK_KEPT(fd);
	/* never shrinks */
	CHECK_EQ(lt_extend(fd, 0, PG), 0);
	CHECK_EQ(lt_size(file), 2 * MIB);
	CHECK(p[0] == 7 && p[1] == 0);
	CHECK(!munmap(p, MIB));
	CHECK(lt_all(file, PG, MIB, 0));
	CHECK_EQ(lt_trim(fd, 2 * MIB + 1), -ERANGE);
	CHECK_EQ(lt_trim(fd, MIB + 5), 0);
	CHECK_EQ(lt_size(file), MIB + 5);
	CHECK_EQ(lt_extend(fd, MIB, MIB), 0);
	CHECK_KEPT(fd);
	/* not beside MAP, not on a broken layout, not on a file open for reading */
	CHECK_EQ(lt_map(fd, 2 * MIB, PG, RW), 0);
	CHECK_EQ(lt_extend(fd, 2 * MIB, PG), -EBUSY);
	close(fd);
	fd = lt_layout(file);
	op_file = file;
	other = lt_child(op_shrink, NULL);
	CHECK(lt_poll_break(fd, GUARD_MS));
	CHECK_EQ(lt_extend(fd, 2 * MIB, PG), -EAGAIN);
	CHECK_EQ(lt_trim(fd, MIB), 0);
	CHECK_EQ(lt_size(file), MIB);
	close(fd);
	CHECK(lt_child_done(other, GUARD_MS));
	CHECK_EQ(lt_size(file), PG);
	other = lt_file("extend", O_RDONLY);
	fd = lt_layout(other);
	CHECK_EQ(lt_extend(fd, 0, PG), -EBADF);
}

const struct lt_case lt_break_cases[] = {
	{ "extend_keeps_lease", extend_keeps_lease, true, false },
	{ "break_write", break_write, true, false },
	{ "break_append", break_append, false, false },
	{ "break_shrink", break_shrink, true, false },
	{ "break_extend", break_extend, false, false },
	{ "break_punch", break_punch, false, false },
	{ "break_fallocate", break_fallocate, false, false },
	{ "break_touched", break_touched, false, false },
	{ "break_missed", break_missed, true, false },
	{ "hook_truncate", hook_truncate, true, true },
	{ "hook_punch", hook_punch, false, true },
	{ "extend_with_own_pins", extend_with_own_pins, false, true },
	{ "longterm_pin", longterm_pin, true, true },
	{ "stress", stress, false, false },
	{ .name = NULL },
};
