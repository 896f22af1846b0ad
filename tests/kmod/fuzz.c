// SPDX-License-Identifier: BSD-3-Clause
/*
 * layout_fuzz MOUNTPOINT SEED CALLS
 *
 * Random ioctls against /dev/iopmem and layout fds, mostly well-formed, from several threads, while other processes write,
 * truncate, punch and map the same files. Ends after CALLS calls that reached the file system. Each thread's sequence of
 * calls follows from SEED; how threads interleave does not.
 */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "dmabuf_importer/dmabuf_importer.h"

#define THREADS		4
#define FILES		3
#define SPAN		(4 * MIB)
/* A thread gives its layout back after so many calls, or when asked. */
#define CALLS_A_LAYOUT	24

static atomic_ulong reached;
static unsigned long wanted;
static int files[FILES];

struct rng {
	uint64_t state;
};

static uint64_t rnd(struct rng *r)
{
	r->state += 0x9e3779b97f4a7c15;
	uint64_t z = r->state;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t below(struct rng *r, uint64_t n)
{
	return rnd(r) % n;
}

/* One in sixteen is not what the interface wants. */
static uint64_t offset(struct rng *r)
{
	static const uint64_t odd[] = { 1, PG - 1, 1ULL << 62, -PG, UINT64_MAX, INT64_MAX, 1ULL << 43 };

	return below(r, 16) ? below(r, SPAN / PG) * PG : odd[below(r, sizeof(odd) / sizeof(*odd))];
}

static uint32_t field(struct rng *r, uint32_t good)
{
	return below(r, 32) ? good : (uint32_t)rnd(r);
}

/* What the argument checks alone never answer.  Says so now and then: whoever waits for the end sees that it gets on. */
static void count(int ret)
{
	unsigned long n;

	if (ret && (errno == EINVAL || errno == E2BIG || errno == EFAULT || errno == ENOTTY))
		return;
	n = atomic_fetch_add(&reached, 1) + 1;
	if (n % 1000 == 0) {
		printf("# %lu calls\n", n);
		fflush(stdout);
	}
}

static void fuzz_map(struct rng *r, int fd)
{
	struct iopmem_extent extents[MAX_EXTENTS];
	struct iopmem_map map = {
		.size = field(r, sizeof(map)), .flags = field(r, 0), .offset = offset(r),
		.length = (1 + below(r, 64)) * PG, .iomode = field(r, 1 + below(r, 2)),
		.nr_extents = field(r, MAX_EXTENTS), .extents = (uintptr_t)extents, .reserved = field(r, 0),
	};

	if (map.nr_extents > MAX_EXTENTS)
		map.extents = below(r, 2) ? 8 : UINT64_MAX;
	if (!below(r, 32))
		map.length = offset(r);
	count(ioctl(fd, IOPMEM_IOC_MAP, &map));
}

static void fuzz_commit(struct rng *r, int fd)
{
	struct iopmem_range ranges[4];
	struct iopmem_commit commit = {
		.size = field(r, sizeof(commit)), .flags = field(r, 0), .new_size = below(r, 2) ? below(r, SPAN) : 0,
		.ranges = (uintptr_t)ranges, .nr_ranges = below(r, 5), .reserved = field(r, 0),
	};
	uint64_t pos = 0;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pos += below(r, 16) * PG;
		ranges[i] = (struct iopmem_range){ below(r, 16) ? pos : offset(r), (1 + below(r, 4)) * PG };
		pos += ranges[i].length;
	}
	if (!below(r, 32))
		commit.nr_ranges = rnd(r);
	if (commit.nr_ranges > 4)
		commit.ranges = 8;
	count(ioctl(fd, IOPMEM_IOC_COMMIT, &commit));
}

/* Exported, perhaps imported by the test importer, perhaps closed; what stays is revoked by UNMAP or the layout's end. */
static void fuzz_dmabuf(struct rng *r, int fd, int importer)
{
	struct iopmem_dmabuf buf = {
		.size = field(r, sizeof(buf)), .flags = field(r, 0), .offset = offset(r),
		.length = (1 + below(r, 64)) * PG, .iomode = field(r, 1 + below(r, 2)), .reserved = below(r, 32) ? 0 : rnd(r),
	};
	struct import_attach attach = { .flags = below(r, 4) ? 0 : 1U << below(r, 3) };
	int ret = ioctl(fd, IOPMEM_IOC_DMABUF, &buf);

	count(ret);
	if (ret)
		return;
	attach.fd = buf.fd;
	if (below(r, 2))
		ioctl(importer, IMPORT_DETACH, 0);
	ioctl(importer, IMPORT_ATTACH, &attach);
	ioctl(importer, IMPORT_MAP, below(r, 3));
	close(buf.fd);
	if (below(r, 2))
		ioctl(importer, IMPORT_UNMAP, 0);
}

