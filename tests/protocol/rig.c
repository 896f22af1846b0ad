// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *server_binary;

void rig_main(int argc, char **argv)
{
	if (argc < 2 || access(argv[1], X_OK)) {
		fprintf(stderr, "usage: %s IOPMEM-SERVER\n", argv[0]);
		exit(2);
	}
	server_binary = argv[1];
	signal(SIGPIPE, SIG_IGN);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void nap(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* Calls @fn for each line of the log until it returns false. */
static void each_line(const struct rig *rig, bool (*fn)(const char *line, void *arg),
		      void *arg)
{
	char line[1200];
	FILE *f = fopen(rig->log, "re");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f) && fn(line, arg))
		;
	fclose(f);
}

struct count {
	const char *text;
	unsigned int n;
};

static bool count_line(const char *line, void *arg)
{
	struct count *c = arg;

	c->n += strstr(line, c->text) != NULL;
	return true;
}

unsigned int rig_logged(const struct rig *rig, const char *text)
{
	struct count c = { text, 0 };

	each_line(rig, count_line, &c);
	return c.n;
}

void rig_await_log(const struct rig *rig, const char *text)
{
	await(rig_logged(rig, text));
}

static bool find_port(const char *line, void *arg)
{
	const char *at = strstr(line, "serving ") ? strstr(line, "(port ") : NULL;

	if (at && strchr(line, '\n'))
		*(uint16_t *)arg = (uint16_t)strtoul(at + 6, NULL, 10);
	return true;
}

static bool bad_line(const char *line, void *arg)
{
	if (!strstr(line, " error ") && !strstr(line, "Sanitizer") &&
	    !strstr(line, "runtime error:"))
		return true;
	print_error("server log: %s", line);
	*(bool *)arg = true;
	return true;
}

static bool print_line(const char *line, void *arg)
{
	(void)arg;
	print_error("  | %s", line);
	return true;
}

/* ---- the server's time ---- */

