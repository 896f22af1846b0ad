/* SPDX-License-Identifier: BSD-3-Clause */
/* Acting as a caller: file-system credentials of one helper thread. */
#ifndef IOPMEM_SERVER_CRED_H
#define IOPMEM_SERVER_CRED_H

#include <sys/types.h>

#define CRED_GROUPS_MAX 32		/* AUTH_SYS carries 16 */

struct cred {
	uid_t uid;
	gid_t gid;
	unsigned int nr_groups;
	gid_t groups[CRED_GROUPS_MAX];
};

/*
 * From here to cred_leave() this thread accesses files as @cred.  A server that
 * does not run as root serves everybody as its own user.  -errno: nothing changed.
 */
int cred_enter(const struct cred *cred);
void cred_leave(void);

#endif
