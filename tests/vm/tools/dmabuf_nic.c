// SPDX-License-Identifier: BSD-3-Clause
/*
 * Preloaded into a server: makes a software NIC look like one that imports dma-bufs, where the module lets pages be
 * pinned.  A registration maps the dma-buf through the test importer (module dmabuf_importer) and registers the same bytes
 * of the layout's own mapping; so bytes move, and the module sees an importer.  $DMABUF_NIC_LOG gets a line for each step,
 * and "violation: ..." when a dma-buf is closed or its range is unmapped before its region is dead.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "iopmem.h"

#include "../../kmod/dmabuf_importer/dmabuf_importer.h"

#define BUFS_MAX 256

struct ibv_pd;
struct ibv_mr;

struct buf {
	int fd;			/* 0: free; -1: closed */
	int layout_fd;
	uint64_t offset, length;
	uint32_t iomode;
	int importer;
	void *addr;
	struct ibv_mr *mr;	/* NULL: no region */
};

static struct buf bufs[BUFS_MAX];
/* Recursive: libibverbs comes back here by its own calls. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static FILE *out;

#pragma GCC visibility push(default)
int close(int fd);
int ioctl(int fd, unsigned long cmd, ...);
struct ibv_mr *ibv_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova, int fd, int access);
int ibv_dereg_mr(struct ibv_mr *mr);
#pragma GCC visibility pop

static void say(const char *what, const struct buf *b)
{
	if (!out)
		out = fopen(getenv("DMABUF_NIC_LOG"), "ae");
	if (out)
		fprintf(out, "%s [%llu, +%llu)\n", what, (unsigned long long)b->offset, (unsigned long long)b->length);
	if (out)
		fflush(out);
}

static struct buf *find_fd(int fd)
{
	for (size_t i = 0; i < BUFS_MAX; i++)
		if (bufs[i].fd == fd)
			return &bufs[i];
	return NULL;
}

static void note_export(int layout_fd, const struct iopmem_dmabuf *arg)
{
	struct buf *b = find_fd(0);

	if (!b)
		abort();
	*b = (struct buf){ .fd = arg->fd, .layout_fd = layout_fd, .offset = arg->offset, .length = arg->length,
			   .iomode = arg->iomode };
	say("export", b);
}

static void note_unmap(int layout_fd, const struct iopmem_unmap *arg)
{
	struct buf range = { .offset = arg->offset, .length = arg->length };

	for (size_t i = 0; i < BUFS_MAX; i++) {
		const struct buf *b = &bufs[i];

		if (b->fd && b->layout_fd == layout_fd && b->offset < arg->offset + arg->length &&
		    arg->offset < b->offset + b->length)
			say("violation: unmapped under", b);
	}
	say("unmap", &range);
}

int ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	pthread_mutex_lock(&lock);
	if (cmd == IOPMEM_IOC_UNMAP)
		note_unmap(fd, arg);
	pthread_mutex_unlock(&lock);
	ret = (int)syscall(SYS_ioctl, fd, cmd, arg);
	if (!ret && cmd == IOPMEM_IOC_DMABUF) {
		pthread_mutex_lock(&lock);
		note_export(fd, arg);
		pthread_mutex_unlock(&lock);
	}
	return ret;
}

int close(int fd)
{
	struct buf *b;

	pthread_mutex_lock(&lock);
	b = fd > 0 ? find_fd(fd) : NULL;
	if (b) {
		say(b->mr ? "violation: closed under a region" : "close", b);
		b->fd = b->mr ? -1 : 0;
	}
	pthread_mutex_unlock(&lock);
	return (int)syscall(SYS_close, fd);
}

/* The importer's view; the caller has the lock. */
static int import(struct buf *b)
{
	struct import_attach attach = { .fd = b->fd, .flags = IMPORT_KEEPS };

	b->importer = open("/dev/dmabuf_importer", O_RDWR | O_CLOEXEC);
	if (b->importer < 0)
		return -1;
	if (!syscall(SYS_ioctl, b->importer, IMPORT_ATTACH, &attach) && !syscall(SYS_ioctl, b->importer, IMPORT_MAP, 0))
		return 0;
	syscall(SYS_close, b->importer);
	return -1;
}

struct ibv_mr *ibv_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova, int fd, int access)
{
	struct ibv_mr *(*reg)(struct ibv_pd *, void *, size_t, uint64_t, unsigned int) = dlsym(RTLD_NEXT, "ibv_reg_mr_iova2");
	struct buf *b;

	pthread_mutex_lock(&lock);
	b = fd > 0 ? find_fd(fd) : NULL;
	errno = EBADF;
	if (!b || !reg || offset || length != b->length || import(b))
		goto err;
	b->addr = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, b->layout_fd, (off_t)b->offset);
	if (b->addr == MAP_FAILED)
		goto err_import;
	b->mr = reg(pd, b->addr, length, iova, (unsigned int)access);
	if (!b->mr)
		goto err_map;
	say("register", b);
	pthread_mutex_unlock(&lock);
	return b->mr;
err_map:
	munmap(b->addr, length);
err_import:
	syscall(SYS_close, b->importer);
err:
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void note_dereg(struct buf *b)
{
	struct import_state state = { 0 };

	if (syscall(SYS_ioctl, b->importer, IMPORT_STATE, &state) || state.told || !state.entries)
		say("violation: revoked under a region", b);
	say("deregister", b);
	syscall(SYS_close, b->importer);
	munmap(b->addr, b->length);
	b->mr = NULL;
	if (b->fd < 0)
		b->fd = 0;
}

int ibv_dereg_mr(struct ibv_mr *mr)
{
	int (*dereg)(struct ibv_mr *) = dlsym(RTLD_NEXT, "ibv_dereg_mr");
	int ret = dereg ? dereg(mr) : ENOSYS;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < BUFS_MAX && !ret; i++)
		if (bufs[i].mr == mr)
			note_dereg(&bufs[i]);
	pthread_mutex_unlock(&lock);
	return ret;
}
