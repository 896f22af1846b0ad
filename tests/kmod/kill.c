// SPDX-License-Identifier: BSD-3-Clause
/* The holder of a layout dies: it must be able to, and no block may be freed under what still points at it. */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dmabuf_importer/dmabuf_importer.h"

#define RW		IOPMEM_IOMODE_RW
/* Where the caller of an ioctl waits for the worker that makes the call. */
#define IN_CALL_WAIT	"iopmem_call_wait"
/* The removal of a card, until its layouts are gone. */
#define IN_DRAIN	"iopmem_dev_drain"

static int file, pins[2], ready[2], go[2];

static void tell(const int *channel)
{
	CHECK_EQ(write(channel[1], "r", 1), 1);
}

static void await(const int *channel)
{
	char c;

	CHECK_EQ(read(channel[0], &c, 1), 1);
}

/* Holds a layout whose pages are pinned in a pipe that others keep open. */
static int hold(void)
{
	int fd = lt_layout(file);

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	lt_pin(pins[1], lt_mmap(fd, 0, MIB, PROT_READ | PROT_WRITE), 64 * PG);
	return fd;
}

static void holder(void *arg)
{
	(void)arg;
	hold();
	tell(ready);
	pause();
}

static void truncater(void *arg)
{
	(void)arg;
	CHECK(!ftruncate(file, 0));
}

static void touching_truncater(void *arg)
{
	volatile char *p = lt_mmap(file, 0, MIB, PROT_READ | PROT_WRITE);
	size_t i;

	(void)arg;
	for (i = 0; i < MIB; i += PG)
		p[i] = p[i];
	tell(ready);
	CHECK(!ftruncate(file, 0));
}

static void unpin(void)
{
	static char buf[64 * PG];
	size_t got;

	for (got = 0; got < sizeof(buf);) {
		ssize_t n = read(pins[0], buf, sizeof(buf));

		CHECK(n > 0);
		got += n;
	}
}

static void setup(const char *name)
{
	file = lt_full_file(name, MIB, 0x66);
	CHECK(!pipe(pins));
	CHECK(!pipe(ready));
	CHECK(!pipe(go));
}

static void killed_with_pins_by(void (*op)(void *arg), bool tells, const char *where)
{
	pid_t server, local;

	setup("killed");
	server = lt_child(holder, NULL);
	await(ready);
	local = lt_child(op, NULL);
	if (tells)
		await(ready);
	CHECK_WAITS(local, where);
	lt_kill(server);
	/* dead, but something still points at the blocks */
	CHECK(lt_wait_orphans(1, GUARD_MS));
	CHECK_WAITS(local, where);
	CHECK_EQ(lt_open(file, NULL, NULL), -EBUSY);
	CHECK_EQ(lt_orphans(), 1);
	unpin();
	CHECK(lt_child_done(local, GUARD_MS));
	CHECK(lt_wait_orphans(0, GUARD_MS));
	close(lt_layout(file));
	CHECK_EQ(lt_size(file), 0);
}

static void killed_with_pins(void) { killed_with_pins_by(truncater, false, IN_LEASE_BREAK); }
static void killed_with_pins_touched(void) { killed_with_pins_by(touching_truncater, true, IN_PIN_WAIT); }

/* Nobody waits: the orphan still keeps everybody out until the pins are gone. */
static void orphan_keeps_out(void)
{
	pid_t server;

	setup("orphan");
	server = lt_child(holder, NULL);
	await(ready);
	lt_kill(server);
	CHECK(lt_wait_orphans(1, GUARD_MS));
	CHECK_EQ(lt_open(file, NULL, NULL), -EBUSY);
	unpin();
	CHECK(lt_wait_orphans(0, GUARD_MS));
	close(lt_layout(file));
}

/*
 * A COMMIT behind a truncate that holds IOLOCK_EXCL and waits for the pins of the very process that commits: the
 * process must die of SIGKILL, or nothing ever goes on.
 */

static void committer(void *arg)
{
	int fd = hold();

	(void)arg;
	tell(ready);
	await(go);
	CHECK(lt_poll_break(fd, 0));
	lt_commit(fd, 0, MIB, NULL);
	lt_fail(__FILE__, __LINE__, "the commit was not blocked");
}

static void killed_in_commit(void)
{
	pid_t server, local;

	setup("commit");
	server = lt_child(committer, NULL);
	await(ready);
	local = lt_child(touching_truncater, NULL);
	await(ready);
	CHECK_WAITS(local, IN_PIN_WAIT);
	tell(go);
	CHECK_WAITS(server, IN_CALL_WAIT);
	CHECK(lt_wait_task_in("xfs_fs_commit_blocks"));
	lt_kill(server);
	CHECK(lt_wait_orphans(1, GUARD_MS));
	CHECK_WAITS(local, IN_PIN_WAIT);
	unpin();
	CHECK(lt_child_done(local, GUARD_MS));
	CHECK(lt_wait_orphans(0, GUARD_MS));
	close(lt_layout(file));
}

