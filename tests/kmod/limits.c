// SPDX-License-Identifier: BSD-3-Clause
/* A file system that is full, over quota, frozen or growing, a break that takes its time, and files with setuid bits. */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <mntent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW	IOPMEM_IOMODE_RW
#define UNUSED_UID	4242
/* Where the caller of an ioctl waits for the worker that makes the call. */
#define IN_CALL_WAIT	"iopmem_call_wait"

static int file, ready[2], go[2];

static void tell(int *pipes)
{
	CHECK_EQ(write(pipes[1], "r", 1), 1);
}

static void await(int *pipes)
{
	char c;

	CHECK_EQ(read(pipes[0], &c, 1), 1);
}

static long long blocks(int fd)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	return st.st_blocks;
}

static void shell(const char *format)
{
	char command[512];

	snprintf(command, sizeof(command), format, lt_mnt);
	CHECK(!system(command));
}

static void need_quota(void)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;

	CHECK(f);
	do {
		m = getmntent(f);
		CHECK(m);
	} while (strcmp(m->mnt_dir, lt_mnt));
	if (!hasmntopt(m, "usrquota"))
		lt_skip("mounted without user quota");
	endmntent(f);
}

/* User quota: the file's owner pays, whoever maps. */
static void quota(void)
{
	int fd, other, mine = lt_file("quota", O_RDWR);
	uint64_t size = MIB, step;
	long long before;

	need_quota();
	CHECK(!fchown(mine, UNUSED_UID, -1));
	shell("xfs_quota -x -c 'limit -u bhard=2m 4242' %s");
	fd = lt_layout(mine);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	before = blocks(mine);
	CHECK_EQ(lt_map(fd, MIB, 8 * MIB, RW), -EDQUOT);
	CHECK_EQ(blocks(mine), before);
	/* with nothing left, too: what was mapped still is, and can be committed */
	other = lt_file("quotafiller", O_RDWR);
	CHECK(!fchown(other, UNUSED_UID, -1));
	for (step = MIB; step >= PG; step /= 2)
		while (!fallocate(other, FALLOC_FL_KEEP_SIZE, (uint64_t)blocks(other) * 512, step))
			;
	CHECK_EQ(errno, EDQUOT);
	close(lt_layout(other));
	CHECK_EQ(lt_map(fd, MIB, PG, RW), -EDQUOT);
	lt_write_pattern(fd, 0, MIB, 1);
	CHECK_EQ(lt_commit(fd, 0, MIB, &size), 0);
	CHECK(lt_has_pattern(mine, 0, MIB, 1));
	shell("xfs_quota -x -c 'limit -u bhard=0 4242' %s");
	CHECK_EQ(lt_map(fd, MIB, 8 * MIB, RW), 0);
	close(fd);
	CHECK(!ftruncate(mine, 0) && !ftruncate(other, 0));
}

/* EXTEND makes a file longer or leaves it as it is, and the layout with it. */
static void extend_limits(void)
{
	int mine = lt_file("extendlimits", O_RDWR), fd;
	struct statvfs fs;

	need_quota();
	CHECK(!fstatvfs(mine, &fs));
	fd = lt_layout(mine);
	CHECK_EQ(lt_extend(fd, 0, MIB), 0);
	CHECK_EQ(lt_extend(fd, MIB, (fs.f_bfree * fs.f_bsize + 64 * MIB) / PG * PG), -ENOSPC);
	CHECK_EQ(lt_size(mine), MIB);
	CHECK_KEPT(fd);
	CHECK_EQ(lt_extend(fd, MIB, MIB), 0);
	CHECK(lt_all(mine, 0, 2 * MIB, 0));
	close(fd);

	CHECK(!fchown(mine, UNUSED_UID, -1));
	shell("xfs_quota -x -c 'limit -u bhard=4m 4242' %s");
	fd = lt_layout(mine);
	CHECK_EQ(lt_extend(fd, 2 * MIB, 8 * MIB), -EDQUOT);
	CHECK_EQ(lt_size(mine), 2 * MIB);
	CHECK_KEPT(fd);
	shell("xfs_quota -x -c 'limit -u bhard=0 4242' %s");
	CHECK_EQ(lt_extend(fd, 2 * MIB, 8 * MIB), 0);
	CHECK_EQ(lt_trim(fd, 0), 0);
}

