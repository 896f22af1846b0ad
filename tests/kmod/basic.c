// SPDX-License-Identifier: BSD-3-Clause
/* One process, no conflicts: the calls, what they refuse, and which bytes are where. */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RW	IOPMEM_IOMODE_RW
#define READ	IOPMEM_IOMODE_READ

static void info_versions(void)
{
	struct {
		struct iopmem_info info;
		char excess[64];
	} big;
	struct iopmem_info info;

	CHECK_EQ(lt_info(&info), 0);
	CHECK_EQ(info.size, sizeof(info));
	CHECK_EQ(info.version, IOPMEM_UAPI_VERSION);
	CHECK_EQ(info.granule, PG);
	CHECK_EQ(info.devices, 1);
	CHECK_EQ(info.layouts, 0);
	CHECK(info.module[0]);
	/* pin is not offered without the hook; which it must be is the scenario's to say ("caps") */
	info.caps &= ~(IOPMEM_CAP_SWAP_HOOK | IOPMEM_CAP_DMABUF);
	CHECK(info.caps == IOPMEM_CAP_ODP ||
	      info.caps == (IOPMEM_CAP_ODP | IOPMEM_CAP_PIN | IOPMEM_CAP_BUSY_HOOK));

	info = (struct iopmem_info){ .size = sizeof(info), .version = 0 };
	CHECK(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &info) < 0);
	CHECK_EQ(errno, EPROTONOSUPPORT);
	CHECK_EQ(info.version_min, IOPMEM_UAPI_VERSION);

	info = (struct iopmem_info){ .size = sizeof(info), .version = 1000 };
	CHECK(!ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &info));
	CHECK_EQ(info.version, IOPMEM_UAPI_VERSION);

	info = (struct iopmem_info){ .size = sizeof(info), .version = 1, .flags = 1 };
	CHECK(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &info) < 0 && errno == EINVAL);
	info = (struct iopmem_info){ .size = sizeof(info), .version = 1, .reserved = 1 };
	CHECK(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &info) < 0 && errno == EINVAL);
	info = (struct iopmem_info){ .size = sizeof(info) - 1, .version = 1 };
	CHECK(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &info) < 0 && errno == EINVAL);
	info = (struct iopmem_info){ .size = 1 << 20, .version = 1 };
	CHECK(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &info) < 0 && errno == E2BIG);

	memset(&big, 0, sizeof(big));
	big.info.size = sizeof(big);
	big.info.version = 1;
	CHECK(!ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &big));
	/* A header of the future: the same number with another size in it. */
	big.info.size = sizeof(big);
	big.info.flags = big.info.reserved = 0;
	CHECK(!ioctl(lt_dev, _IOWR(IOPMEM_IOC_MAGIC, 0, big), &big));
	big.info.size = sizeof(big);
	big.excess[63] = 1;
	CHECK(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, &big) < 0 && errno == E2BIG);

	CHECK(ioctl(lt_dev, _IOWR(IOPMEM_IOC_MAGIC, 99, info), &info) < 0 && errno == ENOTTY);
	CHECK(ioctl(lt_dev, IOPMEM_IOC_MAP, &info) < 0 && errno == ENOTTY);
	CHECK(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, NULL) < 0 && errno == EFAULT);
}

