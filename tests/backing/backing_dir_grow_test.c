// SPDX-License-Identifier: BSD-3-Clause
/*
 * The "dir" backing: files that grow for grants, crashes, full file systems.  Bytes and
 * sizes are checked in the directory, not in what the backing says.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int setup(void **state)
{
	struct rig *rig = rig_new(&backing_dir_ops);

	*state = rig;
	return rig ? 0 : -1;
}

static void growth_commit_close(void **state)
{
	struct rig *rig = *state;
	struct range range = RANGE(0, 2 * PAGE);
	struct backing_extent ext[4];
	struct memsrc src;
	struct stat st;
	uint64_t size;
	size_t n = 4;

	rig_export(rig);
	rig_file(rig, "a", 0);
	rig_open(rig, "a");
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	assert_ok(rig, rig->ops->map(rig->file, range, BACKING_RW, ext, &n, &size, &rig->err));
	assert_int_equal(n, 1);
	assert_int_equal(ext[0].state, BACKING_RW_DATA);
	assert_false(ext[0].no_commit);
	assert_int_equal(ext[0].range.end, 2 * PAGE);
	assert_int_equal(size, 0);
	assert_ok(rig, rig->ops->mem_get(rig->file, range, BACKING_RW, &src, &rig->err));
	assert_int_equal(src.length, 2 * PAGE);
	for (size_t i = 0; i < PAGE; i++)
		assert_int_equal(((char *)src.addr)[i], 0);
	memset(src.addr, 'x', 5000);
	assert_int_equal(pwrite(src.fd, "fd", 2, 100), 2);
	assert_int_equal(rig->ops->file_stat(rig->file, &st), 0);
	assert_int_equal(st.st_size, 0);
	rig->ops->mem_put(rig->file, &src);
	assert_ok(rig, rig->ops->commit(rig->file, &range, 1, 5000, &size, &rig->err));
	assert_int_equal(size, 5000);
	assert_int_equal(rig->ops->file_stat(rig->file, &st), 0);
	assert_int_equal(st.st_size, 5000);
	/* Again, and smaller: idempotent, never shrinks. */
	assert_ok(rig, rig->ops->commit(rig->file, &range, 1, 400, &size, &rig->err));
	assert_int_equal(size, 5000);
	assert_ok(rig, rig->ops->unmap(rig->file, range, &rig->err));
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), 5000);
	rig_expect(rig, "a", 0, 'x', 100);
	rig_expect(rig, "a", 102, 'x', 4898);
}

static void uncommitted_growth_is_trimmed(void **state)
{
	struct rig *rig = *state;

	rig_export(rig);
	rig_file(rig, "a", 300);
	rig_open(rig, "a");
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	rig_map_rw(rig, RANGE(0, 16 * PAGE));
	assert_int_equal(rig_size(rig, "a"), 16 * PAGE);
	rig_write(rig, RANGE(0, 16 * PAGE), 'u');
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), 300);
	/* What was cut off does not come back when the file grows. */
	assert_ok(rig, rig->ops->set_size(rig->file, PAGE, &rig->err));
	rig_expect(rig, "a", 300, 0, PAGE - 300);
	/* Nothing is left for a next start to trim. */
	rig_stop(rig);
	assert_int_equal(rig_truncate(rig, "a", 2 * PAGE), 0);
	rig_export(rig);
	assert_int_equal(rig_size(rig, "a"), 2 * PAGE);
}

static void holes_inside_eof_get_blocks(void **state)
{
	struct rig *rig = *state;
	struct stat st;

	rig_export(rig);
	rig_file(rig, "a", 0);
	assert_int_equal(rig_truncate(rig, "a", 64 * PAGE), 0);
	rig_open(rig, "a");
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	rig_map_rw(rig, RANGE(0, 16 * PAGE));
	rig_stat(rig, "a", &st);
	assert_true(st.st_blocks * 512 >= (blkcnt_t)(16 * PAGE));
	assert_true(st.st_blocks * 512 < (blkcnt_t)(64 * PAGE));
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), 64 * PAGE);
}

/* A server that dies: the child leaves without a close. */
static void crash(struct rig *rig, const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		struct range range = RANGE(0, PAGE);
		uint64_t size;

		rig_export(rig);
		rig_open(rig, name);
		if (rig->ops->layout_open(rig->file, &rig->err))
			_exit(1);
		rig_map_rw(rig, RANGE(0, 8 * PAGE));
		rig_write(rig, RANGE(0, 8 * PAGE), 'c');
		_exit(rig->ops->commit(rig->file, &range, 1, 2000, &size, NULL) ? 2 : 0);
	}
	assert_int_equal(rig_wait(pid), 0);
	assert_int_equal(rig_size(rig, name), 8 * PAGE);
}

static void crash_is_trimmed_at_start(void **state)
{
	struct rig *rig = *state;

	rig_file(rig, "a", 0);
	crash(rig, "a");
	rig_export(rig);
	assert_int_equal(rig_size(rig, "a"), 2000);
	rig_expect(rig, "a", 0, 'c', 2000);
	rig_stop(rig);
	/* Grown by somebody else meanwhile: the second start has forgotten the file. */
	assert_int_equal(rig_truncate(rig, "a", 8 * PAGE), 0);
	rig_export(rig);
	assert_int_equal(rig_size(rig, "a"), 8 * PAGE);
}

