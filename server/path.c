// SPDX-License-Identifier: BSD-3-Clause
/*
 * A caller's path below an export.  The kernel keeps it there: RESOLVE_BENEATH,
 * and no other mount, for a backing is checked for one file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "durable.h"
#include "export.h"

static int open_beneath(const struct export *exp, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, exp->root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int path_lookup(struct path_job *pj)
{
	/* O_PATH: looks, breaks no lease, waits for nobody. */
	int fd = open_beneath(pj->exp, pj->path, O_PATH | (pj->nofollow ? O_NOFOLLOW : 0));

	if (fd < 0)
		return err_set(&pj->err, -fd, "look up '%s' in export '%s'", pj->path,
			       pj->exp->cfg->name);
	if (fstat(fd, &pj->st)) {
		close(fd);
		return err_set(&pj->err, errno, "stat '%s'", pj->path);
	}
	pj->fd = fd;
	return 0;
}

int path_parent(struct path_job *pj, const char *path, int *dir_fd, const char **name)
{
	char dir[IOPMEM_PATH_MAX + 2];
	const char *slash = strrchr(path, '/');
	int fd;

	*name = slash ? slash + 1 : path;
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
		return err_msg(&pj->err, EINVAL, "'%s' does not end in a name", path);
	if (strlen(*name) > IOPMEM_NAME_MAX)
		return err_set(&pj->err, ENAMETOOLONG, "'%s'", path);
	memcpy(dir, path, (size_t)(*name - path));
	strcpy(dir + (*name - path), ".");
	fd = open_beneath(pj->exp, dir, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return err_set(&pj->err, -fd, "look up the directory of '%s' in export '%s'",
			       path, pj->exp->cfg->name);
	*dir_fd = fd;
	return 0;
}

static bool same_dir(int a, int b)
{
	struct stat st_a, st_b;

	return !fstat(a, &st_a) && !fstat(b, &st_b) && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino;
}

void path_changed(struct path_job *pj, int dir_fd)
{
	if (pj->nr_changed && same_dir(pj->changed[0], dir_fd))
		close(dir_fd);
	else
		pj->changed[pj->nr_changed++] = dir_fd;
}

void path_durable(struct path_job *pj)
{
	unsigned int i;

	for (i = 0; i < pj->nr_changed; i++) {
		if (!pj->rc)
			pj->rc = durable_dir(pj->exp, pj->changed[i], &pj->err);
		if (pj->changed[i] >= 0)
			close(pj->changed[i]);
	}
}

int path_writable(struct path_job *pj)
{
	return pj->read_only ?
		err_msg(&pj->err, EROFS, "export '%s' is read-only", pj->exp->cfg->name) : 0;
}

int path_access(struct path_job *pj, uint32_t access)
{
	int rc = access & IOPMEM_ACCESS_WRITE ? path_writable(pj) : 0;

	if (rc)
		return rc;
	rc = cred_access(pj->fd, access);
	return rc ? err_set(&pj->err, -rc, "access '%s' as uid %u", pj->path, pj->cred.uid) : 0;
}