static void open_refusals(void)
{
	struct iopmem_layout_open arg;
	int file = lt_file(NULL, O_RDWR), fd;
	unsigned int reason;
	FILE *sysctl;

	CHECK_EQ(lt_open(-1, NULL, NULL), -EBADF);
	arg = (struct iopmem_layout_open){ .size = sizeof(arg), .flags = 1, .file_fd = file };
	CHECK(ioctl(lt_dev, IOPMEM_IOC_LAYOUT_OPEN, &arg) < 0 && errno == EINVAL);
	arg = (struct iopmem_layout_open){ .size = sizeof(arg), .reserved = 1, .file_fd = file };
	CHECK(ioctl(lt_dev, IOPMEM_IOC_LAYOUT_OPEN, &arg) < 0 && errno == EINVAL);

	fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(lt_open(fd, NULL, &reason), -EOPNOTSUPP);
	CHECK_EQ(reason, IOPMEM_REFUSED_NOT_XFS);
	close(fd);
	fd = open(lt_mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_EQ(lt_open(fd, NULL, &reason), -EOPNOTSUPP);
	CHECK_EQ(reason, IOPMEM_REFUSED_NOT_XFS);
	close(fd);

	sysctl = fopen("/proc/sys/fs/leases-enable", "w");
	CHECK(sysctl && fputs("0", sysctl) >= 0 && !fclose(sysctl));
	CHECK_EQ(lt_open(file, NULL, &reason), -EOPNOTSUPP);
	sysctl = fopen("/proc/sys/fs/leases-enable", "w");
	CHECK(sysctl && fputs("1", sysctl) >= 0 && !fclose(sysctl));
	CHECK_EQ(reason, IOPMEM_REFUSED_LEASES);
	CHECK_EQ(lt_open(file, NULL, NULL), 0);
}

static void open_once(void)
{
	int file = lt_file("once", O_RDWR), other = lt_file("other", O_RDWR), fd, fd2, again;
	char path[256];

	fd = lt_layout(file);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(lt_open(file, NULL, NULL), -EBUSY);
	snprintf(path, sizeof(path), "%s/once", lt_mnt);
	again = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(again >= 0);
	CHECK_EQ(lt_open(again, NULL, NULL), -EBUSY);
	fd2 = lt_layout(other);
	close(fd);
	/* an orderly close leaves nothing behind */
	fd = lt_layout(again);
	close(fd);
	close(fd2);
	CHECK_EQ(lt_orphans(), 0);
}

static void bad_arguments(void)
{
	int file = lt_file(NULL, O_RDWR), fd = lt_layout(file);
	struct iopmem_extent e[4];
	struct iopmem_commit commit;
	struct iopmem_range ranges[2];
	struct iopmem_map map;
	unsigned int nr = 4;

	CHECK_EQ(lt_map(fd, 1, PG, RW), -EINVAL);
	CHECK_EQ(lt_map(fd, 0, PG + 1, RW), -EINVAL);
	CHECK_EQ(lt_map(fd, 0, 0, RW), -EINVAL);
	CHECK_EQ(lt_map(fd, 0, PG, 0), -EINVAL);
	CHECK_EQ(lt_map(fd, 0, PG, 3), -EINVAL);
	CHECK_EQ(lt_map(fd, -PG, 2 * PG, RW), -EINVAL);
	CHECK_EQ(lt_map(fd, 1ULL << 62, 1ULL << 62, RW), -EINVAL);
	nr = 0;
	CHECK_EQ(lt_map_into(fd, 0, PG, RW, e, &nr), -EINVAL);
	map = (struct iopmem_map){ .size = sizeof(map), .length = PG, .iomode = RW, .nr_extents = 1,
				   .extents = (uintptr_t)e, .reserved = 1 };
	CHECK(ioctl(fd, IOPMEM_IOC_MAP, &map) < 0 && errno == EINVAL);
	map.reserved = 0;
	map.extents = 8;
	CHECK(ioctl(fd, IOPMEM_IOC_MAP, &map) < 0 && errno == EFAULT);

	CHECK_EQ(lt_map(fd, 0, 4 * PG, RW), 0);
	commit = (struct iopmem_commit){ .size = sizeof(commit), .ranges = (uintptr_t)ranges, .nr_ranges = 2 };
	ranges[0] = (struct iopmem_range){ PG, PG };
	ranges[1] = (struct iopmem_range){ 0, PG };
	CHECK(ioctl(fd, IOPMEM_IOC_COMMIT, &commit) < 0 && errno == EINVAL);
	ranges[1] = (struct iopmem_range){ PG, 2 * PG };
	CHECK(ioctl(fd, IOPMEM_IOC_COMMIT, &commit) < 0 && errno == EINVAL);
	ranges[1] = (struct iopmem_range){ 2 * PG, PG };
	commit.flags = 1;
	CHECK(ioctl(fd, IOPMEM_IOC_COMMIT, &commit) < 0 && errno == EINVAL);
	commit.flags = 0;
	commit.nr_ranges = 1U << 31;
	CHECK(ioctl(fd, IOPMEM_IOC_COMMIT, &commit) < 0 && errno == E2BIG);
	commit.nr_ranges = 2;
	CHECK(!ioctl(fd, IOPMEM_IOC_COMMIT, &commit));
	CHECK_EQ(lt_unmap(fd, 1, PG), -EINVAL);
	CHECK_EQ(lt_unmap(fd, 0, 0), -EINVAL);
	CHECK(ioctl(fd, IOPMEM_IOC_GET_INFO, &map) < 0 && errno == ENOTTY);
	CHECK(mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	CHECK_EQ(errno, lt_can_pin() ? EINVAL : EOPNOTSUPP);
}

/* The card was full of 0xab before mkfs. */
static void past_eof_is_zero(void)
{
	int file = lt_file("zero", O_RDWR), fd = lt_layout(file);
	struct iopmem_extent e[MAX_EXTENTS];
	unsigned int nr = MAX_EXTENTS, i;
	uint64_t pos = 64 * KIB;
	char *p = NULL;

	CHECK_EQ(lt_map_into(fd, 64 * KIB, 4 * MIB, RW, e, &nr), 0);
	CHECK(nr > 0);
	for (i = 0; i < nr; i++) {
		CHECK_EQ(e[i].file_offset, pos);
		CHECK_EQ(e[i].state, IOPMEM_EXTENT_RW_DATA);
		CHECK_EQ(e[i].flags, 0);
		CHECK(e[i].dev_offset && e[i].dev_offset % PG == 0);
		pos += e[i].length;
	}
	CHECK_EQ(pos, 64 * KIB + 4 * MIB);
	CHECK(lt_all(fd, 64 * KIB, 4 * MIB, 0));
	CHECK_EQ(lt_size(file), 0);
	if (lt_can_pin()) {
		p = lt_mmap(fd, 64 * KIB, 4 * MIB, PROT_READ);
		for (i = 0; i < 4 * MIB; i++)
			CHECK(!p[i]);
	}
	/* through mmap and pread the same bytes are reached */
	lt_write_pattern(fd, MIB + 3, 10001, 7);
	CHECK(lt_has_pattern(fd, MIB + 3, 10001, 7));
	CHECK(!p || (p[MIB + 3 - 64 * KIB] != 0 && p[MIB + 2 - 64 * KIB] == 0));
	/* outside of what is mapped nothing is */
	CHECK(pread(fd, e, 1, 0) < 0 && errno == EFAULT);
	CHECK(pwrite(fd, e, 1, 5 * MIB) < 0 && errno == EFAULT);
	CHECK_EQ(pread(fd, e, 100, 64 * KIB + 4 * MIB - 50), 50);
}

/* Until a change of the file gets another time than it has: times are those of the last tick. */
static void wait_for_later_mtime(const struct stat *st)
{
	struct timespec now;

	do {
		lt_sleep_ms(1);
		CHECK(!clock_gettime(CLOCK_REALTIME_COARSE, &now));
	} while (now.tv_sec == st->st_mtim.tv_sec && now.tv_nsec == st->st_mtim.tv_nsec);
}

static void commit_grows(void)
{
	int file = lt_file("grow", O_RDWR), fd = lt_layout(file);
	struct iopmem_extent e[MAX_EXTENTS];
	unsigned int nr = MAX_EXTENTS;
	struct stat before, after;
	uint64_t size;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK(!fstat(file, &before));
	wait_for_later_mtime(&before);
	lt_write_pattern(fd, 0, 5000, 1);
	size = 5000;
	CHECK_EQ(lt_commit(fd, 0, 2 * PG, &size), 0);
	CHECK_EQ(size, 5000);
	CHECK_EQ(lt_size(file), 5000);
	CHECK(lt_has_pattern(file, 0, 5000, 1));
	CHECK(!fstat(file, &after));
	CHECK(after.st_mtim.tv_sec != before.st_mtim.tv_sec || after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);

	/* idempotent, and never shrinks */
	CHECK_EQ(lt_commit(fd, 0, 2 * PG, &size), 0);
	CHECK_EQ(size, 5000);
	size = 100;
	CHECK_EQ(lt_commit(fd, 0, 2 * PG, &size), 0);
	CHECK_EQ(size, 5000);
	CHECK_EQ(lt_size(file), 5000);
	size = 0;
	CHECK_EQ(lt_commit(fd, 0, 2 * PG, &size), 0);
	CHECK_EQ(size, 5000);

	/* what a peer wrote is not zeroed by mapping again, inside or outside EOF */
	lt_write_pattern(fd, 6000, 500000, 2);
	CHECK_EQ(lt_map_into(fd, 0, MIB, RW, e, &nr), 0);
	CHECK_EQ(e[0].flags, IOPMEM_EXTENT_NO_COMMIT);
	CHECK_EQ(e[0].length, 2 * PG);
	CHECK_EQ(e[1].flags, 0);
	CHECK(lt_has_pattern(fd, 0, 5000, 1));
	CHECK(lt_has_pattern(fd, 6000, 500000, 2));
	CHECK(lt_all(fd, 5000, 1000, 0));

	/* the size alone: everything zeroed below comes along */
	size = 506000;
	CHECK_EQ(lt_commit(fd, 0, 0, &size), 0);
	CHECK(lt_has_pattern(file, 0, 5000, 1));
	CHECK(lt_all(file, 5000, 1000, 0));
	CHECK(lt_has_pattern(file, 6000, 500000, 2));

	/* only what is RW-mapped */
	size = 2 * MIB;
	CHECK_EQ(lt_commit(fd, 0, 0, &size), -ERANGE);
	CHECK_EQ(lt_commit(fd, MIB - PG, 2 * PG, NULL), -ERANGE);
	CHECK_EQ(lt_size(file), 506000);
	size = 1ULL << 63;
	CHECK_EQ(lt_commit(fd, 0, 0, &size), -EINVAL);
	close(fd);
	CHECK(lt_has_pattern(file, 6000, 500000, 2));
}

/* why.md 9: B's growth must not leave A's bytes behind as unwritten blocks. */
static void two_range_growth(void)
{
	int file = lt_file("two", O_RDWR), fd = lt_layout(file);
	uint64_t size = 2 * MIB;
	char *p;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK_EQ(lt_map(fd, MIB, MIB, RW), 0);
	lt_write_pattern(fd, 0, MIB, 3);
	lt_write_pattern(fd, MIB, MIB, 4);
	CHECK_EQ(lt_commit(fd, MIB, MIB, &size), 0);
	CHECK_EQ(lt_size(file), 2 * MIB);
	/* the local write fault that would zero an unwritten block */
	p = lt_mmap(file, 0, 2 * MIB, PROT_READ | PROT_WRITE);
	p[123 * KIB] = p[123 * KIB];
	p[900 * KIB] = p[900 * KIB];
	CHECK(!munmap(p, 2 * MIB));
	CHECK(lt_has_pattern(file, 0, MIB, 3));
	CHECK(lt_has_pattern(file, MIB, MIB, 4));
	CHECK_EQ(lt_commit(fd, 0, MIB, NULL), 0);
	CHECK(lt_has_pattern(file, 0, MIB, 3));
}

/* A range that was unmapped without a commit still counts, and is not zeroed twice. */
static void unmapped_range_growth(void)
{
	int file = lt_file("unmapped", O_RDWR), fd = lt_layout(file);
	uint64_t size = 2 * MIB;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	lt_write_pattern(fd, 0, MIB, 5);
	CHECK_EQ(lt_unmap(fd, 0, MIB), 0);
	CHECK(pread(fd, &size, 8, 0) < 0 && errno == EFAULT);
	CHECK_EQ(lt_unmap(fd, 0, MIB), 0);
	CHECK_EQ(lt_map(fd, MIB, MIB, RW), 0);
	lt_write_pattern(fd, MIB, MIB, 6);
	CHECK_EQ(lt_commit(fd, MIB, MIB, &size), 0);
	CHECK(lt_has_pattern(file, 0, MIB, 5));
	CHECK(lt_has_pattern(file, MIB, MIB, 6));
}

static void growth_over_gaps(void)
{
	int file = lt_file("gap", O_RDWR), fd;
	uint64_t size;
	char *p;

	/* a hole stays a hole */
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, MIB, 64 * KIB, RW), 0);
	lt_write_pattern(fd, MIB, 64 * KIB, 8);
	size = MIB + 64 * KIB;
	CHECK_EQ(lt_commit(fd, MIB, 64 * KIB, &size), 0);
	CHECK(lt_all(file, 0, MIB, 0));
	CHECK(lt_has_pattern(file, MIB, 64 * KIB, 8));
	close(fd);

	/* bytes between EOF and the end of its page: stored by mmap, visible to nobody, then grown over */
	CHECK(!ftruncate(file, 0));
	lt_write_pattern(file, 0, 5000, 9);
	CHECK(!fsync(file));
	p = lt_mmap(file, 0, 2 * PG, PROT_READ | PROT_WRITE);
	memset(p + 5000, 0xee, 2 * PG - 5000);
	CHECK(!munmap(p, 2 * PG));
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 4 * PG, PG, RW), 0);
	size = 5 * PG;
	CHECK_EQ(lt_commit(fd, 4 * PG, PG, &size), 0);
	CHECK(lt_has_pattern(file, 0, 5000, 9));
	CHECK(lt_all(file, 5000, 5 * PG - 5000, 0));
	close(fd);

	/* the same with the page of EOF mapped */
	CHECK(!ftruncate(file, 5000));
	p = lt_mmap(file, 0, 2 * PG, PROT_READ | PROT_WRITE);
	memset(p + 5000, 0xee, 2 * PG - 5000);
	CHECK(!munmap(p, 2 * PG));
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 0, 4 * PG, RW), 0);
	lt_write_pattern(fd, 7000, 1000, 10);
	CHECK_EQ(lt_map(fd, 0, 4 * PG, RW), 0);
	size = 8000;
	CHECK_EQ(lt_commit(fd, PG, PG, &size), 0);
	CHECK(lt_has_pattern(file, 0, 5000, 9));
	CHECK(lt_all(file, 5000, 2000, 0));
	CHECK(lt_has_pattern(file, 7000, 1000, 10));
	close(fd);
}