static void no_space(void)
{
	int filler = lt_file("filler", O_RDWR), other = lt_file("full", O_RDWR), mine = lt_file("nospace", O_RDWR), fd = lt_layout(mine);
	uint64_t size = 2 * MIB, step;
	struct statvfs fs;
	long long before;

	CHECK_EQ(lt_map(fd, 0, 2 * MIB, RW), 0);
	before = blocks(mine);
	CHECK(!fstatvfs(mine, &fs));
	CHECK_EQ(lt_map(fd, 2 * MIB, (fs.f_bfree * fs.f_bsize + 64 * MIB) / PG * PG, RW), -ENOSPC);
	CHECK_EQ(blocks(mine), before);
	for (step = fs.f_bfree * fs.f_bsize; step >= PG; step /= 2)
		while (!fallocate(filler, FALLOC_FL_KEEP_SIZE, (uint64_t)blocks(filler) * 512, step / PG * PG))
			;
	CHECK_EQ(lt_map(fd, 2 * MIB, 16 * MIB, RW), -ENOSPC);
	CHECK_EQ(blocks(mine), before);
	/* no space is no reason to refuse a layout, or to lose what was granted */
	close(lt_layout(other));
	lt_write_pattern(fd, 0, 2 * MIB, 2);
	CHECK_EQ(lt_commit(fd, 0, 2 * MIB, &size), 0);
	CHECK(!ftruncate(filler, 0));
	CHECK(lt_has_pattern(mine, 0, 2 * MIB, 2));
}

static void freeze(bool frozen)
{
	int fd = open(lt_mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, frozen ? FIFREEZE : FITHAW, 0));
	close(fd);
}

/* @arg: 'm' MAP, 'c' COMMIT, 'e' EXTEND */
static void frozen_call(void *arg)
{
	char what = *(char *)arg;
	int fd = lt_layout(file);
	uint64_t size = MIB;

	if (what != 'e') {
		CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
		lt_write_pattern(fd, 0, MIB, 3);
	}
	tell(ready);
	await(go);
	if (what == 'c')
		CHECK_EQ(lt_commit(fd, 0, MIB, &size), 0);
	else
		CHECK_EQ(what == 'm' ? lt_map(fd, MIB, MIB, RW) : lt_extend(fd, 0, MIB), 0);
}

/* Has it ended?  Unlike the words of lt.h it never ends the case: the file system is frozen. */
static bool ended(pid_t pid, int *status)
{
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;

	while (waitpid(pid, status, WNOHANG) != pid) {
		if (task_now_ms() >= until)
			return false;
		lt_sleep_ms(5);
	}
	return true;
}

/* On a frozen file system a call waits in @where; thaw lets it end, SIGKILL ends its caller. */
static void frozen(char *what, const char *where, bool thaw)
{
	bool waits, dies = true;
	int status;
	pid_t pid;

	file = lt_file("frozen", O_RDWR);
	CHECK(!pipe(ready) && !pipe(go));
	pid = lt_child(frozen_call, what);
	await(ready);
	freeze(true);
	tell(go);
	waits = lt_wait_task_in(IN_CALL_WAIT) && lt_wait_task_in(where);
	if (!thaw) {
		kill(pid, SIGKILL);
		dies = ended(pid, &status);
	}
	freeze(false);
	CHECK(waits);
	CHECK(dies);
	if (thaw)
		CHECK(lt_child_done(pid, GUARD_MS));
	/* a call that lost its caller ends, too, and takes the layout with it */
	CHECK(lt_wait_orphans(0, GUARD_MS));
	if (*what == 'c')
		CHECK(lt_has_pattern(file, 0, MIB, 3));
	close(lt_layout(file));
}

static void frozen_opener(void *arg)
{
	(void)arg;
	close(lt_layout(file));
}

/* A layout is nothing that is written down. */
static void frozen_open(void)
{
	int status = -1;
	bool done;
	pid_t pid;

	file = lt_full_file("frozen", MIB, 0x12);
	freeze(true);
	pid = lt_child(frozen_opener, NULL);
	done = ended(pid, &status);
	freeze(false);
	CHECK(done);
	CHECK_EQ(status, 0);
}

