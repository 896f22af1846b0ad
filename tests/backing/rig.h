/* SPDX-License-Identifier: BSD-3-Clause */
/* An export directory, a state directory, one file: what the backing tests share. */
#ifndef IOPMEM_TESTS_BACKING_RIG_H
#define IOPMEM_TESTS_BACKING_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cmocka.h>

#include "../lib/task.h"
#include "backing.h"

#define PAGE		4096UL
#define RANGE(a, b)	((struct range){ (a), (b) })

struct rig {
	const struct backing_ops *ops;
	struct backing_attr attr;
	struct backing_export *exp;
	struct backing_file *file;
	struct iopmem_err err;
	char dir[128], state[128];
	bool own_dir;			/* made by the rig, removed at the end */
	int dir_fd, state_fd;
	int pipe[2];			/* a byte a break */
	int breaks;
	void *broken_cookie;
};

/* Directories below $TMPDIR (/tmp). */
struct rig *rig_new(const struct backing_ops *ops);
/* A fresh directory below @parent as the export. */
struct rig *rig_new_in(const struct backing_ops *ops, const char *parent);
void rig_free(struct rig *rig);
int rig_teardown(void **state);

void rig_export(struct rig *rig);		/* export_open */
void rig_stop(struct rig *rig);			/* file_close, export_close */
void rig_open(struct rig *rig, const char *name);	/* file_open */

void rig_file(struct rig *rig, const char *name, size_t size);	/* create, filled with 'o' */
off_t rig_size(struct rig *rig, const char *name);
void rig_stat(struct rig *rig, const char *name, struct stat *st);
int rig_truncate(struct rig *rig, const char *name, off_t size);
int rig_unlink(struct rig *rig, const char *name);
void rig_expect(struct rig *rig, const char *name, off_t at, int byte, size_t len);

void rig_map_rw(struct rig *rig, struct range range);
void rig_write(struct rig *rig, struct range range, int byte);	/* through its memory */

/* Waits until on_break was called. */
bool rig_break_within(struct rig *rig, int ms);
bool rig_await_break(struct rig *rig);		/* with a hang guard */
bool rig_readable(int fd, int ms);
bool rig_await_readable(int fd);
int rig_wait(pid_t pid);		/* exit status; 128 + signal */
/* A process that changes @name; *@done becomes readable when @change has returned 0. */
typedef int (*change_fn)(int dir_fd, const char *name, int arg);
pid_t rig_changer(struct rig *rig, const char *name, change_fn change, int arg, int *done);
/* The same: it opens @name. */
pid_t rig_opener(struct rig *rig, const char *name, int flags, int *done);
/* Such a process sleeps in the kernel, in a function of that name, and is not done. */
void rig_assert_waiting(pid_t pid, int done, const char *where);
/* A process that runs a program which is the file @name. */
pid_t rig_sleeper(struct rig *rig, const char *name);
/* Of the calling thread, for good. */
bool rig_drop_capability(int cap);

#define assert_ok(rig, call) do {					\
	int ret_ = (call);						\
	if (ret_)							\
		print_error("%d %s\n", ret_, (rig)->err.text);		\
	assert_int_equal(ret_, 0);					\
} while (0)

#endif