static void read_changes_nothing(void)
{
	int file = lt_file("sparse", O_RDWR), ro, fd;
	struct iopmem_extent e[MAX_EXTENTS];
	unsigned int nr = MAX_EXTENTS;
	struct stat before, after;
	char path[256], *p;

	lt_write_pattern(file, 64 * KIB, 64 * KIB, 11);
	CHECK(!fallocate(file, 0, 256 * KIB, 64 * KIB));
	CHECK(!ftruncate(file, MIB + 100));
	CHECK(!fsync(file));
	snprintf(path, sizeof(path), "%s/sparse", lt_mnt);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	fd = lt_layout(ro);
	CHECK(!fstat(file, &before));
	CHECK_EQ(lt_map_into(fd, 0, 64 * MIB, READ, e, &nr), 0);
	CHECK_EQ(nr, 3);
	CHECK_EQ(e[0].state, IOPMEM_EXTENT_NONE);
	CHECK_EQ(e[0].dev_offset, 0);
	CHECK_EQ(e[0].length, 64 * KIB);
	CHECK_EQ(e[1].state, IOPMEM_EXTENT_READ_DATA);
	CHECK_EQ(e[1].length, 64 * KIB);
	CHECK_EQ(e[2].state, IOPMEM_EXTENT_NONE);
	CHECK_EQ(e[2].file_offset + e[2].length, MIB + PG);
	/* clipped to the range */
	nr = MAX_EXTENTS;
	CHECK_EQ(lt_map_into(fd, 80 * KIB, 16 * KIB, READ, e, &nr), 0);
	CHECK_EQ(nr, 1);
	CHECK_EQ(e[0].file_offset, 80 * KIB);
	CHECK_EQ(e[0].length, 16 * KIB);
	nr = MAX_EXTENTS;
	CHECK_EQ(lt_map_into(fd, 64 * MIB, MIB, READ, e, &nr), 0);
	CHECK_EQ(nr, 0);
	nr = 2;
	CHECK_EQ(lt_map_into(fd, 0, MIB, READ, e, &nr), -E2BIG);
	CHECK(!fstat(file, &after));
	CHECK_EQ(after.st_blocks, before.st_blocks);
	CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);

	/* no more rights than the file gives */
	CHECK(lt_has_pattern(fd, 64 * KIB, 64 * KIB, 11));
	CHECK_EQ(lt_map(fd, 64 * KIB, PG, RW), -EBADF);
	CHECK(pwrite(fd, "x", 1, 64 * KIB) < 0 && errno == EFAULT);
	CHECK_EQ(lt_commit(fd, 64 * KIB, PG, NULL), -EBADF);
	if (!lt_can_pin())
		return;
	p = lt_mmap(fd, 0, MIB, PROT_READ);
	CHECK(!lt_sigbus(p + 64 * KIB, false));
	CHECK(lt_sigbus(p, false));
	CHECK(lt_sigbus(p + 128 * KIB, false));
	CHECK(mprotect(p, MIB, PROT_READ | PROT_WRITE) < 0);
	p = lt_mmap(fd, 0, MIB, PROT_READ | PROT_WRITE);
	CHECK(lt_sigbus(p + 64 * KIB, true));
}

