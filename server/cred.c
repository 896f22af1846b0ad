// SPDX-License-Identifier: BSD-3-Clause
#include "cred.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "iopmem_rpc.h"

/* The raw system call changes this thread only; glibc's would change them all. */
static int thread_setgroups(unsigned int n, const gid_t *groups)
{
	return (int)syscall(SYS_setgroups, n, groups);
}

int cred_enter(const struct cred *cred)
{
	if (geteuid() != 0)
		return 0;
	if (thread_setgroups(cred->nr_groups, cred->groups))
		return -errno;
	setfsgid(cred->gid);
	setfsuid(cred->uid);
	/* Both return the previous id and no error: ask what is in force. */
	if ((uid_t)setfsuid((uid_t)-1) != cred->uid || (gid_t)setfsgid((gid_t)-1) != cred->gid) {
		cred_leave();
		return -EPERM;
	}
	return 0;
}

void cred_leave(void)
{
	if (geteuid() != 0)
		return;
	setfsuid(0);
	setfsgid(getegid());
	if (thread_setgroups(0, NULL))
		log_error("give up a caller's groups: setgroups failed");
}

int cred_access(int fd, uint32_t access)
{
	int mode = (access & IOPMEM_ACCESS_READ ? R_OK : 0) |
		   (access & IOPMEM_ACCESS_WRITE ? W_OK : 0);

	return syscall(SYS_faccessat2, fd, "", mode, AT_EMPTY_PATH | AT_EACCESS) ? -errno : 0;
}

uid_t cred_uid(const struct cred *cred)
{
	return geteuid() ? geteuid() : cred->uid;
}
