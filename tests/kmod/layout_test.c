// SPDX-License-Identifier: BSD-3-Clause
/*
 * layout_test MOUNTPOINT SYSFS [quick|limits|CASE...]	runs the cases, TAP on stdout; those of limits.c only when asked for
 * layout_test refuse FILE REASON [COMMAND]	LAYOUT_OPEN of FILE must be refused with that IOPMEM_REFUSED_* number;
 *						COMMAND runs between opening FILE and that
 * layout_test removal MOUNTPOINT FILE		pulls the card (writes 1 to FILE) under a layout
 * layout_test load MOUNTPOINT			takes layouts and uses them until the card or file system is gone
 * layout_test map FILE				MAP for reading of its first 64 KiB must succeed
 * layout_test caps HEX				the capabilities must be these
 * layout_test address MOUNTPOINT FUNCTION	what a PCI function gets as address for a dma-buf
 *
 * Exit status 0: all passed or skipped.
 */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A case that hangs is killed; what it shows then is in the kernel's log. Its own waits end long before. */
#define CASE_MS		(3 * GUARD_MS)
#define TRIES		3

static int number, failed, passed, skipped;

/* The wait status; -1 when it had to be killed. */
static int run_once(const struct lt_case *c)
{
	uint64_t until;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		errno = 0;
		if (c->pins && !lt_can_pin())
			lt_skip("nothing can be pinned here");
		c->run();
		fflush(stdout);
		_exit(0);
	}
	for (until = task_now_ms() + (uint64_t)CASE_MS; task_now_ms() < until; usleep(10000))
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
	printf("# hangs: not finished after %d s\n", CASE_MS / 1000);
	kill(-pid, SIGKILL);
	for (until = task_now_ms() + (uint64_t)GUARD_MS; task_now_ms() < until; usleep(10000))
		if (waitpid(pid, NULL, WNOHANG) == pid)
			break;
	return -1;
}

static void run_case(const struct lt_case *c)
{
	bool again = true;
	int status, i;

	for (i = 0; i < TRIES && again; i++) {
		status = run_once(c);
		again = WIFEXITED(status) && WEXITSTATUS(status) == LT_RECALLED;
		if (again)
			printf("# %s: a MAP took so long that the module recalled its layout; once more\n", c->name);
		if (again && !lt_wait_orphans(0, GUARD_MS))
			break;
	}
	number++;
	if (status == 0) {
		passed++;
		printf("ok %d - %s\n", number, c->name);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skipped++;
		printf("ok %d - %s # SKIP\n", number, c->name);
	} else {
		failed++;
		printf("not ok %d - %s (status %#x)\n", number, c->name, status);
	}
	/* The next case starts without the remains of this one. */
	if (!lt_wait_orphans(0, GUARD_MS)) {
		failed++;
		printf("not ok %d - %s: leaves an orphan\n", number, c->name);
	}
}

static bool wanted(const struct lt_case *c, bool limits, int argc, char **argv)
{
	int i;

	if (!argc)
		return !limits;
	if (!strcmp(argv[0], "quick"))
		return c->quick;
	if (!strcmp(argv[0], "limits"))
		return limits;
	for (i = 0; i < argc; i++)
		if (!strcmp(argv[i], c->name))
			return true;
	return false;
}

static int caps(unsigned long want)
{
	struct iopmem_info info;
	int err = lt_info(&info);
	bool ok = !err && info.caps == want;

	printf("%sok - capabilities %#llx, wanted %#lx\n", ok ? "" : "not ", (unsigned long long)info.caps, want);
	return ok ? 0 : 1;
}

static int refuse(const char *path, unsigned int want, const char *command)
{
	unsigned int reason = 0;
	int fd = open(path, O_RDWR | O_CLOEXEC), err;

	if (fd < 0) {
		perror(path);
		return 1;
	}
	if (command && system(command)) {
		printf("not ok - %s failed\n", command);
		return 1;
	}
	err = lt_open(fd, NULL, &reason);
	if (err == -EOPNOTSUPP && reason == want) {
		printf("ok - %s is refused with reason %u\n", path, reason);
		return 0;
	}
	printf("not ok - %s: error %d reason %u, wanted %d reason %u\n", path, err, reason, -EOPNOTSUPP, want);
	return 1;
}

static int map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), err;

	if (fd < 0) {
		perror(path);
		return 1;
	}
	err = lt_map(lt_layout(fd), 0, 64 * KIB, IOPMEM_IOMODE_READ);
	printf("%sok - map of %s: %s\n", err ? "not " : "", path, strerror(-err));
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct lt_case *tables[] = { lt_basic_cases, lt_break_cases, lt_kill_cases, lt_swap_cases,
					   lt_limits_cases, lt_dmabuf_cases, lt_race_cases };
	const struct lt_case *c;
	size_t i;

	lt_dev = open("/dev/iopmem", O_RDWR | O_CLOEXEC);
	if (lt_dev < 0) {
		perror("/dev/iopmem");
		return 1;
	}
	if (argc >= 4 && !strcmp(argv[1], "refuse"))
		return refuse(argv[2], atoi(argv[3]), argv[4]);
	if (argc == 3 && !strcmp(argv[1], "map"))
		return map(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "load")) {
		lt_mnt = argv[2];
		return lt_load();
	}
	if (argc == 3 && !strcmp(argv[1], "caps"))
		return caps(strtoul(argv[2], NULL, 16));
	if (argc < 3) {
		fprintf(stderr, "usage: layout_test MOUNTPOINT SYSFS [quick|limits|CASE...]\n");
		return 2;
	}
	if (!strcmp(argv[1], "address") && argc == 4) {
		lt_mnt = argv[2];
		return lt_dma_address(argv[3]);
	}
	if (!strcmp(argv[1], "removal") && argc == 4) {
		lt_mnt = argv[2];
		return lt_removal(argv[3]);
	}
	lt_mnt = argv[1];
	lt_sysfs = argv[2];
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (c = tables[i]; c->name; c++)
			if (wanted(c, tables[i] == lt_limits_cases, argc - 3, argv + 3))
				run_case(c);
	printf("1..%d\n%d passed, %d failed, %d skipped\n", number, passed, failed, skipped);
	return failed ? 1 : 0;
}