static int again_as(const char *name, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", lt_mnt, name);
	fd = open(path, flags | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

/* A layout gives what a mapping of the same descriptor would, and no more. */
static void rights_of_descriptor(void)
{
	const int locked[] = { FS_APPEND_FL, FS_IMMUTABLE_FL };
	int file = lt_full_file("rights", MIB, 0x23), fd, flags;
	struct stat before, after;
	size_t i;

	CHECK_EQ(lt_open(again_as("rights", O_PATH), NULL, NULL), -EBADF);
	fd = lt_layout(again_as("rights", O_WRONLY));
	CHECK_EQ(lt_map(fd, 0, MIB, READ), -EBADF);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), -EBADF);
	close(fd);

	fd = lt_layout(again_as("rights", O_RDONLY));
	CHECK(!fstat(file, &before));
	lt_sleep_ms(20);	/* the clock of files' times goes on by ticks */
	CHECK_EQ(lt_commit(fd, 0, 0, NULL), -EBADF);
	CHECK(!fstat(file, &after));
	CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
	close(fd);

	for (i = 0; i < 2; i++) {
		CHECK(!ioctl(file, FS_IOC_GETFLAGS, &flags));
		flags |= locked[i];
		CHECK(!ioctl(file, FS_IOC_SETFLAGS, &flags));
		fd = lt_layout(file);
		CHECK_EQ(lt_map(fd, 0, MIB, READ), 0);
		CHECK_EQ(lt_map(fd, 0, MIB, RW), -EPERM);
		close(fd);
		flags &= ~locked[i];
		CHECK(!ioctl(file, FS_IOC_SETFLAGS, &flags));
	}
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
}

