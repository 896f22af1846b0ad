/* SPDX-License-Identifier: BSD-3-Clause */
/* Acting as a caller: file-system credentials of one helper thread. */
#ifndef IOPMEM_SERVER_CRED_H
#define IOPMEM_SERVER_CRED_H

#include <stdint.h>
#include <sys/types.h>

#define CRED_GROUPS_MAX 64		/* AUTH_SYS carries 16 */

struct cred {
	uid_t uid;
	gid_t gid;
	unsigned int nr_groups;
	gid_t groups[CRED_GROUPS_MAX];
};

/* In ascending strength; a set of them is a mask of their bits. */
enum flavor { FLAVOR_SYS, FLAVOR_KRB5, FLAVOR_KRB5I, FLAVOR_KRB5P };

#define PRINCIPAL_MAX 256

/* Who a call comes from. */
struct caller {
	struct cred cred;
	enum flavor flavor;
	char principal[PRINCIPAL_MAX];	/* "" with FLAVOR_SYS */
};

/*
 * From here to cred_leave() this thread accesses files as @cred.  A server that
 * does not run as root serves everybody as its own user.  -errno: nothing changed.
 */
int cred_enter(const struct cred *cred);
void cred_leave(void);

/* May who this thread acts as use @fd's file for IOPMEM_ACCESS_*?  0 or -errno. */
int cred_access(int fd, uint32_t access);
/* Who the file system takes @cred for: a server that is not root is always itself. */
uid_t cred_uid(const struct cred *cred);

#endif
