/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests that wait: for what a task does, never for a time.
 */
#ifndef TESTS_LIB_TASK_H
#define TESTS_LIB_TASK_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
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

/* The task of a process or thread, until the next call. */
static inline const char *task_name(pid_t id)
{
	static char name[16];

	snprintf(name, sizeof(name), "%d", (int)id);
	return name;
}

/*
 * Does the task sleep inside of a function of the kernel with @function in its name?  The kernel keeps the stack from
 * who is not root, and perhaps the innermost function, too: then that it sleeps is as much as is known.
 */
static inline bool task_sleeps_in(const char *task, const char *function)
{
	const char *state = strrchr(task_says(task, "stat"), ')'), *where;

	if (!state || !strchr("DIS", state[2]))
		return false;
	where = task_says(task, "stack");
	if (!*where)
		where = task_says(task, "wchan");
	if (!*where || !strcmp(where, "0"))
		return geteuid() != 0;
	return strstr(where, function) != NULL;
}

#endif /* TESTS_LIB_TASK_H */