static void free_eof_blocks(void)
{
	char command[300];

	snprintf(command, sizeof(command), "xfs_spaceman -c 'prealloc -s' %s", lt_mnt);
	CHECK(!system(command));
}

static long long bytes_of(int file)
{
	struct stat st;

	CHECK(!fstat(file, &st));
	return st.st_blocks * 512LL;
}

/*
 * Blocks that lie past EOF already are the file system's to free, at a close or in the background and without a
 * break, until somebody has asked for them.
 */
static void post_eof_blocks_stay(void)
{
	struct fsxattr attr;
	int file = lt_file("posteof", O_RDWR), fd;
	uint64_t size = MIB;

	CHECK(!ioctl(file, FS_IOC_FSGETXATTR, &attr));
	attr.fsx_xflags |= FS_XFLAG_EXTSIZE;
	attr.fsx_extsize = MIB;
	CHECK(!ioctl(file, FS_IOC_FSSETXATTR, &attr));
	lt_write_pattern(file, 0, PG, 14);
	CHECK(!fsync(file));
	CHECK_EQ(bytes_of(file), MIB);

	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, PG, MIB - PG, RW), 0);
	lt_write_pattern(fd, PG, MIB - PG, 15);
	close(again_as("posteof", O_RDWR));
	free_eof_blocks();
	CHECK_EQ(bytes_of(file), MIB);
	/* who gets freed blocks writes over them */
	close(lt_full_file(NULL, 4 * MIB, 0x77));
	CHECK(lt_has_pattern(fd, PG, MIB - PG, 15));
	CHECK_EQ(lt_commit(fd, PG, MIB - PG, &size), 0);
	CHECK(lt_has_pattern(file, 0, PG, 14));
	CHECK(lt_has_pattern(file, PG, MIB - PG, 15));
	CHECK(!lt_poll_break(fd, 0));
}

