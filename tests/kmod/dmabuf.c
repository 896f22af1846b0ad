// SPDX-License-Identifier: BSD-3-Clause
/* dma-bufs of mapped ranges, through the test importer: who may have one, what it reaches, and that no block is free
 * before every importer has let go. */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "dmabuf_importer/dmabuf_importer.h"

#define RW		IOPMEM_IOMODE_RW
#define READ		IOPMEM_IOMODE_READ
#define BOTH		0	/* enum dma_data_direction */
#define TO_DEVICE	1
#define FROM_DEVICE	2

static int ret_of(int ret)
{
	return ret < 0 ? -errno : 0;
}

int lt_importer(void)
{
	int fd = open("/dev/dmabuf_importer", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		lt_skip("no importer (module dmabuf_importer)");
	return fd;
}

int lt_dmabuf(int layout_fd, uint64_t offset, uint64_t length, unsigned int iomode, int *fd)
{
	struct iopmem_dmabuf arg = {
		.size = sizeof(arg), .offset = offset, .length = length, .iomode = iomode,
	};
	int err = ret_of(ioctl(layout_fd, IOPMEM_IOC_DMABUF, &arg));

	*fd = err ? -1 : arg.fd;
	return err;
}

static int attach(int imp, int fd, unsigned int flags, const char *device)
{
	struct import_attach arg = { .fd = fd, .flags = flags };

	strncpy(arg.device, device, sizeof(arg.device) - 1);
	return ret_of(ioctl(imp, IMPORT_ATTACH, &arg));
}

static int map(int imp, unsigned long dir)
{
	return ret_of(ioctl(imp, IMPORT_MAP, dir));
}

static void call(int imp, unsigned long cmd)
{
	CHECK_EQ(ret_of(ioctl(imp, cmd, 0)), 0);
}

static struct import_state state(int imp)
{
	struct import_state s;

	CHECK_EQ(ret_of(ioctl(imp, IMPORT_STATE, &s)), 0);
	return s;
}

static int dma(int imp, uint64_t offset, void *buf, size_t length, bool write)
{
	struct import_io io = { .offset = offset, .length = length, .buf = (uintptr_t)buf, .write = write };

	return ret_of(ioctl(imp, IMPORT_IO, &io));
}

static void dma_fill(int imp, uint64_t offset, size_t length, int byte)
{
	char *buf = malloc(length);

	CHECK(buf);
	memset(buf, byte, length);
	CHECK_EQ(dma(imp, offset, buf, length, true), 0);
	free(buf);
}

static bool dma_all(int imp, uint64_t offset, size_t length, int byte)
{
	char *buf = malloc(length);
	size_t i = 0;

	CHECK(buf);
	CHECK_EQ(dma(imp, offset, buf, length, false), 0);
	while (i < length && buf[i] == (char)byte)
		i++;
	free(buf);
	return i == length;
}

/* An importer that has [offset, length) of the layout mapped; the dma-buf's own descriptor is closed. */
int lt_import(int layout_fd, uint64_t offset, uint64_t length, unsigned int flags)
{
	int imp = lt_importer(), fd;

	CHECK_EQ(lt_dmabuf(layout_fd, offset, length, RW, &fd), 0);
	CHECK_EQ(attach(imp, fd, flags, ""), 0);
	CHECK_EQ(map(imp, BOTH), 0);
	close(fd);
	return imp;
}

void lt_import_unmap(int imp)
{
	call(imp, IMPORT_UNMAP);
}

void lt_import_await_told(int imp)
{
	uint64_t until = task_now_ms() + (uint64_t)GUARD_MS;

	while (!state(imp).told && task_now_ms() < until)
		lt_sleep_ms(1);
	CHECK_EQ(state(imp).told, 1);
}

static void counts(unsigned long bufs, unsigned long attachments, unsigned long mappings)
{
	CHECK_EQ(lt_sysfs_number("dmabufs"), bufs);
	CHECK_EQ(lt_sysfs_number("attachments"), attachments);
	CHECK_EQ(lt_sysfs_number("dma_mappings"), mappings);
}

static bool importers_say(const char *words)
{
	char path[256], text[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/importers", lt_sysfs);
	f = fopen(path, "r");
	CHECK(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	if (strstr(text, words))
		return true;
	printf("# importers: '%s', wanted '%s'\n", text, words);
	return false;
}

/* A file of pieces that do not lie side by side, all of @byte. */
static int fragmented_file(unsigned int pieces, int byte)
{
	int a = lt_file(NULL, O_RDWR), b = lt_file(NULL, O_RDWR);
	char block[64 * KIB];
	unsigned int i;

	memset(block, byte, sizeof(block));
	for (i = 0; i < pieces; i++) {
		CHECK_EQ(pwrite(a, block, sizeof(block), i * sizeof(block)), sizeof(block));
		CHECK(!fsync(a));
		CHECK_EQ(pwrite(b, block, sizeof(block), i * sizeof(block)), sizeof(block));
		CHECK(!fsync(b));
	}
	close(b);
	return a;
}

/* Bytes go where the file has them, both ways, over pieces; who has what is shown. */
static void dmabuf_io(void)
{
	int file = fragmented_file(4, 0x31), fd = lt_layout(file), imp = lt_importer(), buf;
	struct import_state s;
	struct stat st;

	CHECK_EQ(lt_map(fd, 0, 256 * KIB, RW), 0);
	CHECK_EQ(lt_dmabuf(fd, PG, 192 * KIB, RW, &buf), 0);
	CHECK_EQ(lseek(buf, 0, SEEK_END), 192 * KIB);
	CHECK(mmap(NULL, PG, PROT_READ, MAP_SHARED, buf, 0) == MAP_FAILED);
	counts(1, 0, 0);
	CHECK_EQ(attach(imp, buf, 0, ""), 0);
	counts(1, 1, 0);
	CHECK_EQ(map(imp, BOTH), 0);
	counts(1, 1, 1);
	CHECK(importers_say("dmabuf_importer inode "));
	CHECK(importers_say(" offset 4096 length 196608 mappings 1\n"));
	s = state(imp);
	CHECK(s.entries > 1 && s.pages == 0);
	CHECK_EQ(s.length, 192 * KIB);

	CHECK(dma_all(imp, 0, 192 * KIB, 0x31));
	dma_fill(imp, 100, 100 * KIB, 0x32);
	CHECK(lt_all(file, 0, PG + 100, 0x31));
	CHECK(lt_all(file, PG + 100, 100 * KIB, 0x32));
	CHECK(lt_all(file, PG + 100 + 100 * KIB, 256 * KIB - PG - 100 - 100 * KIB, 0x31));
	CHECK_EQ(pwrite(fd, "hello", 5, 150 * KIB), 5);
	{
		char got[5];

		CHECK_EQ(dma(imp, 150 * KIB - PG, got, 5, false), 0);
		CHECK(!memcmp(got, "hello", 5));
		CHECK_EQ(dma(imp, 192 * KIB - 2, got, 5, false), -ERANGE);
	}

	call(imp, IMPORT_UNMAP);
	counts(1, 1, 0);
	/* and again, as long as nothing was revoked */
	CHECK_EQ(map(imp, BOTH), 0);
	CHECK_EQ(state(imp).told, 0);
	call(imp, IMPORT_DETACH);
	counts(1, 0, 0);
	close(buf);
	counts(0, 0, 0);
	CHECK_EQ(lt_unmap(fd, 0, 256 * KIB), 0);
	close(fd);
	CHECK(!fstat(file, &st));
	CHECK_EQ(lt_orphans(), 0);
}

/* What EXPORT refuses. */
static void dmabuf_arguments(void)
{
	struct iopmem_dmabuf arg = { .size = sizeof(arg), .length = PG, .iomode = RW, .reserved = 1 };
	int file = lt_full_file(NULL, MIB, 0x33), fd = lt_layout(file), buf;

	CHECK_EQ(lt_dmabuf(fd, 0, PG, READ, &buf), -ERANGE);
	CHECK_EQ(lt_map(fd, 0, 64 * KIB, READ), 0);
	CHECK_EQ(lt_dmabuf(fd, 0, 64 * KIB, RW, &buf), -ERANGE);
	CHECK_EQ(lt_dmabuf(fd, 0, 65 * KIB + 3 * KIB, READ, &buf), -ERANGE);
	CHECK_EQ(lt_dmabuf(fd, 0, 64 * KIB, READ, &buf), 0);
	close(buf);
	CHECK_EQ(lt_map(fd, 64 * KIB, 64 * KIB, RW), 0);
	CHECK_EQ(lt_dmabuf(fd, 32 * KIB, 64 * KIB, RW, &buf), -ERANGE);
	CHECK_EQ(lt_dmabuf(fd, 1, PG, READ, &buf), -EINVAL);
	CHECK_EQ(lt_dmabuf(fd, 0, PG + 1, READ, &buf), -EINVAL);
	CHECK_EQ(lt_dmabuf(fd, 0, 0, READ, &buf), -EINVAL);
	CHECK_EQ(lt_dmabuf(fd, -PG, 2 * PG, READ, &buf), -EINVAL);
	CHECK_EQ(lt_dmabuf(fd, 0, PG, 3, &buf), -EINVAL);
	CHECK_EQ(ret_of(ioctl(fd, IOPMEM_IOC_DMABUF, &arg)), -EINVAL);
	arg.reserved = 0;
	arg.flags = 1;
	CHECK_EQ(ret_of(ioctl(fd, IOPMEM_IOC_DMABUF, &arg)), -EINVAL);
	CHECK_EQ(ret_of(ioctl(lt_dev, IOPMEM_IOC_DMABUF, &arg)), -ENOTTY);
}

/* Who may not have one. */
static void dmabuf_importers(void)
{
	int file = lt_full_file(NULL, MIB, 0x34), fd = lt_layout(file), imp = lt_importer(), rw, ro;
	struct utsname u;
	bool revocable;

	CHECK(!uname(&u));
	revocable = atoi(u.release) >= 7;
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK_EQ(lt_dmabuf(fd, 0, MIB, RW, &rw), 0);
	CHECK_EQ(lt_dmabuf(fd, 0, MIB, READ, &ro), 0);
	CHECK_EQ(attach(imp, rw, IMPORT_STATIC, ""), -EOPNOTSUPP);
	CHECK_EQ(attach(imp, rw, IMPORT_NO_PEER, ""), -EOPNOTSUPP);
	/* before 7.x the kernel itself takes offence at an importer without the callback */
	if (revocable)
		CHECK_EQ(attach(imp, rw, IMPORT_DEAF, ""), -EOPNOTSUPP);
	CHECK_EQ(attach(imp, rw, IMPORT_PINS, ""), 0);
	CHECK_EQ(map(imp, BOTH), revocable ? 0 : -EOPNOTSUPP);
	CHECK_EQ(lt_sysfs_number("dma_mappings"), revocable);
	call(imp, IMPORT_DETACH);
	/* one that has pinned and given up may map without */
	CHECK_EQ(attach(imp, rw, 0, ""), 0);
	CHECK_EQ(map(imp, FROM_DEVICE), 0);
	call(imp, IMPORT_DETACH);
	CHECK_EQ(attach(imp, ro, 0, ""), 0);
	CHECK_EQ(map(imp, FROM_DEVICE), -EACCES);
	CHECK_EQ(map(imp, TO_DEVICE), 0);
	call(imp, IMPORT_UNMAP);
	CHECK_EQ(map(imp, BOTH), 0);
	CHECK(dma_all(imp, 0, MIB, 0x34));
	call(imp, IMPORT_DETACH);
	counts(2, 0, 0);
}

static atomic_ulong dma_writes;
static int writer_imp;

/* Writes as fast as it can until it is refused. */
static void *dma_writer(void *arg)
{
	char *buf = malloc(256 * KIB);
	int err;

	CHECK(buf);
	memset(buf, 0x77, 256 * KIB);
	while (!(err = dma(writer_imp, 0, buf, 256 * KIB, true)))
		atomic_fetch_add(&dma_writes, 1);
	free(buf);
	return (void *)(intptr_t)err;
	(void)arg;
}

/* UNMAP takes it away from an importer in the middle of its work; for good, and only what the range touches. */
static void dmabuf_unmap_revokes(void)
{
	int file = lt_full_file(NULL, MIB, 0x35), fd = lt_layout(file), other, again;
	pthread_t thread;
	void *err;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK_EQ(lt_dmabuf(fd, 0, 256 * KIB, RW, &again), 0);
	writer_imp = lt_import(fd, 0, 256 * KIB, 0);
	other = lt_import(fd, 512 * KIB, 256 * KIB, 0);
	CHECK(!pthread_create(&thread, NULL, dma_writer, NULL));
	while (atomic_load(&dma_writes) < 3)
		lt_sleep_ms(1);
	CHECK_EQ(lt_unmap(fd, 252 * KIB, PG), 0);
	CHECK_EQ(pwrite(fd, "kept", 4, 0), 4);
	CHECK(!pthread_join(thread, &err));
	CHECK_EQ((intptr_t)err, -ENODEV);
	CHECK_EQ(state(writer_imp).told, 1);
	CHECK_EQ(state(writer_imp).entries, 0);
	CHECK(lt_all(file, 4, 100, 0x77));
	{
		char got[4];

		CHECK_EQ(pread(file, got, 4, 0), 4);
		CHECK(!memcmp(got, "kept", 4));
	}
	CHECK_EQ(map(writer_imp, BOTH), -ENODEV);
	call(writer_imp, IMPORT_DETACH);
	CHECK_EQ(attach(writer_imp, again, 0, ""), -ENODEV);
	/* the neighbour has heard nothing */
	CHECK_EQ(state(other).told, 0);
	CHECK(dma_all(other, 0, 256 * KIB, 0x35));
	counts(1, 1, 1);
	/* what was not unmapped can be exported anew */
	close(again);
	CHECK_EQ(lt_dmabuf(fd, 0, 252 * KIB, RW, &again), 0);
	CHECK_EQ(lt_dmabuf(fd, 0, 256 * KIB, RW, &again), -ERANGE);
}

/* Nothing is unmapped under an importer that does not let go; it is named. */
static void dmabuf_keeps(void)
{
	int file = lt_full_file(NULL, MIB, 0x36), fd = lt_layout(file), imp, buf;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	imp = lt_import(fd, 0, MIB, IMPORT_KEEPS);
	CHECK_EQ(lt_unmap(fd, 0, MIB), -EBUSY);
	CHECK_EQ(state(imp).told, 1);
	CHECK(importers_say("mappings 1 revoked\n"));
	CHECK_EQ(lt_sysfs_number("mapped_bytes"), MIB);
	CHECK(lt_all(fd, 0, MIB, 0x36));
	CHECK_EQ(lt_unmap(fd, 0, MIB), -EBUSY);
	CHECK_EQ(state(imp).told, 1);
	/* a range beside it is free */
	CHECK_EQ(lt_dmabuf(fd, 0, MIB, RW, &buf), 0);
	close(buf);
	call(imp, IMPORT_UNMAP);
	CHECK_EQ(lt_unmap(fd, 0, MIB), 0);
	counts(0, 0, 0);
	/* detached late, when nobody here knows it any more */
	CHECK_EQ(map(imp, BOTH), -ENODEV);
	close(fd);
	CHECK_EQ(lt_orphans(), 0);
	call(imp, IMPORT_DETACH);
}

/* A fence is an operation that goes on although nothing is mapped. */
static void dmabuf_fence(void)
{
	int file = lt_full_file(NULL, MIB, 0x37), fd = lt_layout(file), imp;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	imp = lt_import(fd, 0, MIB, 0);
	call(imp, IMPORT_FENCE);
	CHECK_EQ(lt_unmap(fd, 0, MIB), -EBUSY);
	CHECK_EQ(state(imp).entries, 0);
	CHECK_EQ(lt_sysfs_number("mapped_bytes"), MIB);
	call(imp, IMPORT_SIGNAL);
	CHECK_EQ(lt_unmap(fd, 0, MIB), 0);
}

static int cut_file;

static void truncater(void *arg)
{
	(void)arg;
	CHECK(!ftruncate(cut_file, 0));
}

/* What the importer can still write is the file's, and the file keeps its blocks until it cannot. */
static void keeps_its_blocks(pid_t child, int imp)
{
	char got[16];
	struct stat st;

	CHECK_EQ(lt_orphans(), 1);
	CHECK_WAITS(child, IN_LEASE_BREAK);
	dma_fill(imp, 0, sizeof(got), 0x7e);
	CHECK_EQ(pread(cut_file, got, sizeof(got), 0), sizeof(got));
	CHECK(got[0] == 0x7e && got[sizeof(got) - 1] == 0x7e);
	CHECK(!fstat(cut_file, &st));
	CHECK_EQ(st.st_size, MIB);
	CHECK_EQ(lt_open(cut_file, NULL, NULL), -EBUSY);
	counts(1, 1, 1);
	call(imp, IMPORT_UNMAP);
	CHECK(lt_child_done(child, GUARD_MS));
	/* the lease goes first */
	CHECK(lt_wait_orphans(0, GUARD_MS));
	CHECK_EQ(lt_size(cut_file), 0);
	counts(0, 0, 0);
	CHECK_EQ(dma(imp, 0, got, sizeof(got), true), -ENODEV);
	CHECK_EQ(map(imp, BOTH), -ENODEV);
	/* late, and the layout is long gone */
	call(imp, IMPORT_DETACH);
}

/* A local truncate waits for the return, and then until nothing is mapped. */
static void dmabuf_truncate(void)
{
	int fd, imp;
	pid_t child;

	cut_file = lt_full_file(NULL, MIB, 0x38);
	fd = lt_layout(cut_file);
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	imp = lt_import(fd, 0, MIB, IMPORT_KEEPS);
	child = lt_child(truncater, NULL);
	CHECK(lt_poll_break(fd, GUARD_MS));
	{
		int buf;

		CHECK_EQ(lt_dmabuf(fd, 0, MIB, RW, &buf), -EAGAIN);
	}
	/* a recall is not a revoke: who is asked may finish */
	CHECK_WAITS(child, IN_LEASE_BREAK);
	CHECK_EQ(state(imp).told, 0);
	close(fd);
	CHECK(lt_wait_orphans(1, GUARD_MS));
	keeps_its_blocks(child, imp);
}

static int kill_imp, kill_ready[2];

static void holder(void *arg)
{
	int fd = lt_layout(cut_file), buf;

	(void)arg;
	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	CHECK_EQ(lt_dmabuf(fd, 0, MIB, RW, &buf), 0);
	CHECK_EQ(attach(kill_imp, buf, IMPORT_KEEPS, ""), 0);
	CHECK_EQ(map(kill_imp, BOTH), 0);
	CHECK_EQ(write(kill_ready[1], "r", 1), 1);
	pause();
}

/* The same when the holder dies: revoked, and waited for. */
static void dmabuf_killed(void)
{
	pid_t child, truncate;
	char c;

	cut_file = lt_full_file(NULL, MIB, 0x39);
	kill_imp = lt_importer();
	CHECK(!pipe(kill_ready));
	child = lt_child(holder, NULL);
	CHECK_EQ(read(kill_ready[0], &c, 1), 1);
	truncate = lt_child(truncater, NULL);
	CHECK_WAITS(truncate, IN_LEASE_BREAK);
	lt_kill(child);
	CHECK(lt_wait_orphans(1, GUARD_MS));
	lt_import_await_told(kill_imp);
	keeps_its_blocks(truncate, kill_imp);
}

/* An importer that does as it is told costs nobody anything: no orphan, no wait. */
static void dmabuf_close(void)
{
	int file = lt_full_file(NULL, MIB, 0x3a), fd = lt_layout(file), imp, i;

	CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
	imp = lt_import(fd, 0, MIB, 0);
	close(fd);
	CHECK(lt_wait_orphans(0, GUARD_MS));
	CHECK_EQ(state(imp).told, 1);
	CHECK_EQ(state(imp).entries, 0);
	for (i = 0; i < 100; i++) {
		fd = lt_layout(file);
		CHECK_EQ(lt_map(fd, 0, MIB, RW), 0);
		close(lt_import(fd, 0, MIB, 0));
		counts(0, 0, 0);
		CHECK_EQ(lt_unmap(fd, 0, MIB), 0);
		close(fd);
		CHECK_EQ(lt_orphans(), 0);
	}
}

int lt_dma_address(const char *device)
{
	int file = lt_full_file(NULL, MIB, 0x3b), fd = lt_layout(file), imp = lt_importer(), buf;
	struct iopmem_extent extent;
	unsigned int nr = 1;
	struct import_state s;
	int err;

	CHECK_EQ(lt_map_into(fd, 0, PG, RW, &extent, &nr), 0);
	CHECK_EQ(lt_dmabuf(fd, 0, PG, RW, &buf), 0);
	CHECK_EQ(attach(imp, buf, 0, device), 0);
	err = map(imp, BOTH);
	if (err) {
		printf("not ok - %s: map: %d\n", device, err);
		return 1;
	}
	s = state(imp);
	CHECK_EQ(s.entries, 1);
	printf("dma %#llx card %#llx\n", (unsigned long long)s.first, (unsigned long long)extent.dev_offset);
	return 0;
}

const struct lt_case lt_dmabuf_cases[] = {
	{ "dmabuf_io", dmabuf_io, true, false },
	{ "dmabuf_arguments", dmabuf_arguments, false, false },
	{ "dmabuf_importers", dmabuf_importers, true, false },
	{ "dmabuf_unmap_revokes", dmabuf_unmap_revokes, true, false },
	{ "dmabuf_keeps", dmabuf_keeps, false, false },
	{ "dmabuf_fence", dmabuf_fence, false, false },
	{ "dmabuf_truncate", dmabuf_truncate, true, false },
	{ "dmabuf_killed", dmabuf_killed, true, false },
	{ "dmabuf_close", dmabuf_close, false, false },
	{ .name = NULL },
};
