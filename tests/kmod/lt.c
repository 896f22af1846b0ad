// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* So long a waiting task is watched: a lower bound, nothing has to happen within it. */
#define WATCH_MS	100

const char *lt_mnt, *lt_sysfs;
int lt_dev;

void lt_fail(const char *file, int line, const char *what)
{
	printf("# %s:%d: %s (errno %d %s)\n", file, line, what, errno, strerror(errno));
	fflush(stdout);
	_exit(1);
}

/*
 * The last MAP said EAGAIN, or some EXTEND went on, and it took as long as the module lets XFS take before it recalls
 * (less a tick).
 */
static bool recalled_itself, extended_slowly;
#define STUCK_MS	990

void lt_check_eq(const char *file, int line, const char *what, long long got, long long want)
{
	if (got == want)
		return;
	printf("# %s:%d: %s is %lld, wanted %lld\n", file, line, what, got, want);
	fflush(stdout);
	_exit(got == -EAGAIN && !want && (recalled_itself || extended_slowly) ? LT_RECALLED : 1);
}

void lt_skip(const char *why)
{
	printf("# skipped: %s\n", why);
	fflush(stdout);
	_exit(77);
}

static int err_of(int ret)
{
	return ret < 0 ? -errno : 0;
}

int lt_info(struct iopmem_info *info)
{
	*info = (struct iopmem_info){ .size = sizeof(*info), .version = IOPMEM_UAPI_VERSION };
	return err_of(ioctl(lt_dev, IOPMEM_IOC_GET_INFO, info));
}

int lt_open(int file_fd, int *layout_fd, unsigned int *reason)
{
	struct iopmem_layout_open arg = { .size = sizeof(arg), .file_fd = file_fd };
	int err = err_of(ioctl(lt_dev, IOPMEM_IOC_LAYOUT_OPEN, &arg));

	if (layout_fd)
		*layout_fd = err ? -1 : arg.layout_fd;
	else if (!err)
		close(arg.layout_fd);
	if (reason)
		*reason = arg.reason;
	return err;
}

int lt_map_into(int fd, uint64_t offset, uint64_t length, unsigned int iomode, struct iopmem_extent *extents,
		unsigned int *nr)
{
	struct iopmem_map arg = {
		.size = sizeof(arg), .offset = offset, .length = length, .iomode = iomode,
		.nr_extents = *nr, .extents = (uintptr_t)extents,
	};
	uint64_t start = task_now_ms();
	int err = err_of(ioctl(fd, IOPMEM_IOC_MAP, &arg));

	recalled_itself = err == -EAGAIN && task_now_ms() - start >= STUCK_MS;
	if (!err)
		*nr = arg.nr_extents;
	return err;
}

int lt_map(int fd, uint64_t offset, uint64_t length, unsigned int iomode)
{
	struct iopmem_extent extents[MAX_EXTENTS];
	unsigned int nr = MAX_EXTENTS;

	return lt_map_into(fd, offset, length, iomode, extents, &nr);
}

int lt_commit(int fd, uint64_t offset, uint64_t length, uint64_t *new_size)
{
	struct iopmem_range range = { .offset = offset, .length = length };
	struct iopmem_commit arg = {
		.size = sizeof(arg), .new_size = new_size ? *new_size : 0,
		.ranges = (uintptr_t)&range, .nr_ranges = length ? 1 : 0,
	};
	int err = err_of(ioctl(fd, IOPMEM_IOC_COMMIT, &arg));

	if (!err && new_size)
		*new_size = arg.new_size;
	return err;
}

int lt_extend(int fd, uint64_t offset, uint64_t length)
{
	struct iopmem_extend arg = { .size = sizeof(arg), .offset = offset, .length = length };
	uint64_t start = task_now_ms();
	int err = err_of(ioctl(fd, IOPMEM_IOC_EXTEND, &arg));

	extended_slowly |= task_now_ms() - start >= STUCK_MS;
	return err;
}

int lt_trim(int fd, uint64_t size)
{
	struct iopmem_trim arg = { .size = sizeof(arg), .new_size = size };

	return err_of(ioctl(fd, IOPMEM_IOC_TRIM, &arg));
}

