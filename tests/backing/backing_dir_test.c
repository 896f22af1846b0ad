// SPDX-License-Identifier: BSD-3-Clause
/*
 * The "dir" backing through its operations table, on the file system of $TMPDIR:
 * extents, breaks, refusals.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
	struct rig *rig = rig_new(&backing_dir_ops);

	*state = rig;
	return rig ? 0 : -1;
}

/* What the thread that hears of breaks waits in; it may hear of one late. */
static atomic_int late_ms;

int __real_sigwaitinfo(const sigset_t *set, siginfo_t *info);
int __wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info);

int __wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	int sig = __real_sigwaitinfo(set, info);

	poll(NULL, 0, late_ms);
	return sig;
}

/* A machine that stands still for a while is no reason not to start. */
static void late_signal_in_lease_test(void **state)
{
	struct rig *rig = *state;

	late_ms = 2500;
	rig_export(rig);
	late_ms = 0;
}

static void extents_split_at_committed_eof(void **state)
{
	struct rig *rig = *state;
	struct backing_extent ext[2];
	uint64_t size;
	size_t n = 2;

	rig_export(rig);
	rig_file(rig, "a", PAGE + 1);
	rig_open(rig, "a");
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	assert_ok(rig, rig->ops->map(rig->file, RANGE(PAGE, 4 * PAGE), BACKING_RW, ext, &n,
				     &size, &rig->err));
	assert_int_equal(size, PAGE + 1);
	assert_int_equal(n, 2);
	assert_true(ext[0].no_commit && !ext[1].no_commit);
	assert_int_equal(ext[0].range.offset, PAGE);
	assert_int_equal(ext[0].range.end, 2 * PAGE);
	assert_int_equal(ext[1].range.offset, 2 * PAGE);
	assert_int_equal(ext[1].range.end, 4 * PAGE);
	n = 1;
	assert_ok(rig, rig->ops->map(rig->file, RANGE(PAGE, 4 * PAGE), BACKING_RW, ext, &n,
				     &size, &rig->err));
	assert_int_equal(n, 1);
	assert_int_equal(ext[0].range.end, 2 * PAGE);
	rig->ops->layout_close(rig->file);
}

static void read_map_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct backing_extent ext[2];
	struct stat before, after;
	struct memsrc src;
	uint64_t size;
	size_t n = 2;

	rig_export(rig);
	rig_file(rig, "a", 0);
	assert_int_equal(rig_truncate(rig, "a", 8 * PAGE + 10), 0);
	rig_stat(rig, "a", &before);
	rig_open(rig, "a");
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	assert_ok(rig, rig->ops->map(rig->file, RANGE(0, 64 * PAGE), BACKING_READ, ext, &n,
				     &size, &rig->err));
	assert_int_equal(n, 1);
	assert_int_equal(ext[0].state, BACKING_READ_DATA);
	assert_int_equal(ext[0].range.end, 9 * PAGE);
	assert_ok(rig, rig->ops->mem_get(rig->file, ext[0].range, BACKING_READ, &src, &rig->err));
	for (size_t i = 0; i < 9 * PAGE; i += 512)
		assert_int_equal(((char *)src.addr)[i], 0);
	rig->ops->mem_put(rig->file, &src);
	n = 2;
	assert_ok(rig, rig->ops->map(rig->file, RANGE(9 * PAGE, 10 * PAGE), BACKING_READ, ext,
				     &n, &size, &rig->err));
	assert_int_equal(n, 0);
	rig->ops->layout_close(rig->file);
	rig_stat(rig, "a", &after);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_blocks, before.st_blocks);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

static void commit_outside_is_refused(void **state)
{
	struct rig *rig = *state;
	struct range range = RANGE(4 * PAGE, 5 * PAGE);
	uint64_t size;

	rig_export(rig);
	rig_file(rig, "a", PAGE);
	rig_open(rig, "a");
	assert_int_equal(rig->ops->commit(rig->file, NULL, 0, 1, &size, NULL), -ERANGE);
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	assert_int_equal(rig->ops->commit(rig->file, &range, 1, 0, &size, NULL), -ERANGE);
	assert_int_equal(rig->ops->commit(rig->file, NULL, 0, 2 * PAGE, &size, NULL), -ERANGE);
	rig_map_rw(rig, RANGE(0, 5 * PAGE));
	assert_ok(rig, rig->ops->commit(rig->file, &range, 1, 5 * PAGE, &size, &rig->err));
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "a"), 5 * PAGE);
}

