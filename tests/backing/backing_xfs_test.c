// SPDX-License-Identifier: BSD-3-Clause
/*
 * The "xfs" backing through its operations table, on an XFS with DAX on an iopmem card:
 * test_backing_xfs MOUNTPOINT.  Exit status 77 when the path is none.
 */
#include "../lib/task.h"
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const char *mount_point;

static int setup(void **state)
{
	struct rig *rig = rig_new_in(&backing_xfs_ops, mount_point);

	*state = rig;
	if (!rig)
		return -1;
	rig_export(rig);
	return 0;
}

static void layout(struct rig *rig, const char *name)
{
	rig_open(rig, name);
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
}

static void memory_is(struct rig *rig, struct range range, int byte)
{
	struct memsrc src;

	assert_ok(rig, rig->ops->mem_get(rig->file, range, BACKING_READ, &src, &rig->err));
	for (size_t i = 0; i < src.length; i++)
		if (((char *)src.addr)[i] != byte)
			fail_msg("memory byte %zu is %d", i, ((char *)src.addr)[i]);
	rig->ops->mem_put(rig->file, &src);
}

static void info_and_kind(void **state)
{
	struct rig *rig = *state;
	struct backing_info info;

	rig->ops->export_info(rig->exp, &info);
	assert_string_equal(info.kind, "xfs");
	assert_string_equal(info.memory, "pin");
	assert_true(info.durable && info.has_addr && info.granule == PAGE);
	assert_int_equal(rig->ops->orphans(rig->exp), 0);
	assert_ptr_equal(backing_find("auto", rig->dir), &backing_xfs_ops);
	assert_ptr_equal(backing_find("auto", "/proc"), &backing_dir_ops);
	assert_null(backing_find("nfs", "/"));
}

static void start_up_refusals(void **state)
{
	struct rig *rig = *state;
	struct backing_export *exp;

	rig->attr.path = "/proc";
	assert_int_equal(rig->ops->export_open(&rig->attr, &exp, &rig->err), -EOPNOTSUPP);
	assert_non_null(strstr(rig->err.text, "not on XFS"));
	rig->attr.path = rig->dir;
	rig->attr.state_dir = rig->dir;
	rig->err = (struct iopmem_err){ 0 };
	assert_int_equal(rig->ops->export_open(&rig->attr, &exp, &rig->err), -EINVAL);
	rig->attr.state_dir = rig->state;
}

static void growth_commit_close(void **state)
{
	struct rig *rig = *state;
	struct range range = RANGE(0, 16 * PAGE);
	struct backing_extent ext[8];
	uint64_t size;
	struct stat st;
	size_t n = 8;

	rig_file(rig, "a", 0);
	layout(rig, "a");
	assert_ok(rig, rig->ops->map(rig->file, range, BACKING_RW, ext, &n, &size, &rig->err));
	assert_int_equal(n, 1);
	assert_int_equal(ext[0].state, BACKING_RW_DATA);
	assert_false(ext[0].no_commit);
	assert_int_equal(ext[0].range.end, 16 * PAGE);
	memory_is(rig, range, 0);
	rig_write(rig, range, 'x');
	/* Mapped again it is what a peer has written, not zeroes. */
	rig_map_rw(rig, range);
	memory_is(rig, range, 'x');
	assert_int_equal(rig->ops->file_stat(rig->file, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_ok(rig, rig->ops->commit(rig->file, &range, 1, 5000, &size, &rig->err));
	assert_int_equal(size, 5000);
	assert_ok(rig, rig->ops->commit(rig->file, &range, 1, 10, &size, &rig->err));
	assert_int_equal(size, 5000);
	assert_ok(rig, rig->ops->unmap(rig->file, range, &rig->err));
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), 5000);
	rig_expect(rig, "a", 0, 'x', 5000);
}

static void many_ranges_in_one_commit(void **state)
{
	struct rig *rig = *state;
	struct range ranges[1200];
	uint64_t size;

	rig_file(rig, "a", 0);
	layout(rig, "a");
	rig_map_rw(rig, RANGE(0, 2400 * PAGE));
	rig_write(rig, RANGE(0, 2400 * PAGE), 'm');
	for (size_t i = 0; i < 1200; i++)
		ranges[i] = RANGE(2 * i * PAGE, (2 * i + 1) * PAGE);
	assert_ok(rig, rig->ops->commit(rig->file, ranges, 1200, 2400 * PAGE, &size, &rig->err));
	assert_int_equal(size, 2400 * PAGE);
	rig->ops->layout_close(rig->file);
	rig_expect(rig, "a", 2398 * PAGE, 'm', PAGE);
}

static void uncommitted_growth_is_gone(void **state)
{
	struct rig *rig = *state;
	uint64_t size;

	rig_file(rig, "a", 300);
	layout(rig, "a");
	rig_map_rw(rig, RANGE(0, 16 * PAGE));
	rig_write(rig, RANGE(PAGE, 16 * PAGE), 'u');
	assert_int_equal(rig->ops->commit(rig->file, NULL, 0, 17 * PAGE, &size, NULL), -ERANGE);
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), 300);
	assert_ok(rig, rig->ops->set_size(rig->file, 16 * PAGE, &rig->err));
	rig_expect(rig, "a", 300, 0, 16 * PAGE - 300);
}