/* A MAP that waits inside XFS: on a frozen file system the extend does. */
static void mapper(void *arg)
{
	int fd = lt_layout(file);

	(void)arg;
	tell(ready);
	lt_map(fd, MIB, MIB, RW);
	lt_fail(__FILE__, __LINE__, "the map was not blocked");
}

static void killed_in_map(void)
{
	int root = open(lt_mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	bool inside, orphan, busy;
	pid_t server;

	setup("map");
	CHECK(!syncfs(root));
	CHECK(!ioctl(root, FIFREEZE, 0));
	server = lt_child(mapper, NULL);
	await(ready);
	/* thaw whatever happens, so collect first and judge afterwards */
	inside = lt_wait_task_in(IN_CALL_WAIT) && lt_wait_task_in("vfs_fallocate");
	kill(server, SIGKILL);
	orphan = inside && lt_wait_orphans(1, GUARD_MS);
	err = lt_open(file, NULL, NULL);
	busy = err == -EBUSY;
	CHECK(!ioctl(root, FITHAW, 0));
	CHECK(inside);
	CHECK(orphan);
	CHECK(busy);
	lt_kill(server);
	CHECK(lt_wait_orphans(0, GUARD_MS));
	close(lt_layout(file));
}

/* The card is pulled while a layout is out and pinned. */
static void remover(void *arg)
{
	int fd = open(arg, O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "1", 1), 1);
}

/* Until the kernel's log has a line with @words; @log: /dev/kmsg. */
static void await_log(int log, const char *words)
{
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;
	char line[8192];
	ssize_t n;

	do {
		n = read(log, line, sizeof(line) - 1);
		if (n < 0) {
			/* EPIPE: lines were overwritten before they could be read */
			CHECK(errno == EAGAIN || errno == EPIPE);
			CHECK(task_now_ms() < until);
			lt_sleep_ms(20);
		}
		line[n < 0 ? 0 : n] = '\0';
	} while (!strstr(line, words));
}

int lt_removal(const char *remove)
{
	struct pollfd p = { .events = POLLPRI };
	bool pinned = lt_can_pin();
	char *map = NULL;
	pid_t child;
	int fd, imp, log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	CHECK(log >= 0 && lseek(log, 0, SEEK_END) >= 0);
	setup("removal");
	p.fd = fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	if (pinned) {
		map = lt_mmap(fd, 0, MIB, PROT_READ | PROT_WRITE);
		lt_pin(pins[1], map, 64 * PG);
	}
	imp = lt_import(fd, 0, MIB, IMPORT_KEEPS);
	child = lt_child(remover, (void *)remove);
	CHECK_EQ(poll(&p, 1, GUARD_MS), 1);
	CHECK(lt_poll_break(fd, GUARD_MS));
	CHECK_WAITS(child, IN_DRAIN);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLPRI | POLLHUP);
	if (pinned)
		CHECK(lt_sigbus(map, true));
	CHECK(pwrite(fd, "x", 1, 0) < 0 && errno == ENODEV);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), -ENODEV);
	CHECK_EQ(lt_commit(fd, 0, MIB, NULL), -ENODEV);
	CHECK_EQ(lt_open(file, NULL, NULL), -EOPNOTSUPP);
	/* dma-bufs are taken back at once: the card may be gone already */
	lt_import_await_told(imp);
	if (pinned)
		CHECK(!munmap(map, MIB));
	close(fd);
	CHECK_WAITS(child, IN_DRAIN);
	CHECK_EQ(lt_orphans(), 1);
	if (pinned)
		unpin();
	await_log(log, "removal waits for dmabuf_importer: ");
	CHECK_WAITS(child, IN_DRAIN);
	CHECK_EQ(lt_orphans(), 1);
	lt_import_unmap(imp);
	CHECK(lt_child_done(child, GUARD_MS));
	CHECK_EQ(lt_orphans(), 0);
	printf("ok - removal\n");
	return 0;
}

const struct lt_case lt_kill_cases[] = {
	{ "killed_with_pins", killed_with_pins, true, true },
	{ "killed_with_pins_touched", killed_with_pins_touched, true, true },
	{ "orphan_keeps_out", orphan_keeps_out, false, true },
	{ "killed_in_commit", killed_in_commit, true, true },
	{ "killed_in_map", killed_in_map, true, false },
	{ .name = NULL },
};