int lt_unmap(int fd, uint64_t offset, uint64_t length)
{
	struct iopmem_unmap arg = { .size = sizeof(arg), .offset = offset, .length = length };

	return err_of(ioctl(fd, IOPMEM_IOC_UNMAP, &arg));
}

int lt_file(const char *path, int flags)
{
	char full[256];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", lt_mnt, path ? path : "unnamed");
	fd = open(full, flags | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	if (!path)
		CHECK(!unlink(full));
	return fd;
}

int lt_layout(int file_fd)
{
	unsigned int reason;
	int fd, err = lt_open(file_fd, &fd, &reason);

	if (err)
		printf("# LAYOUT_OPEN: reason %u\n", reason);
	CHECK_EQ(err, 0);
	return fd;
}

int lt_full_file(const char *path, size_t size, int byte)
{
	int fd = lt_file(path, O_RDWR);
	char *buf = malloc(size);

	CHECK(buf);
	memset(buf, byte, size);
	CHECK_EQ(pwrite(fd, buf, size, 0), size);
	CHECK(!fsync(fd));
	free(buf);
	return fd;
}

uint64_t lt_size(int fd)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	return st.st_size;
}

void lt_populate(int file_fd, uint64_t offset, uint64_t length)
{
	void *p = lt_mmap(file_fd, offset, length, PROT_READ | PROT_WRITE);

	CHECK(!madvise(p, length, MADV_POPULATE_WRITE));
	CHECK(!fsync(file_fd));
	CHECK(!munmap(p, length));
}

static unsigned char pattern(uint64_t pos, unsigned int seed)
{
	return (pos * 2654435761U >> 7) + seed * 97 + 1;
}

void lt_write_pattern(int fd, uint64_t offset, size_t length, unsigned int seed)
{
	unsigned char *buf = malloc(length);
	size_t i;

	CHECK(buf);
	for (i = 0; i < length; i++)
		buf[i] = pattern(offset + i, seed);
	CHECK_EQ(pwrite(fd, buf, length, offset), length);
	free(buf);
}

bool lt_has_pattern(int fd, uint64_t offset, size_t length, unsigned int seed)
{
	unsigned char *buf = malloc(length);
	size_t i;

	CHECK(buf);
	CHECK_EQ(pread(fd, buf, length, offset), length);
	for (i = 0; i < length; i++) {
		if (buf[i] != pattern(offset + i, seed)) {
			printf("# byte %#zx is %#x, wanted %#x\n", (size_t)offset + i, buf[i], pattern(offset + i, seed));
			break;
		}
	}
	free(buf);
	return i == length;
}

bool lt_all(int fd, uint64_t offset, size_t length, int byte)
{
	unsigned char *buf = malloc(length);
	size_t i;

	CHECK(buf);
	CHECK_EQ(pread(fd, buf, length, offset), length);
	for (i = 0; i < length; i++) {
		if (buf[i] != byte) {
			printf("# byte %#zx is %#x, wanted %#x\n", (size_t)offset + i, buf[i], byte);
			break;
		}
	}
	free(buf);
	return i == length;
}

bool lt_can_pin(void)
{
	struct iopmem_info info;

	CHECK_EQ(lt_info(&info), 0);
	return info.caps & IOPMEM_CAP_PIN;
}

void *lt_mmap(int fd, uint64_t offset, size_t length, int prot)
{
	void *p = mmap(NULL, length, prot, MAP_SHARED, fd, offset);

	CHECK(p != MAP_FAILED);
	return p;
}

void lt_pin(int pipe_in, void *addr, size_t length)
{
	struct iovec iov = { .iov_base = addr, .iov_len = length };

	CHECK(fcntl(pipe_in, F_SETPIPE_SZ, MIB) > 0);
	CHECK_EQ(vmsplice(pipe_in, &iov, 1, 0), length);
}

bool lt_poll_break(int layout_fd, int ms)
{
	struct pollfd p = { .fd = layout_fd, .events = POLLPRI };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLPRI);
}

static sigjmp_buf bus_jump;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(bus_jump, 1);
}

bool lt_sigbus(volatile char *p, bool store)
{
	struct sigaction act = { .sa_handler = on_sigbus, .sa_flags = SA_NODEFER }, old;
	volatile bool bus = false;

	CHECK(!sigaction(SIGBUS, &act, &old));
	if (sigsetjmp(bus_jump, 1))
		bus = true;
	else if (store)
		*p = 1;
	else
		(void)*p;
	CHECK(!sigaction(SIGBUS, &old, NULL));
	return bus;
}

