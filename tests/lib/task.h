/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests that wait: for what a task does, never for a time.  /proc/PID/stack is root's.
 */
#ifndef TESTS_LIB_TASK_H
#define TESTS_LIB_TASK_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Where XFS lets a local operation wait: for the lease to be given back, for pinned pages. */
#define IN_LEASE_BREAK	"__break_lease"
#define IN_PIN_WAIT	"xfs_break_dax_layouts"

/*
 * After so long a wait counts as a hang: a minute, times IOPMEM_SLOW from the environment (a decimal factor of at
 * least 1).  It says nothing about how long anything may take.
 */
static inline int guard_ms(void)
{
	const char *slow = getenv("IOPMEM_SLOW");
	double factor = slow ? atof(slow) : 1;

	return (int)(60000 * (factor > 1 ? factor : 1));
}

static inline uint64_t task_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What /proc/@task/@name says; empty when the task is gone. */
static inline const char *task_says(const char *task, const char *name)
{
	static char text[4096];
	char path[300];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", task, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* Does the task sleep inside of this function of the kernel? */
static inline bool task_sleeps_in(const char *task, const char *function)
{
	char want[100];
	const char *state;

	snprintf(want, sizeof(want), " %s+", function);
	if (!strstr(task_says(task, "stack"), want))
		return false;
	state = strrchr(task_says(task, "stat"), ')');
	return state && (state[2] == 'D' || state[2] == 'S');
}

#endif /* TESTS_LIB_TASK_H */