/* Overwriting inside EOF needs no commit: bytes written there are the file's. */
static void holes_inside_eof_become_real(void **state)
{
	struct rig *rig = *state;
	struct backing_extent ext[8];
	uint64_t size;
	size_t n = 8;

	rig_file(rig, "a", 0);
	assert_int_equal(rig_truncate(rig, "a", 64 * PAGE + 1), 0);
	layout(rig, "a");
	assert_ok(rig, rig->ops->map(rig->file, RANGE(8 * PAGE, 80 * PAGE), BACKING_RW, ext, &n,
				     &size, &rig->err));
	assert_int_equal(size, 64 * PAGE + 1);
	assert_int_equal(n, 2);
	assert_true(ext[0].no_commit && !ext[1].no_commit);
	assert_int_equal(ext[0].range.end, 65 * PAGE);
	memory_is(rig, RANGE(8 * PAGE, 80 * PAGE), 0);
	rig_write(rig, RANGE(8 * PAGE, 16 * PAGE), 'h');
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), 64 * PAGE + 1);
	rig_expect(rig, "a", 8 * PAGE, 'h', 8 * PAGE);
	rig_expect(rig, "a", 16 * PAGE, 0, 48 * PAGE);
}

static void read_map_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct backing_extent ext[8];
	struct stat before, after;
	uint64_t size;
	size_t n = 8;

	rig_file(rig, "a", 2 * PAGE);
	assert_int_equal(rig_truncate(rig, "a", 8 * PAGE + 10), 0);
	rig_stat(rig, "a", &before);
	layout(rig, "a");
	assert_ok(rig, rig->ops->map(rig->file, RANGE(0, 64 * PAGE), BACKING_READ, ext, &n,
				     &size, &rig->err));
	assert_int_equal(n, 2);
	assert_int_equal(ext[0].state, BACKING_READ_DATA);
	assert_int_equal(ext[0].range.end, 2 * PAGE);
	assert_int_equal(ext[1].state, BACKING_NONE);
	assert_int_equal(ext[1].range.end, 9 * PAGE);
	memory_is(rig, ext[0].range, 'o');
	n = 1;
	assert_ok(rig, rig->ops->map(rig->file, RANGE(0, 64 * PAGE), BACKING_READ, ext, &n,
				     &size, &rig->err));
	assert_int_equal(n, 1);
	assert_ok(rig, rig->ops->map(rig->file, RANGE(9 * PAGE, 10 * PAGE), BACKING_READ, ext,
				     &n, &size, &rig->err));
	assert_int_equal(n, 0);
	rig->ops->layout_close(rig->file);
	rig_stat(rig, "a", &after);
	assert_int_equal(after.st_blocks, before.st_blocks);
	assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim));
}

static void mtime_moves(void **state)
{
	struct rig *rig = *state;
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct stat st;

	rig_file(rig, "a", PAGE);
	layout(rig, "a");
	assert_int_equal(utimensat(rig->dir_fd, "a", old, 0), 0);
	rig_map_rw(rig, RANGE(0, PAGE));
	rig_stat(rig, "a", &st);
	assert_true(st.st_mtim.tv_sec > 1000);
	assert_int_equal(utimensat(rig->dir_fd, "a", old, 0), 0);
	rig->ops->layout_close(rig->file);
	rig_stat(rig, "a", &st);
	assert_true(st.st_mtim.tv_sec > 1000);
}

static int truncate_it(int dir_fd, const char *name, int size)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);

	return fd < 0 || ftruncate(fd, size);
}

static int write_it(int dir_fd, const char *name, int byte)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
	char b = (char)byte;

	return fd < 0 || pwrite(fd, &b, 1, 0) != 1;
}

/* The trap of facts/kernel.md §3: touched through a mapping, then truncated. */
static int touch_and_truncate(int dir_fd, const char *name, int size)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
	struct stat st;
	char *p;

	if (fd < 0 || fstat(fd, &st))
		return 1;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || madvise(p, (size_t)st.st_size, MADV_POPULATE_READ))
		return 1;
	return ftruncate(fd, size);
}