static void fuzz_rest(struct rng *r, int fd)
{
	struct iopmem_unmap unmap = { field(r, sizeof(unmap)), field(r, 0), offset(r), (1 + below(r, 64)) * PG };
	char buf[512], junk[256];
	unsigned int i;

	switch (below(r, 4)) {
	case 0:
		ioctl(fd, IOPMEM_IOC_UNMAP, &unmap);
		break;
	case 1:
		if (pread(fd, buf, sizeof(buf), offset(r) >> 1) < 0)
			break;
		break;
	case 2:
		memset(buf, 'f', sizeof(buf));
		if (pwrite(fd, buf, sizeof(buf), offset(r) >> 1) < 0)
			break;
		break;
	default:
		for (i = 0; i < sizeof(junk); i++)
			junk[i] = below(r, 4) ? 0 : rnd(r);
		ioctl(below(r, 2) ? fd : lt_dev, _IOWR(IOPMEM_IOC_MAGIC, below(r, 24), junk), junk);
	}
}

/* Is somebody waiting for this layout? */
static bool broken(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, 0) == 1;
}

static void *thread(void *arg)
{
	struct rng r = { .state = (uintptr_t)arg };
	int importer = open("/dev/dmabuf_importer", O_RDWR | O_CLOEXEC);

	while (atomic_load(&reached) < wanted) {
		struct iopmem_layout_open open = {
			.size = field(&r, sizeof(open)), .flags = field(&r, 0), .reserved = field(&r, 0),
			.file_fd = below(&r, 32) ? files[below(&r, FILES)] : (int)below(&r, 40) - 4,
		};
		int ret = ioctl(lt_dev, IOPMEM_IOC_LAYOUT_OPEN, &open), i;

		count(ret);
		for (i = 0; !ret && i < CALLS_A_LAYOUT && !broken(open.layout_fd); i++) {
			uint64_t what = below(&r, 9);

			if (what == 8)
				fuzz_dmabuf(&r, open.layout_fd, importer);
			else if (what < 4)
				fuzz_map(&r, open.layout_fd);
			else if (what < 6)
				fuzz_commit(&r, open.layout_fd);
			else
				fuzz_rest(&r, open.layout_fd);
		}
		if (!ret)
			close(open.layout_fd);
	}
	close(importer);
	return NULL;
}

/* A local program; its errors are its own. Until it is killed. */
static void local(uint64_t seed)
{
	struct rng r = { .state = seed };
	char *p;
	int fd, ret = 0;

	for (;;) {
		uint64_t pos = below(&r, SPAN / PG) * PG, len = (1 + below(&r, 64)) * PG;

		fd = files[below(&r, FILES)];
		switch (below(&r, 5)) {
		case 0:
			ret |= pwrite(fd, "local", 5, pos) < 0;
			break;
		case 1:
			ret |= ftruncate(fd, pos);
			break;
		case 2:
			ret |= fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len);
			break;
		case 3:
			ret |= fsync(fd);
			break;
		default:
			p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, pos);
			if (p == MAP_FAILED)
				break;
			/* beyond EOF: a failure instead of SIGBUS */
			ret |= madvise(p, len, MADV_POPULATE_WRITE);
			munmap(p, len);
		}
		lt_sleep_ms(1 + below(&r, 8));
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	pid_t locals[2];
	uint64_t seed;
	char name[16];
	size_t i;

	if (argc != 4) {
		fprintf(stderr, "usage: layout_fuzz MOUNTPOINT SEED CALLS\n");
		return 2;
	}
	lt_mnt = argv[1];
	seed = strtoull(argv[2], NULL, 0);
	wanted = strtoul(argv[3], NULL, 0);
	lt_dev = open("/dev/iopmem", O_RDWR | O_CLOEXEC);
	CHECK(lt_dev >= 0);
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "fuzz%zu", i);
		files[i] = lt_file(name, O_RDWR);
	}
	for (i = 0; i < 2; i++) {
		locals[i] = fork();
		CHECK(locals[i] >= 0);
		if (!locals[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			local(seed ^ (i + 1) << 32);
		}
	}
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)(seed + i * 7919)));
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	for (i = 0; i < 2; i++)
		lt_kill(locals[i]);
	/* nothing is left behind: each file can be leased, and changed by its owner */
	CHECK(lt_wait_orphans(0, GUARD_MS));
	for (i = 0; i < FILES; i++) {
		close(lt_layout(files[i]));
		CHECK(!ftruncate(files[i], 0));
	}
	printf("ok - seed %llu: %lu calls reached the file system\n", (unsigned long long)seed, atomic_load(&reached));
	return 0;
}
