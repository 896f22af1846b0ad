/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the cases of layout_test share.  A case is a function; CHECK* end it as
 * failed.  Each case runs in a process of its own, so that what it leaves open
 * or pinned goes with it.
 */
#ifndef LT_H
#define LT_H

#include "iopmem.h"
#include "../lib/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define KIB		1024UL
#define MIB		(1024UL * KIB)
#define PG		4096UL
#define MAX_EXTENTS	256

extern const char *lt_mnt;	/* XFS with dax=always on the card */
extern const char *lt_sysfs;	/* the card's iopmem folder in sysfs */
extern int lt_dev;		/* /dev/iopmem */

/* Bounds a hang; no assertion is made about it. */
#define GUARD_MS	guard_ms()

#define CHECK(cond) \
	do { if (!(cond)) lt_fail(__FILE__, __LINE__, #cond); } while (0)
#define CHECK_EQ(got, want) \
	lt_check_eq(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
/* The child comes to sleep in that function of the kernel (IN_*) and stays there. */
#define CHECK_WAITS(pid, function) \
	lt_check_waits(__FILE__, __LINE__, pid, function)
/* The layout is watched for a moment, and nobody recalls it. */
#define CHECK_KEPT(layout_fd) \
	lt_check_kept(__FILE__, __LINE__, layout_fd)

/*
 * Exit status of a case that says nothing and is run again.  A MAP or EXTEND for which XFS needs a second or more recalls
 * its own layout (kmod/extend.c), and a MAP then fails with EAGAIN, also when all that happened is that the machine stood
 * still.
 */
#define LT_RECALLED	3

void lt_fail(const char *file, int line, const char *what) __attribute__((noreturn));
void lt_check_eq(const char *file, int line, const char *what, long long got, long long want);
void lt_check_waits(const char *file, int line, pid_t pid, const char *function);
void lt_check_kept(const char *file, int line, int layout_fd);
void lt_skip(const char *why) __attribute__((noreturn));

/* All return 0 or -errno. */
int lt_info(struct iopmem_info *info);
int lt_open(int file_fd, int *layout_fd, unsigned int *reason);
int lt_map_into(int fd, uint64_t offset, uint64_t length, unsigned int iomode, struct iopmem_extent *extents,
		unsigned int *nr);
int lt_map(int fd, uint64_t offset, uint64_t length, unsigned int iomode);
int lt_commit(int fd, uint64_t offset, uint64_t length, uint64_t *new_size);
int lt_extend(int fd, uint64_t offset, uint64_t length);
int lt_trim(int fd, uint64_t size);
int lt_unmap(int fd, uint64_t offset, uint64_t length);

/* An empty file below lt_mnt, open with @flags; unlinked when @path is NULL. */
int lt_file(const char *path, int flags);
/* The layout of a file; must succeed. */
int lt_layout(int file_fd);
/* A file of @size bytes of @byte, durable, with its blocks real. */
int lt_full_file(const char *path, size_t size, int byte);
uint64_t lt_size(int fd);
/* Makes the blocks of a range inside EOF real, as the server does. */
void lt_populate(int file_fd, uint64_t offset, uint64_t length);
void lt_write_pattern(int fd, uint64_t offset, size_t length, unsigned int seed);
bool lt_has_pattern(int fd, uint64_t offset, size_t length, unsigned int seed);
bool lt_all(int fd, uint64_t offset, size_t length, int byte);
/* Does the module offer the memory kind pin here? Without it a layout fd has no mmap. */
bool lt_can_pin(void);
void *lt_mmap(int fd, uint64_t offset, size_t length, int prot);
/* Holds references to the pages of [addr, length) in a pipe until it is closed. */
void lt_pin(int pipe_in, void *addr, size_t length);
/* Waits for POLLPRI; false when it does not come in time. */
bool lt_poll_break(int layout_fd, int ms);
/* Does loading this byte raise SIGBUS? */
bool lt_sigbus(volatile char *p, bool store);

/*
 * Runs @fn in a child; lt_child_done: has it ended within @ms?  It must have succeeded.  Here and below what must
 * come is waited for with GUARD_MS; a short time is for what must not.
 */
pid_t lt_child(void (*fn)(void *arg), void *arg);
bool lt_child_done(pid_t pid, int ms);
void lt_kill(pid_t pid);
unsigned int lt_orphans(void);
bool lt_wait_orphans(unsigned int want, int ms);
/* Until any task of the machine sleeps in that function of the kernel; false when none does in time. */
bool lt_wait_task_in(const char *function);
void lt_sleep_ms(int ms);
/* A number in the card's folder in sysfs. */
unsigned long lt_sysfs_number(const char *name);

/* dmabuf.c: an importer (module dmabuf_importer; the case is skipped without) that has a range RW-mapped, by the
 * behaviour IMPORT_* of @flags. */
int lt_importer(void);
int lt_dmabuf(int layout_fd, uint64_t offset, uint64_t length, unsigned int iomode, int *fd);
int lt_import(int layout_fd, uint64_t offset, uint64_t length, unsigned int flags);
void lt_import_unmap(int imp);
/* Until it was told to let go, once. */
void lt_import_await_told(int imp);
/* Prints the address that a PCI function gets for the first page of a file, and where that is on the card. */
int lt_dma_address(const char *device);

/* Removes the card through the sysfs file @remove while a layout is out. */
int lt_removal(const char *remove);

/* Takes layouts and uses them until there are none to be had. */
int lt_load(void);

struct lt_case {
	const char *name;
	void (*run)(void);
	bool quick;
	bool pins;	/* only where pages can be pinned */
};

extern const struct lt_case lt_basic_cases[], lt_break_cases[], lt_kill_cases[], lt_swap_cases[],
	lt_limits_cases[], lt_dmabuf_cases[], lt_race_cases[];

#endif /* LT_H */