static void break_is_reported(struct rig *rig, int flags)
{
	struct range range = RANGE(0, PAGE);
	struct backing_extent ext[2];
	uint64_t size;
	size_t n = 2;
	pid_t pid;
	int done;

	rig_file(rig, "a", 2 * PAGE);
	rig_open(rig, "a");
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	rig_map_rw(rig, RANGE(0, 4 * PAGE));
	pid = rig_opener(rig, "a", flags, &done);
	assert_true(rig_await_break(rig));
	assert_ptr_equal(rig->broken_cookie, rig);
	rig_assert_waiting(pid, done, "break_lease");
	assert_int_equal(rig->ops->map(rig->file, range, BACKING_RW, ext, &n, &size, NULL),
			 -EAGAIN);
	assert_ok(rig, rig->ops->commit(rig->file, &range, 1, 3 * PAGE, &size, &rig->err));
	assert_false(rig_readable(done, 0));
	rig->ops->layout_close(rig->file);
	assert_true(rig_await_readable(done));
	close(done);
	assert_int_equal(rig_wait(pid), 0);
	assert_int_equal(rig_size(rig, "a"), flags & O_TRUNC ? 0 : 3 * PAGE);
	assert_int_equal(rig->breaks, 1);
	/* Closed and opened again, it works as before. */
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	rig_map_rw(rig, RANGE(0, PAGE));
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig->breaks, 1);
}

static void truncating_open_breaks(void **state)
{
	rig_export(*state);
	break_is_reported(*state, O_WRONLY | O_TRUNC);
}

static void reading_open_breaks(void **state)
{
	rig_export(*state);
	break_is_reported(*state, O_RDONLY);
}

/* No room for a queued signal: the kernel sends SIGIO without a descriptor. */
static void signal_queue_overflow(void **state)
{
	struct rlimit old, none;

	rig_export(*state);
	assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	break_is_reported(*state, O_WRONLY | O_TRUNC);
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &old), 0);
}

static void open_elsewhere_is_refused(void **state)
{
	struct rig *rig = *state;
	int fd;

	rig_export(rig);
	rig_file(rig, "a", PAGE);
	rig_open(rig, "a");
	fd = openat(rig->dir_fd, "a", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(rig->ops->layout_open(rig->file, &rig->err), -EOPNOTSUPP);
	assert_non_null(strstr(rig->err.text, "open elsewhere on this host"));
	close(fd);
	rig->err = (struct iopmem_err){ 0 };
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	rig->ops->layout_close(rig->file);
}

static void running_program_is_read_only(void **state)
{
	struct rig *rig = *state;
	struct backing_extent ext[1];
	uint64_t size;
	size_t n = 1;
	pid_t pid;

	rig_export(rig);
	pid = rig_sleeper(rig, "prog");
	rig_open(rig, "prog");
	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	assert_int_equal(rig->ops->map(rig->file, RANGE(0, PAGE), BACKING_RW, ext, &n, &size,
				       NULL), -EBADF);
	assert_ok(rig, rig->ops->map(rig->file, RANGE(0, PAGE), BACKING_READ, ext, &n, &size,
				     &rig->err));
	assert_int_equal(rig->ops->set_size(rig->file, 0, NULL), -EBADF);
	rig->ops->layout_close(rig->file);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void start_up_refusals(void **state)
{
	struct rig *rig = *state;
	struct backing_export *exp = NULL, *second = NULL;
	char inside[256];

	rig->attr.recall_ms = 60 * 1000;
	assert_int_equal(rig->ops->export_open(&rig->attr, &exp, &rig->err), -EINVAL);
	assert_non_null(strstr(rig->err.text, "60000 ms"));
	assert_non_null(strstr(rig->err.text, "lease-break-time"));
	rig->attr.recall_ms = 20 * 1000;

	rig->err = (struct iopmem_err){ 0 };
	snprintf(inside, sizeof(inside), "%s/s/deep", rig->dir);
	assert_int_equal(mkdirat(rig->dir_fd, "s", 0700), 0);
	assert_int_equal(mkdirat(rig->dir_fd, "s/deep", 0700), 0);
	assert_int_equal(symlinkat(inside, rig->state_fd, "link"), 0);
	snprintf(inside, sizeof(inside), "%s/link", rig->state);
	rig->attr.state_dir = inside;
	assert_int_equal(rig->ops->export_open(&rig->attr, &exp, &rig->err), -EINVAL);
	assert_non_null(strstr(rig->err.text, "inside export"));
	rig->attr.state_dir = rig->state;

	rig->err = (struct iopmem_err){ 0 };
	rig->attr.path = "/proc/self/comm";
	assert_int_equal(rig->ops->export_open(&rig->attr, &exp, &rig->err), -ENOTDIR);
	rig->attr.path = rig->dir;

	rig_export(rig);
	rig->err = (struct iopmem_err){ 0 };
	assert_int_equal(rig->ops->export_open(&rig->attr, &second, &rig->err), -EBUSY);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(extents_split_at_committed_eof),
		T(read_map_changes_nothing),
		T(commit_outside_is_refused),
		T(truncating_open_breaks),
		T(reading_open_breaks),
		T(signal_queue_overflow),
		T(open_elsewhere_is_refused),
		T(running_program_is_read_only),
		T(start_up_refusals),
		T(late_signal_in_lease_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