static void inside_eof_needs_blocks(void)
{
	int file = lt_file("inside", O_RDWR), fd;
	struct iopmem_extent e[MAX_EXTENTS];
	unsigned int nr = MAX_EXTENTS, i;
	uint64_t size, pos;
	char *p;

	CHECK(!ftruncate(file, MIB));
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), -EUCLEAN);
	lt_populate(file, 0, MIB);
	CHECK_EQ(lt_map_into(fd, 0, MIB, RW, e, &nr), 0);
	CHECK_EQ(e[0].state, IOPMEM_EXTENT_RW_DATA);
	CHECK_EQ(e[0].flags, IOPMEM_EXTENT_NO_COMMIT);
	CHECK(lt_all(fd, 0, MIB, 0));
	/* a range across EOF */
	nr = MAX_EXTENTS;
	CHECK_EQ(lt_map_into(fd, MIB - 64 * KIB, 128 * KIB, RW, e, &nr), 0);
	CHECK(nr >= 2);
	/* in as many pieces as it lies in, but none across EOF */
	for (i = 0, pos = MIB - 64 * KIB; i < nr; pos += e[i++].length) {
		CHECK_EQ(e[i].file_offset, pos);
		CHECK_EQ(e[i].flags, pos < MIB ? IOPMEM_EXTENT_NO_COMMIT : 0);
		CHECK(pos >= MIB || pos + e[i].length <= MIB);
	}
	CHECK_EQ(pos, MIB + 64 * KIB);
	lt_write_pattern(fd, 0, MIB + 64 * KIB, 12);
	CHECK(lt_has_pattern(file, 0, MIB, 12));
	size = MIB + 64 * KIB;
	CHECK_EQ(lt_commit(fd, MIB, 64 * KIB, &size), 0);
	CHECK(lt_has_pattern(file, 0, MIB + 64 * KIB, 12));
	close(fd);

	/* unwritten blocks are no better than holes */
	CHECK(!ftruncate(file, 0));
	CHECK(!fallocate(file, 0, 0, MIB));
	fd = lt_layout(file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), -EUCLEAN);
	lt_populate(file, 0, MIB);
	/* a local mapping that may store */
	p = lt_mmap(file, 0, MIB, PROT_READ | PROT_WRITE);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), -ETXTBSY);
	CHECK_EQ(lt_map(fd, 0, MIB, READ), -ETXTBSY);
	CHECK(!munmap(p, MIB));
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
}