static void breaks(struct rig *rig, change_fn change, int arg, const char *where, off_t size_after)
{
	struct range range = RANGE(0, 8 * PAGE);
	struct backing_extent ext[8];
	struct memsrc src;
	uint64_t size;
	size_t n = 8;
	pid_t pid;
	int done;

	rig_file(rig, "a", 4 * PAGE);
	layout(rig, "a");
	rig_map_rw(rig, range);
	assert_ok(rig, rig->ops->mem_get(rig->file, range, BACKING_RW, &src, &rig->err));
	memset(src.addr, 'w', src.length);
	pid = rig_changer(rig, "a", change, arg, &done);
	assert_true(rig_await_break(rig));
	assert_ptr_equal(rig->broken_cookie, rig);
	rig_assert_waiting(pid, done, where);
	assert_int_equal(rig->ops->map(rig->file, range, BACKING_RW, ext, &n, &size, NULL),
			 -EAGAIN);
	rig->ops->mem_put(rig->file, &src);
	assert_ok(rig, rig->ops->commit(rig->file, &range, 1, 6 * PAGE, &size, &rig->err));
	rig_assert_waiting(pid, done, IN_LEASE_BREAK);
	rig->ops->layout_close(rig->file);
	assert_true(rig_await_readable(done));
	close(done);
	assert_int_equal(rig_wait(pid), 0);
	assert_int_equal(rig_size(rig, "a"), size_after);
	assert_int_equal(rig->breaks, 1);
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	rig_map_rw(rig, RANGE(0, PAGE));
	rig->ops->layout_close(rig->file);
}

static void truncate_breaks(void **state)
{
	breaks(*state, truncate_it, PAGE, IN_LEASE_BREAK, PAGE);
}

static void write_breaks(void **state)
{
	breaks(*state, write_it, 'L', IN_LEASE_BREAK, 6 * PAGE);
	rig_expect(*state, "a", 0, 'L', 1);
	rig_expect(*state, "a", 1, 'w', 6 * PAGE - 1);
}

static void touched_truncate_breaks(void **state)
{
	breaks(*state, touch_and_truncate, 0, IN_LEASE_BREAK, 0);
}

static void one_layout_an_inode(void **state)
{
	struct rig *rig = *state, *other = rig_new_in(&backing_xfs_ops, mount_point);

	rig_file(rig, "a", PAGE);
	layout(rig, "a");
	assert_int_equal(linkat(rig->dir_fd, "a", other->dir_fd, "a", 0), 0);
	rig_export(other);
	rig_open(other, "a");
	assert_int_equal(other->ops->layout_open(other->file, &other->err), -EAGAIN);
	rig->ops->layout_close(rig->file);
	assert_ok(other, other->ops->layout_open(other->file, NULL));
	other->ops->layout_close(other->file);
	rig_free(other);
}

/* A server that dies with a layout and its memory. */
static void crash_leaves_no_orphan(void **state)
{
	struct rig *rig = *state;
	uint64_t until;
	pid_t pid;

	rig_file(rig, "a", PAGE);
	pid = fork();
	if (!pid) {
		struct memsrc src;

		rig_open(rig, "a");
		if (rig->ops->layout_open(rig->file, NULL))
			_exit(1);
		rig_map_rw(rig, RANGE(0, 64 * PAGE));
		_exit(rig->ops->mem_get(rig->file, RANGE(0, PAGE), BACKING_RW, &src, NULL) ? 2 : 0);
	}
	assert_int_equal(rig_wait(pid), 0);
	until = task_now_ms() + (uint64_t)guard_ms();
	while (rig->ops->orphans(rig->exp) && task_now_ms() < until)
		rig_readable(rig->pipe[0], 50);
	assert_int_equal(rig->ops->orphans(rig->exp), 0);
	layout(rig, "a");
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), PAGE);
}

static void no_space(void **state)
{
	struct rig *rig = *state;
	struct backing_extent ext[64];
	uint64_t size;
	size_t n = 64;

	rig_file(rig, "past", 0);
	layout(rig, "past");
	assert_int_equal(rig->ops->map(rig->file, RANGE(0, 8ULL << 30), BACKING_RW, ext, &n,
				       &size, &rig->err), -ENOSPC);
	rig->ops->layout_close(rig->file);
	rig->ops->file_close(rig->file);
	rig->file = NULL;
	assert_int_equal(rig_unlink(rig, "past"), 0);

	rig_file(rig, "inside", 0);
	assert_int_equal(rig_truncate(rig, "inside", 8LL << 30), 0);
	layout(rig, "inside");
	rig->err = (struct iopmem_err){ 0 };
	assert_int_equal(rig->ops->map(rig->file, RANGE(0, 8ULL << 30), BACKING_RW, ext, &n,
				       &size, &rig->err), -ENOSPC);
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_unlink(rig, "inside"), 0);
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(info_and_kind),
		T(start_up_refusals),
		T(growth_commit_close),
		T(many_ranges_in_one_commit),
		T(uncommitted_growth_is_gone),
		T(holes_inside_eof_become_real),
		T(read_map_changes_nothing),
		T(mtime_moves),
		T(truncate_breaks),
		T(write_breaks),
		T(touched_truncate_breaks),
		T(one_layout_an_inode),
		T(crash_leaves_no_orphan),
		T(no_space),
	};

	if (argc != 2) {
		printf("SKIP: no file system on a card: %s MOUNTPOINT\n", argv[0]);
		return 77;
	}
	mount_point = argv[1];
	if (backing_find("auto", mount_point) != &backing_xfs_ops) {
		printf("SKIP: '%s' is not XFS on an iopmem card\n", mount_point);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
