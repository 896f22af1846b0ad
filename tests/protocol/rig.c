// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *server_binary;

bool rig_on_card(void)
{
	return getenv("IOPMEM_RIG_CARD");
}

const char *rig_address(void)
{
	const char *address = getenv("IOPMEM_RIG_ADDRESS");

	return address ? address : "127.0.0.1";
}

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

static void run_server(const struct rig *rig, const struct rig_opts *o)
{
	char export[256], listen[64], lease[16], recall[16], hold[16], conns[16];
	const char *argv[40];
	int n = 0, i, fd;

	if (o && o->no_dac_search)
		prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH);
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a test that dies takes it along */
	fd = open(rig->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	snprintf(export, sizeof(export), "d=%s,backing=%s%s", rig->root,
		 rig_on_card() ? "xfs" : "dir", o && o->export_opts ? o->export_opts : "");
	snprintf(listen, sizeof(listen), "%s:0", rig_address());
	snprintf(lease, sizeof(lease), "%u", o && o->lease_ms ? o->lease_ms : 10000);
	snprintf(recall, sizeof(recall), "%u", o && o->recall_ms ? o->recall_ms : 5000);
	snprintf(hold, sizeof(hold), "%u", o ? o->hold_ms : 0);
	argv[n++] = server_binary;
	argv[n++] = "--export";
	argv[n++] = export;
	argv[n++] = "--listen";
	argv[n++] = listen;
	argv[n++] = "--fabric";
	argv[n++] = rig_on_card() ? "verbs" : "tcp";
	argv[n++] = "--state-dir";
	argv[n++] = rig->state;
	argv[n++] = "--lease-ms";
	argv[n++] = lease;
	argv[n++] = "--recall-ms";
	argv[n++] = recall;
	argv[n++] = "--hold-ms";
	argv[n++] = hold;
	if (o && o->max_connections) {
		snprintf(conns, sizeof(conns), "%u", o->max_connections);
		argv[n++] = "--max-connections";
		argv[n++] = conns;
	}
	for (i = 0; o && o->more && o->more[i] && n < 39; i++)
		argv[n++] = o->more[i];
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

	rig->port = 0;
	unlink(rig->log);
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (!rig->pid)
		run_server(rig, o);
	while (each_line(rig, find_port, &rig->port), !rig->port) {
		if (waitpid(rig->pid, NULL, WNOHANG) || now_ms() > until) {
			each_line(rig, print_line, NULL);
			fail_msg("iopmem-server does not serve");
		}
		nap(5);
	}
}

void rig_up(struct rig *rig, const struct rig_opts *o)
{
	memset(rig, 0, sizeof(*rig));
	strcpy(rig->dir, "/tmp/iopmem-protocol-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	assert_int_equal(chmod(rig->dir, 0755), 0);
	if (rig_on_card())
		snprintf(rig->root, sizeof(rig->root), "%.40s/%.20s", getenv("IOPMEM_RIG_CARD"),
			 strrchr(rig->dir, '/') + 1);
	else
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

void rig_await_exit(struct rig *rig, int limit_ms)
{
	uint64_t until = now_ms() + (uint64_t)limit_ms;
	bool bad = false;
	int status;
	pid_t rc;

	while (!(rc = waitpid(rig->pid, &status, WNOHANG))) {
		if (now_ms() > until) {
			each_line(rig, print_line, NULL);
			fail_msg("iopmem-server did not exit within %d ms", limit_ms);
		}
		nap(5);
	}
	rig->pid = 0;
	each_line(rig, bad_line, &bad);
	if (bad || status) {
		each_line(rig, print_line, NULL);
		fail_msg("iopmem-server: wait status %#x%s", (unsigned int)status,
			 bad ? ", errors in its log" : "");
	}
}

void rig_stop(struct rig *rig)
{
	rig_term(rig);
	rig_await_exit(rig, RIG_PATIENCE_MS);
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
	if (rig->dir[0]) {
		nftw(rig->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
}

void rig_end(struct rig *rig)
{
	if (rig->pid)
		rig_stop(rig);
	rig_down(rig);
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