/* fork() copies layout fds, whatever O_CLOEXEC says; a server never forks, a test does. */
static void close_layouts(void)
{
	char path[64], target[64];
	ssize_t len;
	int fd;

	for (fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = 0;
		if (strstr(target, "iopmem-layout"))
			close(fd);
	}
}

pid_t lt_child(void (*fn)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_layouts();
		fn(arg);
		fflush(stdout);
		_exit(0);
	}
	return pid;
}

/* Has the child ended within @ms? */
static bool reaped(pid_t pid, int ms, int *status)
{
	uint64_t until = task_now_ms() + (uint64_t)ms;

	for (;;) {
		bool last = task_now_ms() >= until;
		pid_t got = waitpid(pid, status, WNOHANG);

		CHECK(got >= 0);
		if (got || last)
			return got;
		lt_sleep_ms(5);
	}
}

/* For a person: where a task is that should be elsewhere. */
static void show(pid_t pid)
{
	printf("# state %.60s\n", task_says(task_name(pid), "stat"));
	printf("# stack:\n%s", task_says(task_name(pid), "stack"));
}

bool lt_child_done(pid_t pid, int ms)
{
	int status;

	if (!reaped(pid, ms, &status)) {
		if (ms >= GUARD_MS)
			show(pid);
		return false;
	}
	CHECK_EQ(status, 0);
	return true;
}

void lt_kill(pid_t pid)
{
	int status;

	CHECK(!kill(pid, SIGKILL));
	if (reaped(pid, GUARD_MS, &status))
		return;
	show(pid);
	lt_fail(__FILE__, __LINE__, "a killed process does not die");
}

/* Until the child sleeps there; it must not end before. */
static void await_sleep(const char *file, int line, pid_t pid, const char *function)
{
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;
	int status;

	while (!task_sleeps_in(task_name(pid), function)) {
		if (reaped(pid, 0, &status)) {
			printf("# status %#x\n", (unsigned int)status);
			lt_fail(file, line, "has ended, and should wait");
		}
		if (task_now_ms() >= until) {
			show(pid);
			lt_fail(file, line, function);
		}
		lt_sleep_ms(1);
	}
}

void lt_check_waits(const char *file, int line, pid_t pid, const char *function)
{
	uint64_t until;

	await_sleep(file, line, pid, function);
	for (until = task_now_ms() + WATCH_MS; task_now_ms() < until; lt_sleep_ms(5))
		await_sleep(file, line, pid, function);
	await_sleep(file, line, pid, function);
}

void lt_check_kept(const char *file, int line, int layout_fd)
{
	if (!lt_poll_break(layout_fd, WATCH_MS))
		return;
	printf("# %s:%d: the layout is recalled%s\n", file, line, extended_slowly ? ", after a slow EXTEND" : "");
	fflush(stdout);
	_exit(extended_slowly ? LT_RECALLED : 1);
}

bool lt_wait_task_in(const char *function)
{
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;
	bool found = false;
	size_t i;

	while (!found && task_now_ms() < until) {
		glob_t all;

		CHECK(!glob("/proc/[0-9]*", 0, NULL, &all));
		for (i = 0; i < all.gl_pathc && !found; i++)
			found = task_sleeps_in(all.gl_pathv[i] + strlen("/proc/"), function);
		globfree(&all);
	}
	return found;
}

unsigned int lt_orphans(void)
{
	struct iopmem_info info;

	CHECK_EQ(lt_info(&info), 0);
	return info.orphans;
}

bool lt_wait_orphans(unsigned int want, int ms)
{
	uint64_t until = task_now_ms() + (uint64_t)ms;

	for (;;) {
		bool last = task_now_ms() >= until, there = lt_orphans() == want;

		if (there || last)
			return there;
		lt_sleep_ms(5);
	}
}

void lt_sleep_ms(int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

unsigned long lt_sysfs_number(const char *name)
{
	char path[256];
	unsigned long n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", lt_sysfs, name);
	f = fopen(path, "r");
	CHECK(f && fscanf(f, "%lu", &n) == 1);
	fclose(f);
	return n;
}