static void space_and_size_limits(void)
{
	int file = lt_file(NULL, O_RDWR), fd = lt_layout(file);

	CHECK_EQ(lt_map(fd, 0, 1UL << 40, RW), -ENOSPC);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK_EQ(lt_size(file), 0);
}

/* Many extents in one call: every second block of another file is freed. */
static void fragmented(void)
{
	int file = lt_full_file("frag", 4 * MIB, 0x11), fd;
	static struct iopmem_extent e[2048];
	unsigned int nr = 2048, i;
	uint64_t pos;

	for (pos = 0; pos < 4 * MIB; pos += 2 * PG)
		CHECK(!fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, PG));
	fd = lt_layout(file);
	CHECK_EQ(lt_map_into(fd, 0, 4 * MIB, READ, e, &nr), 0);
	CHECK_EQ(nr, 1024);
	for (i = 0; i < nr; i++)
		CHECK_EQ(e[i].state, i % 2 ? IOPMEM_EXTENT_READ_DATA : IOPMEM_EXTENT_NONE);
	for (i = 1; i < nr; i += 2)
		CHECK(lt_all(fd, i * PG, PG, 0x11));
	CHECK_EQ(lt_unmap(fd, 5 * PG, MIB), 0);
	CHECK(lt_all(fd, 3 * PG, PG, 0x11));
	CHECK(pread(fd, e, 1, 5 * PG) < 0 && errno == EFAULT);
	CHECK(lt_all(fd, MIB + 5 * PG, PG, 0x11));
	close(fd);
}

