// SPDX-License-Identifier: BSD-3-Clause
/* What the start of a "dir" export refuses. */
#include "backing_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/* Between a fence that is due and the kernel taking the lease: time to carry it out. */
#define FENCE_MARGIN_MS	2000
/* The kernel has sent the signal before the open returns: only the thread's turn is waited for. */
#define PROBE_S		60

static int read_number(const char *path, long *value, struct iopmem_err *err)
{
	char text[32];
	FILE *f = fopen(path, "re");

	if (!f)
		return err_set(err, errno, "open '%s'", path);
	if (!fgets(text, sizeof(text), f)) {
		fclose(f);
		return err_set(err, EIO, "read '%s'", path);
	}
	fclose(f);
	*value = strtol(text, NULL, 10);
	return 0;
}

int dir_check_limits(const struct backing_attr *attr, struct iopmem_err *err)
{
	long enabled, break_s;
	int ret;

	ret = read_number("/proc/sys/fs/leases-enable", &enabled, err);
	if (ret)
		return ret;
	if (!enabled)
		return err_msg(err, EOPNOTSUPP, "export '%s': leases are off"
			       " (/proc/sys/fs/leases-enable is 0)", attr->name);
	ret = read_number("/proc/sys/fs/lease-break-time", &break_s, err);
	if (ret)
		return ret;
	/* 0: the kernel waits for ever. */
	if (break_s > 0 &&
	    (uint64_t)attr->recall_ms + FENCE_MARGIN_MS > (uint64_t)break_s * 1000)
		return err_msg(err, EINVAL, "export '%s': a recall may take %u ms, but the"
			       " kernel takes leases away after %ld ms"
			       " (/proc/sys/fs/lease-break-time): it must be at least %d ms less",
			       attr->name, attr->recall_ms, break_s * 1000, FENCE_MARGIN_MS);
	return 0;
}

/* An unlinked file in the root of the export. */
static int probe_file(const char *path)
{
	char name[4096];
	int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	if (snprintf(name, sizeof(name), "%s/.iopmem-probe-XXXXXX", path) >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static bool wait_broken(struct backing_file *probe)
{
	struct backing_export *exp = probe->exp;
	struct timespec until;
	int rc = 0;
	bool broken;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PROBE_S;
	pthread_mutex_lock(&exp->lock);
	while (!probe->broken && !rc)
		rc = pthread_cond_timedwait(&exp->changed, &exp->lock, &until);
	broken = probe->broken;
	pthread_mutex_unlock(&exp->lock);
	return broken;
}

/* Does an open break the lease, and do we hear of it? */
static int probe_break(struct backing_file *probe, struct iopmem_err *err)
{
	const struct backing_attr *attr = &probe->exp->attr;
	char link[64];
	int ret, fd;

	ret = dir_lease_take(probe, err);
	if (ret)
		return ret;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", probe->fd);
	fd = open(link, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		ret = err_msg(err, EOPNOTSUPP, "export '%s': the file system of '%s' takes"
			      " leases but an open does not break them", attr->name, attr->path);
	} else if (errno != EWOULDBLOCK) {
		ret = err_set(err, errno, "export '%s': lease test in '%s'", attr->name,
			      attr->path);
	} else if (!wait_broken(probe)) {
		ret = err_msg(err, EOPNOTSUPP, "export '%s': no signal for a broken lease in"
			      " '%s' within %d s", attr->name, attr->path, PROBE_S);
	}
	dir_lease_drop(probe);
	return ret;
}

int dir_check_leases(struct backing_export *exp, struct iopmem_err *err)
{
	char name[] = "lease test";
	struct backing_file probe = { .exp = exp, .lease = F_UNLCK, .writable = true,
				      .probe = true, .path = name };
	int ret;

	probe.fd = probe_file(exp->attr.path);
	if (probe.fd < 0 && errno == EROFS) {
		log_info("export '%s': read-only file system, leases not tested",
			 exp->attr.name);
		return 0;
	}
	if (probe.fd < 0)
		return err_set(err, errno, "export '%s': lease test: create a file in '%s'",
			       exp->attr.name, exp->attr.path);
	dir_lease_add(&probe);
	ret = probe_break(&probe, err);
	dir_lease_remove(&probe);
	close(probe.fd);
	return ret;
}
