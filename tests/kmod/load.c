// SPDX-License-Identifier: BSD-3-Clause
/* Layouts at work until there can be none any more: what the scenarios take the card or its file system away from. */
#define _GNU_SOURCE
#include "lt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RW	IOPMEM_IOMODE_RW

/* What a call may say while the file system or the card goes. */
static void check(const char *what, int err)
{
	switch (-err) {
	case 0:
	case EAGAIN:
	case EIO:
	case ENODEV:
	case EOPNOTSUPP:
		return;
	}
	printf("# %s: %s\n", what, strerror(-err));
	lt_fail(__FILE__, __LINE__, what);
}

static void grow(int fd, uint64_t from)
{
	static char bytes[256 * KIB];
	uint64_t size = from + sizeof(bytes);
	int i;

	check("map", lt_map(fd, 0, size, RW));
	for (i = 0; i < 4; i++)
		check("pwrite", pwrite(fd, bytes, sizeof(bytes), from) < 0 && errno != EFAULT ? -errno : 0);
	check("pread", pread(fd, bytes, sizeof(bytes), 0) < 0 && errno != EFAULT ? -errno : 0);
	/* What was never mapped cannot be committed. */
	i = lt_commit(fd, from, sizeof(bytes), &size);
	check("commit", i == -ERANGE ? 0 : i);
	i = lt_unmap(fd, 0, size);
	check("unmap", i == -EBUSY ? 0 : i);
}

int lt_load(void)
{
	unsigned int rounds = 0, reason;
	int file = lt_file("load", O_RDWR), fd, err;

	for (;;) {
		err = lt_open(file, &fd, &reason);
		check("open", err);
		if (err == -EOPNOTSUPP)
			break;
		if (err)
			continue;
		grow(fd, rounds % 16 * 256 * KIB);
		close(fd);
		if (rounds % 16 == 15 && ftruncate(file, 0))
			check("truncate", -errno);
		if (!rounds++)
			printf("at work\n");
		fflush(stdout);
	}
	CHECK_EQ(reason, IOPMEM_REFUSED_SHUTDOWN);
	CHECK(lt_wait_orphans(0, GUARD_MS));
	printf("ok - %u layouts, then none\n", rounds);
	return 0;
}
