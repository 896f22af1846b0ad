// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_break(void *arg, void *cookie)
{
	struct rig *rig = arg;

	rig->breaks++;
	rig->broken_cookie = cookie;
	if (write(rig->pipe[1], "b", 1) != 1)
		abort();
}

struct rig *rig_new_in(const struct backing_ops *ops, const char *parent)
{
	const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return NULL;
	snprintf(rig->dir, sizeof(rig->dir), "%s/backing-XXXXXX", parent);
	snprintf(rig->state, sizeof(rig->state), "%s/backing-state-XXXXXX", tmp);
	if (!mkdtemp(rig->dir) || !mkdtemp(rig->state) || pipe2(rig->pipe, O_CLOEXEC)) {
		perror(rig->dir);
		free(rig);
		return NULL;
	}
	rig->ops = ops;
	rig->dir_fd = open(rig->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rig->state_fd = open(rig->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rig->attr = (struct backing_attr){ rig->dir, "test", rig->state, 20000, on_break, rig };
	return rig;
}

struct rig *rig_new(const struct backing_ops *ops)
{
	return rig_new_in(ops, getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
}

static void remove_tree(const char *path)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", path);
	if (system(cmd))
		perror(cmd);
}

void rig_stop(struct rig *rig)
{
	if (rig->file)
		rig->ops->file_close(rig->file);
	if (rig->exp)
		rig->ops->export_close(rig->exp);
	rig->file = NULL;
	rig->exp = NULL;
}

void rig_free(struct rig *rig)
{
	rig_stop(rig);
	close(rig->pipe[0]);
	close(rig->pipe[1]);
	close(rig->dir_fd);
	close(rig->state_fd);
	remove_tree(rig->dir);
	remove_tree(rig->state);
	free(rig);
}

int rig_teardown(void **state)
{
	rig_free(*state);
	return 0;
}

void rig_export(struct rig *rig)
{
	assert_ok(rig, rig->ops->export_open(&rig->attr, &rig->exp, &rig->err));
}

void rig_open(struct rig *rig, const char *name)
{
	int fd = openat(rig->dir_fd, name, O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(rig, rig->ops->file_open(rig->exp, fd, rig, &rig->file, &rig->err));
	close(fd);
}

void rig_file(struct rig *rig, const char *name, size_t size)
{
	int fd = openat(rig->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *bytes = malloc(size + 1);

	assert_true(fd >= 0 && bytes);
	memset(bytes, 'o', size);
	assert_int_equal(write(fd, bytes, size), size);
	free(bytes);
	close(fd);
}

void rig_stat(struct rig *rig, const char *name, struct stat *st)
{
	assert_int_equal(fstatat(rig->dir_fd, name, st, 0), 0);
}

off_t rig_size(struct rig *rig, const char *name)
{
	struct stat st;

	rig_stat(rig, name, &st);
	return st.st_size;
}

int rig_truncate(struct rig *rig, const char *name, off_t size)
{
	int fd = openat(rig->dir_fd, name, O_RDWR | O_CLOEXEC);
	int ret = ftruncate(fd, size);

	close(fd);
	return ret;
}

int rig_unlink(struct rig *rig, const char *name)
{
	return unlinkat(rig->dir_fd, name, 0);
}

void rig_expect(struct rig *rig, const char *name, off_t at, int byte, size_t len)
{
	int fd = openat(rig->dir_fd, name, O_RDONLY | O_CLOEXEC);
	char *bytes = malloc(len);

	assert_true(fd >= 0 && bytes);
	assert_int_equal(pread(fd, bytes, len, at), len);
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != byte)
			fail_msg("%s: byte %zu is %d, not %d", name, (size_t)at + i, bytes[i],
				 byte);
	free(bytes);
	close(fd);
}

void rig_map_rw(struct rig *rig, struct range range)
{
	struct backing_extent ext[16];
	uint64_t size;
	size_t n = 16;

	assert_ok(rig, rig->ops->map(rig->file, range, BACKING_RW, ext, &n, &size, &rig->err));
	assert_true(n > 0);
	assert_int_equal(ext[0].range.offset, range.offset);
	assert_int_equal(ext[n - 1].range.end, range.end);
}

void rig_write(struct rig *rig, struct range range, int byte)
{
	struct memsrc src;

	assert_ok(rig, rig->ops->mem_get(rig->file, range, BACKING_RW, &src, &rig->err));
	memset(src.addr, byte, src.length);
	rig->ops->mem_put(rig->file, &src);
}

bool rig_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

bool rig_break_within(struct rig *rig, int ms)
{
	char b;

	return rig_readable(rig->pipe[0], ms) && read(rig->pipe[0], &b, 1) == 1;
}

bool rig_await_readable(int fd)
{
	return rig_readable(fd, guard_ms());
}

bool rig_await_break(struct rig *rig)
{
	return rig_break_within(rig, guard_ms());
}

void rig_assert_waiting(pid_t pid, int done, const char *function)
{
	uint64_t until = task_now_ms() + (uint64_t)guard_ms();

	while (!task_sleeps_in(task_name(pid), function)) {
		if (rig_readable(done, 1) || task_now_ms() >= until)
			fail_msg("does not wait in %s, but in:\n%s", function, task_says(task_name(pid), "stack"));
	}
	assert_false(rig_readable(done, 0));
}

int rig_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t rig_changer(struct rig *rig, const char *name, change_fn change, int arg, int *done)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		/* A descriptor of the server that lives on here would keep its layout. */
		for (int fd = 3; fd < 1024; fd++)
			if (fd != rig->dir_fd && fd != fds[1])
				close(fd);
		_exit(!change(rig->dir_fd, name, arg) && write(fds[1], "d", 1) == 1 ? 0 : 1);
	}
	close(fds[1]);
	*done = fds[0];
	return pid;
}

static int open_it(int dir_fd, const char *name, int flags)
{
	return openat(dir_fd, name, flags | O_CLOEXEC) < 0;
}

pid_t rig_opener(struct rig *rig, const char *name, int flags, int *done)
{
	return rig_changer(rig, name, open_it, flags, done);
}

pid_t rig_sleeper(struct rig *rig, const char *name)
{
	int in = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
	int out = openat(rig->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
	int ready[2], fd;
	struct stat st;
	pid_t pid;
	char b;

	assert_int_equal(fstat(in, &st), 0);
	assert_int_equal(sendfile(out, in, NULL, (size_t)st.st_size), st.st_size);
	close(in);
	close(out);
	fd = openat(rig->dir_fd, name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		char *argv[] = { (char *)"sleep", (char *)"100000", NULL };
		char *envp[] = { NULL };

		prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a test that dies takes it along */
		close(ready[0]);
		fexecve(fd, argv, envp);
		_exit(1);
	}
	close(fd);
	close(ready[1]);
	/* End of file: the exec has closed the other end. */
	assert_int_equal(read(ready[0], &b, 1), 0);
	close(ready[0]);
	return pid;
}

bool rig_drop_capability(int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data))
		return false;
	data[cap / 32].effective &= ~(1U << (cap % 32));
	data[cap / 32].permitted &= ~(1U << (cap % 32));
	return !syscall(SYS_capset, &head, data);
}