static void crash_then_changed_gone_or_replaced(void **state)
{
	struct rig *rig = *state;

	rig_file(rig, "longer", 0);
	rig_file(rig, "gone", 0);
	rig_file(rig, "replaced", 0);
	crash(rig, "longer");
	assert_int_equal(rig_truncate(rig, "longer", 20 * PAGE), 0);
	rig_export(rig);
	assert_int_equal(rig_size(rig, "longer"), 20 * PAGE);
	rig_stop(rig);
	crash(rig, "gone");
	assert_int_equal(rig_unlink(rig, "gone"), 0);
	crash(rig, "replaced");
	assert_int_equal(rig_unlink(rig, "replaced"), 0);
	rig_file(rig, "replaced", 3 * PAGE);
	rig_export(rig);
	assert_int_equal(rig_size(rig, "replaced"), 3 * PAGE);
}

/* As a user who may not open by handle: by path, and only what it was. */
static void recovery_without_privilege(void **state)
{
	struct rig *rig = *state;
	pid_t pid;

	rig_file(rig, "a", 0);
	rig_file(rig, "replaced", 0);
	crash(rig, "a");
	crash(rig, "replaced");
	/* Another inode whose size looks like an interrupted growth. */
	rig_file(rig, "new", 3 * PAGE);
	assert_int_equal(renameat(rig->dir_fd, "new", rig->dir_fd, "replaced"), 0);
	pid = fork();
	if (!pid) {
		if (!rig_drop_capability(CAP_DAC_READ_SEARCH))
			_exit(2);
		_exit(rig->ops->export_open(&rig->attr, &rig->exp, NULL) ? 1 : 0);
	}
	assert_int_equal(rig_wait(pid), 0);
	assert_int_equal(rig_size(rig, "a"), 2000);
	assert_int_equal(rig_size(rig, "replaced"), 3 * PAGE);
}

static bool mount_tmpfs(struct rig *rig)
{
	return !mount("none", rig->dir, "tmpfs", 0, "size=1m");
}

/* ext4 leaves what it could allocate before it ran out. */
static bool mount_ext4(struct rig *rig)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "cd '%s' && truncate -s 4M img &&"
		 " mkfs.ext4 -q -O ^has_journal img && mount -o loop img '%s'", rig->state,
		 rig->dir);
	return !system(cmd);
}

/* Runs in a child with a mount name space of its own and a few MiB as the export. */
static int tiny_export(struct rig *rig, bool (*mount_it)(struct rig *rig), size_t fits)
{
	struct backing_extent ext[2];
	struct memsrc src;
	struct stat st;
	uint64_t size;
	size_t n = 2;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    !mount_it(rig))
		return 77;
	close(rig->dir_fd);
	rig->dir_fd = open(rig->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rig_export(rig);
	rig_file(rig, "a", 100);
	rig_open(rig, "a");
	if (rig->ops->layout_open(rig->file, &rig->err))
		return 2;
	if (rig->ops->map(rig->file, RANGE(0, 16 << 20), BACKING_RW, ext, &n, &size,
			  &rig->err) != -ENOSPC)
		return 3;
	if (fstatat(rig->dir_fd, "a", &st, 0) || st.st_size != 100 || st.st_blocks > 16)
		return 4;
	rig_map_rw(rig, RANGE(0, fits));
	rig_write(rig, RANGE(0, fits), 't');
	if (rig->ops->commit(rig->file, NULL, 0, fits, &size, NULL))
		return 5;
	rig->ops->layout_close(rig->file);
	/* A read grant of holes that tmpfs has no page for is refused, not SIGBUS. */
	if (rig_truncate(rig, "a", 8 << 20) || rig->ops->layout_open(rig->file, NULL))
		return 6;
	if (rig->ops->map(rig->file, RANGE(0, 8 << 20), BACKING_READ, ext, &n, &size, NULL))
		return 7;
	if (mount_it == mount_tmpfs)
		return rig->ops->mem_get(rig->file, ext[0].range, BACKING_READ, &src, NULL) ==
			-ENOSPC ? 0 : 8;
	return 0;
}

static void no_space_on(struct rig *rig, bool (*mount_it)(struct rig *rig), size_t fits)
{
	pid_t pid = fork();
	int rc;

	if (!pid)
		_exit(tiny_export(rig, mount_it, fits));
	rc = rig_wait(pid);
	if (rc == 77) {
		print_message("SKIP: no_space: a file system cannot be mounted here\n");
		skip();
	}
	assert_int_equal(rc, 0);
}

static void no_space_tmpfs(void **state)
{
	no_space_on(*state, mount_tmpfs, 512 << 10);
}

static void no_space_ext4(void **state)
{
	no_space_on(*state, mount_ext4, 1 << 20);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(growth_commit_close),
		T(uncommitted_growth_is_trimmed),
		T(holes_inside_eof_get_blocks),
		T(crash_is_trimmed_at_start),
		T(crash_then_changed_gone_or_replaced),
		T(recovery_without_privilege),
		T(no_space_tmpfs),
		T(no_space_ext4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
