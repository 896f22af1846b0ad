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
	int fd = open_beneath(pj->exp, pj->path, O_PATH);

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

int path_parent(struct path_job *pj, int *dir_fd, const char **name)
{
	char dir[IOPMEM_PATH_MAX + 2];
	const char *slash = strrchr(pj->path, '/');
	int fd;

	*name = slash ? slash + 1 : pj->path;
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
		return err_msg(&pj->err, EINVAL, "'%s' does not end in a name", pj->path);
	if (strlen(*name) > IOPMEM_NAME_MAX)
		return err_set(&pj->err, ENAMETOOLONG, "'%s'", pj->path);
	memcpy(dir, pj->path, (size_t)(*name - pj->path));
	strcpy(dir + (*name - pj->path), ".");
	fd = open_beneath(pj->exp, dir, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return err_set(&pj->err, -fd, "look up the directory of '%s' in export '%s'",
			       pj->path, pj->exp->cfg->name);
	*dir_fd = fd;
	return 0;
}

int path_access(struct path_job *pj, uint32_t access)
{
	int mode = (access & IOPMEM_ACCESS_READ ? R_OK : 0) |
		   (access & IOPMEM_ACCESS_WRITE ? W_OK : 0);

	if ((access & IOPMEM_ACCESS_WRITE) && pj->exp->cfg->read_only)
		return err_msg(&pj->err, EROFS, "export '%s' is read-only", pj->exp->cfg->name);
	if (syscall(SYS_faccessat2, pj->fd, "", mode, AT_EMPTY_PATH | AT_EACCESS))
		return err_set(&pj->err, errno, "access '%s' as uid %u", pj->path, pj->cred.uid);
	return 0;
}