/* Sends it one line; false: it is not there any more. */
static bool command(struct rig *rig, const char *line)
{
	struct pollfd pfd = { .fd = rig->control, .events = POLLIN };
	size_t have = 0, len = strlen(line);
	char answer[3];
	ssize_t n;

	assert_true(rig->control > 0);
	if (send(rig->control, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		return false;
	while (have < sizeof(answer)) {
		if (poll(&pfd, 1, (int)RIG_PATIENCE_MS) != 1) {
			fail_msg("the server does not answer '%.*s': is it iopmem-server-timed?",
				 (int)len - 1, line);
		}
		n = recv(rig->control, answer + have, sizeof(answer) - have, 0);
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	assert_memory_equal(answer, "ok\n", 3);
	return true;
}

void rig_hold(struct rig *rig)
{
	assert_true(command(rig, "hold\n"));
	rig->held = true;
}

void rig_go(struct rig *rig)
{
	command(rig, "go\n");
	rig->held = false;
}

/* A server that stops may be gone by the end of it. */
void rig_step(struct rig *rig, uint64_t ms)
{
	char line[64];

	snprintf(line, sizeof(line), "step %llu\n", (unsigned long long)ms);
	command(rig, line);
}

void rig_rest(struct rig *rig)
{
	assert_true(command(rig, "rest\n"));
}

void rig_shut_gate(struct rig *rig)
{
	assert_true(command(rig, "shut\n"));
}

void rig_await_gate(struct rig *rig)
{
	assert_true(command(rig, "stands\n"));
}

void rig_open_gate(struct rig *rig)
{
	assert_true(command(rig, "open\n"));
}

static void drop_control(struct rig *rig)
{
	if (rig->control > 0)
		close(rig->control);
	rig->control = 0;
	rig->held = false;
}

/* ---- start and end ---- */

static void run_server(const struct rig *rig, const struct rig_opts *o, int control)
{
	char export[256], lease[16], recall[16], conns[16], number[16];
	const char *argv[20];
	int n = 0, fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a test that dies takes it along */
	fd = open(rig->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	snprintf(number, sizeof(number), "%d", control);
	if (fcntl(control, F_SETFD, 0) || setenv("IOPMEM_TEST_CONTROL", number, 1))
		_exit(126);
	snprintf(export, sizeof(export), "d=%s,backing=dir%s", rig->root,
		 o && o->export_opts ? o->export_opts : "");
	snprintf(lease, sizeof(lease), "%u", o && o->lease_ms ? o->lease_ms : 3600000);
	snprintf(recall, sizeof(recall), "%u", o && o->recall_ms ? o->recall_ms : 30000);
	argv[n++] = server_binary;
	argv[n++] = "--export";
	argv[n++] = export;
	argv[n++] = "--listen";
	argv[n++] = "127.0.0.1:0";
	argv[n++] = "--fabric";
	argv[n++] = "tcp";
	argv[n++] = "--state-dir";
	argv[n++] = rig->state;
	argv[n++] = "--lease-ms";
	argv[n++] = lease;
	argv[n++] = "--recall-ms";
	argv[n++] = recall;
	if (o && o->max_connections) {
		snprintf(conns, sizeof(conns), "%u", o->max_connections);
		argv[n++] = "--max-connections";
		argv[n++] = conns;
	}
	argv[n] = NULL;
	execv(server_binary, (char **)(uintptr_t)argv);
	_exit(127);
}

bool rig_alive(struct rig *rig)
{
	return rig->pid && !waitpid(rig->pid, NULL, WNOHANG);
}

void rig_start(struct rig *rig, const struct rig_opts *o)
{
	uint64_t until = now_ms() + RIG_PATIENCE_MS;
	int ends[2];

	drop_control(rig);
	rig->port = 0;
	unlink(rig->log);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (!rig->pid)
		run_server(rig, o, ends[1]);
	close(ends[1]);
	rig->control = ends[0];
	while (each_line(rig, find_port, &rig->port), !rig->port) {
		if (waitpid(rig->pid, NULL, WNOHANG) || now_ms() > until) {
			each_line(rig, print_line, NULL);
			fail_msg("iopmem-server does not serve");
		}
		nap(5);
	}
	if (o && o->held)
		rig_hold(rig);
}

void rig_up(struct rig *rig, const struct rig_opts *o)
{
	memset(rig, 0, sizeof(*rig));
	strcpy(rig->dir, "/tmp/iopmem-protocol-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	assert_int_equal(chmod(rig->dir, 0755), 0);
	snprintf(rig->root, sizeof(rig->root), "%s/export", rig->dir);
	snprintf(rig->state, sizeof(rig->state), "%s/state", rig->dir);
	snprintf(rig->log, sizeof(rig->log), "%s/log", rig->dir);
	assert_int_equal(mkdir(rig->root, 0777), 0);
	assert_int_equal(chmod(rig->root, 0777), 0);
	rig_start(rig, o);
}

void rig_term(struct rig *rig)
{
	assert_int_equal(kill(rig->pid, SIGTERM), 0);
}

void rig_await_exit(struct rig *rig)
{
	uint64_t until = now_ms() + RIG_PATIENCE_MS;
	bool bad = false;
	int status;
	pid_t rc;

	while (!(rc = waitpid(rig->pid, &status, WNOHANG))) {
		if (now_ms() > until) {
			each_line(rig, print_line, NULL);
			fail_msg("iopmem-server does not exit");
		}
		nap(5);
	}
	rig->pid = 0;
	drop_control(rig);
	each_line(rig, bad_line, &bad);
	if (bad || status) {
		each_line(rig, print_line, NULL);
		fail_msg("iopmem-server: wait status %#x%s", (unsigned int)status,
			 bad ? ", errors in its log" : "");
	}
}

void rig_stop(struct rig *rig)
{
	if (rig->held)
		rig_go(rig);
	rig_term(rig);
	rig_await_exit(rig);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void rig_down(struct rig *rig)
{
	if (rig->pid) {		/* the test failed half-way */
		each_line(rig, print_line, NULL);
		kill(rig->pid, SIGKILL);
		waitpid(rig->pid, NULL, 0);
		rig->pid = 0;
	}
	drop_control(rig);
	if (rig->dir[0])
		nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void rig_path(const struct rig *rig, const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", rig->root, name);
}

void rig_fill(const struct rig *rig, const char *name, char byte, size_t len)
{
	char path[128], *buf = malloc(len ? len : 1);
	int fd;

	rig_path(rig, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	assert_non_null(buf);
	memset(buf, byte, len);
	assert_int_equal(write(fd, buf, len), len);
	free(buf);
	close(fd);
}

uint64_t rig_size(const struct rig *rig, const char *name)
{
	char path[128];
	struct stat st;

	rig_path(rig, name, path);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* For when no layout is out: the open() here breaks the server's lease and waits. */
bool rig_bytes(const struct rig *rig, const char *name, uint64_t offset, size_t len,
	       char byte)
{
	char path[128], *buf = malloc(len);
	bool same;
	int fd;

	rig_path(rig, name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_non_null(buf);
	same = pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
	for (size_t i = 0; same && i < len; i++)
		same = buf[i] == byte;
	free(buf);
	close(fd);
	return same;
}