/* What a program has written into a private mapping is nowhere else. */
static void private_pages_stay(void)
{
	int file = lt_full_file("private", MIB, 0x21), fd = lt_layout(file);
	volatile char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	uint64_t size = 2 * MIB;

	CHECK(p != MAP_FAILED);
	CHECK_EQ(p[0] + p[5 * PG], 2 * 0x21);
	p[0] = 7;
	CHECK_EQ(lt_map(fd, 0, MIB, READ), 0);
	CHECK_EQ(lt_map(fd, 0, 2 * MIB, RW), 0);
	CHECK_EQ(lt_commit(fd, MIB, MIB, &size), 0);
	CHECK_EQ(p[0], 7);
	CHECK_EQ(p[5 * PG], 0x21);
	CHECK(lt_all(file, 0, MIB, 0x21));
}

static void unlinked_file(void)
{
	int file = lt_file(NULL, O_RDWR), fd = lt_layout(file);
	uint64_t size = MIB;

	close(file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	lt_write_pattern(fd, 0, MIB, 13);
	CHECK_EQ(lt_commit(fd, 0, MIB, &size), 0);
	CHECK(lt_has_pattern(fd, 0, MIB, 13));
}

static void pins_and_unmap(void)
{
	int file = lt_full_file("pins", MIB, 0x22), fd = lt_layout(file), pipes[2];
	char *p;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	p = lt_mmap(fd, 0, MIB, PROT_READ | PROT_WRITE);
	CHECK(!pipe(pipes));
	lt_pin(pipes[1], p + 128 * KIB, 16 * PG);
	CHECK_EQ(lt_sysfs_number("layouts"), 1);
	CHECK_EQ(lt_sysfs_number("mapped_bytes"), MIB);
	CHECK_EQ(lt_sysfs_number("pinned_bytes"), 16 * PG);
	CHECK_EQ(lt_unmap(fd, 0, MIB), -EBUSY);
	/* nothing was unmapped */
	CHECK_EQ(p[0], 0x22);
	CHECK(lt_all(fd, 0, MIB, 0x22));
	CHECK_EQ(lt_unmap(fd, 0, 64 * KIB), 0);
	CHECK(lt_sigbus(p, false));
	CHECK_EQ(p[64 * KIB], 0x22);
	close(pipes[0]);
	close(pipes[1]);
	CHECK_EQ(lt_sysfs_number("pinned_bytes"), 0);
	CHECK_EQ(lt_unmap(fd, 0, MIB), 0);
	CHECK(lt_sigbus(p + 64 * KIB, false));
	CHECK_EQ(lt_sysfs_number("mapped_bytes"), 0);
}

const struct lt_case lt_basic_cases[] = {
	{ "info_versions", info_versions, true, false },
	{ "open_refusals", open_refusals, true, false },
	{ "open_once", open_once, true, false },
	{ "bad_arguments", bad_arguments, false, false },
	{ "past_eof_is_zero", past_eof_is_zero, true, false },
	{ "commit_grows", commit_grows, true, false },
	{ "two_range_growth", two_range_growth, true, false },
	{ "unmapped_range_growth", unmapped_range_growth, false, false },
	{ "growth_over_gaps", growth_over_gaps, false, false },
	{ "read_changes_nothing", read_changes_nothing, false, false },
	{ "rights_of_descriptor", rights_of_descriptor, true, false },
	{ "post_eof_blocks_stay", post_eof_blocks_stay, false, false },
	{ "inside_eof_needs_blocks", inside_eof_needs_blocks, true, false },
	{ "space_and_size_limits", space_and_size_limits, false, false },
	{ "fragmented", fragmented, false, false },
	{ "private_pages_stay", private_pages_stay, true, false },
	{ "unlinked_file", unlinked_file, false, false },
	{ "pins_and_unmap", pins_and_unmap, true, true },
	{ .name = NULL },
};
