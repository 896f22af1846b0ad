// SPDX-License-Identifier: BSD-3-Clause
/*
 * A local truncate comes between the steps of a call: the lease is there, what the call asks of XFS is not answered yet. A
 * reader whose buffer is not there (userfaultfd) holds the inode's lock until both stand behind it, the truncate first.
 */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RW	IOPMEM_IOMODE_RW

static int file, layout, uffd;
static char *nowhere;
static pthread_t reader, caller;

static void *read_nowhere(void *arg)
{
	CHECK_EQ(pread(file, nowhere, 1, 0), 1);
	return arg;
}

/* On return the inode's lock is held for reading. */
static void lock_begin(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { .len = PG }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct pollfd p = { .events = POLLIN };

	p.fd = uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	CHECK(uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api));
	nowhere = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(nowhere != MAP_FAILED);
	reg.range.start = (uintptr_t)nowhere;
	CHECK(!ioctl(uffd, UFFDIO_REGISTER, &reg));
	CHECK(!pthread_create(&reader, NULL, read_nowhere, NULL));
	CHECK_EQ(poll(&p, 1, GUARD_MS), 1);
}

static void lock_end(void)
{
	struct uffdio_zeropage zero = { .range = { .start = (uintptr_t)nowhere, .len = PG } };

	CHECK(!ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	CHECK(!pthread_join(reader, NULL));
}

static void shrink(void *arg)
{
	(void)arg;
	CHECK(!ftruncate(file, PG));
}

/* Runs @call behind the reader and the truncate. */
static int raced(void *(*call)(void *arg), pid_t *truncate)
{
	void *ret;

	lock_begin();
	*truncate = lt_child(shrink, NULL);
	CHECK(lt_wait_task_in("do_truncate"));
	CHECK(!pthread_create(&caller, NULL, call, NULL));
	CHECK(lt_wait_task_in("iopmem_call_work"));
	lock_end();
	CHECK(!pthread_join(caller, &ret));
	return (intptr_t)ret;
}

static void *call_open(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)lt_open(file, &layout, NULL);
}

static void *call_map(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)lt_map(layout, 0, 2 * MIB, RW);
}

static void *call_commit(void *arg)
{
	uint64_t size = 2 * MIB;

	(void)arg;
	return (void *)(intptr_t)lt_commit(layout, MIB, MIB, &size);
}

static void *call_extend(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)lt_extend(layout, MIB, MIB);
}

static void ends(pid_t truncate)
{
	CHECK(lt_child_done(truncate, GUARD_MS));
	CHECK_EQ(lt_size(file), PG);
	CHECK_EQ(lt_orphans(), 0);
	close(lt_layout(file));
}

/* The lease is installed, then broken, then XFS answers: no layout, and nobody waits for one. */
static void break_in_open(void)
{
	pid_t truncate;

	file = lt_full_file("raced", MIB, 0x41);
	/* the mark for xfs_fsr wants the lock as well, before the lease */
	close(lt_layout(file));
	CHECK_EQ(raced(call_open, &truncate), -EAGAIN);
	ends(truncate);
}

/* Blocks that were looked up are not handed out once the layout is broken. */
static void break_in_map(void)
{
	pid_t truncate;
	char c;

	file = lt_full_file("raced", MIB, 0x42);
	layout = lt_layout(file);
	CHECK_EQ(raced(call_map, &truncate), -EAGAIN);
	CHECK(lt_poll_break(layout, 0));
	CHECK(pread(layout, &c, 1, 0) < 0 && errno == EFAULT);
	CHECK_WAITS(truncate, IN_LEASE_BREAK);
	close(layout);
	ends(truncate);
}

/* The last bytes get in before the truncate that waits for them. */
static void break_in_commit(void)
{
	pid_t truncate;

	file = lt_full_file("raced", MIB, 0x43);
	layout = lt_layout(file);
	CHECK_EQ(lt_map(layout, 0, 2 * MIB, RW), 0);
	lt_write_pattern(layout, MIB, MIB, 16);
	CHECK_EQ(raced(call_commit, &truncate), 0);
	CHECK(lt_poll_break(layout, 0));
	CHECK_EQ(lt_size(file), 2 * MIB);
	CHECK(lt_has_pattern(file, MIB, MIB, 16));
	close(layout);
	ends(truncate);
}

/* It passes its own lease, also when that is being broken. */
static void break_in_extend(void)
{
	pid_t truncate;

	file = lt_full_file("raced", MIB, 0x44);
	layout = lt_layout(file);
	CHECK_EQ(raced(call_extend, &truncate), 0);
	CHECK(lt_poll_break(layout, 0));
	CHECK_EQ(lt_size(file), 2 * MIB);
	CHECK_EQ(lt_map(layout, 0, PG, RW), -EAGAIN);
	close(layout);
	ends(truncate);
}

const struct lt_case lt_race_cases[] = {
	{ "break_in_open", break_in_open, false, false },
	{ "break_in_map", break_in_map, false, false },
	{ "break_in_commit", break_in_commit, false, false },
	{ "break_in_extend", break_in_extend, false, false },
	{ NULL, NULL, false, false },
};