static void frozen_map(void) { frozen("m", "iopmem_map_run", true); }
static void frozen_map_killed(void) { frozen("m", "iopmem_map_run", false); }
static void frozen_commit(void) { frozen("c", "iopmem_commit_run", true); }
static void frozen_commit_killed(void) { frozen("c", "iopmem_commit_run", false); }
static void frozen_extend(void) { frozen("e", "iopmem_extend_run", true); }
static void frozen_extend_killed(void) { frozen("e", "iopmem_extend_run", false); }

static void grow_fs(void)
{
	int mine = lt_file("growfs", O_RDWR), fd = lt_layout(mine);
	struct statvfs before, after;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK(!fstatvfs(mine, &before));
	shell("xfs_growfs -d %s >/dev/null");
	CHECK(!fstatvfs(mine, &after));
	if (after.f_blocks == before.f_blocks)
		lt_skip("the file system fills the card already");
	CHECK(!lt_poll_break(fd, 0));
	CHECK_EQ(lt_map(fd, MIB, (before.f_bfree * before.f_bsize + 8 * MIB) / PG * PG, RW), 0);
}

static void set_break_time(const char *seconds)
{
	FILE *f = fopen("/proc/sys/fs/lease-break-time", "w");

	CHECK(f && fputs(seconds, f) >= 0 && !fclose(f));
}

static void shrink(void *arg)
{
	(void)arg;
	CHECK(!ftruncate(file, 0));
}

/* The kernel takes a lease away that is not given back in time, and with it the peer's blocks. Not ours. */
static void break_time(void)
{
	int fd;
	pid_t pid;

	file = lt_full_file("late", MIB, 0x66);
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	set_break_time("1");
	pid = lt_child(shrink, NULL);
	CHECK(lt_poll_break(fd, GUARD_MS));
	CHECK_WAITS(pid, IN_LEASE_BREAK);
	lt_sleep_ms(3000);	/* well past the second */
	CHECK_WAITS(pid, IN_LEASE_BREAK);
	CHECK(lt_all(fd, 0, MIB, 0x66));
	set_break_time("45");
	close(fd);
	CHECK(lt_child_done(pid, GUARD_MS));
}

/* An RW map is a write: what write(2) takes away from a program goes. */
static void setuid_bits(void)
{
	int mine = lt_full_file("setuid", MIB, 0x55), other, fd;
	struct stat st;
	char path[256];

	snprintf(path, sizeof(path), "%s/setuid", lt_mnt);
	CHECK(!fchown(mine, UNUSED_UID, UNUSED_UID));
	CHECK(!fchmod(mine, 06755));
	/* root keeps the bits, as in write(2) */
	fd = lt_layout(mine);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK(!fstat(mine, &st) && (st.st_mode & 07777) == 06755);
	close(fd);
	CHECK(!seteuid(UNUSED_UID));
	other = open(path, O_RDWR | O_CLOEXEC);
	CHECK(!seteuid(0));
	CHECK(other >= 0);
	fd = lt_layout(other);
	CHECK_EQ(lt_map(fd, 0, MIB, IOPMEM_IOMODE_READ), 0);
	CHECK(!fstat(mine, &st) && (st.st_mode & 07777) == 06755);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK(!fstat(mine, &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
}

const struct lt_case lt_limits_cases[] = {
	{ "quota", quota, false, false },
	{ "extend_limits", extend_limits, false, false },
	{ "no_space", no_space, false, false },
	{ "frozen_open", frozen_open, false, false },
	{ "frozen_map", frozen_map, false, false },
	{ "frozen_map_killed", frozen_map_killed, false, false },
	{ "frozen_commit", frozen_commit, false, false },
	{ "frozen_commit_killed", frozen_commit_killed, false, false },
	{ "frozen_extend", frozen_extend, false, false },
	{ "frozen_extend_killed", frozen_extend_killed, false, false },
	{ "break_time", break_time, false, false },
	{ "grow_fs", grow_fs, false, false },
	{ "setuid_bits", setuid_bits, false, false },
	{ NULL, NULL, false, false },
};
