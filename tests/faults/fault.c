// SPDX-License-Identifier: BSD-3-Clause
/*
 * Fault points of the server: every place in it that calls a function which can fail (CMakeLists.txt has
 * the list; the linker puts these wrappers between).  A point is the address of the call.
 *
 *   IOPMEM_FAULT_LOG=FILE     append "POINT NAME" the first time each point is reached
 *   IOPMEM_FAULT=POINT:N      the N-th call from POINT fails (once)
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rpc/rpc.h>
#include <sqlite3.h>

#define POINTS_MAX 8192		/* a power of two, far more than there are */

extern char __executable_start;

int __real_openat(int fd, const char *path, int flags, ...);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int log_fd = -1;
static uintptr_t wanted;
static unsigned int wanted_hit;
static atomic_uint hits;
static _Atomic uintptr_t points[POINTS_MAX];

static void read_environment(void)
{
	const char *log = getenv("IOPMEM_FAULT_LOG"), *fault = getenv("IOPMEM_FAULT");

	if (log)
		log_fd = __real_openat(AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fault && sscanf(fault, "%lx:%u", &wanted, &wanted_hit) != 2)
		abort();
}

/* The first time? */
static bool point_new(uintptr_t point)
{
	size_t i = point * 2654435761U;
	uintptr_t empty;

	for (;; i++) {
		empty = 0;
		if (atomic_compare_exchange_strong(&points[i % POINTS_MAX], &empty, point))
			return true;
		if (empty == point)
			return false;
	}
}

static bool fault_here(const char *name, void *caller)
{
	uintptr_t point = (uintptr_t)caller - (uintptr_t)&__executable_start;
	int saved = errno;

	pthread_once(&once, read_environment);
	if (log_fd >= 0 && point_new(point))
		dprintf(log_fd, "%lx %s\n", point, name);
	errno = saved;
	return point == wanted && ++hits == wanted_hit;
}

#define HERE(name) fault_here(#name, __builtin_return_address(0))

#define WRAP(type, name, failure, number, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		if (HERE(name)) { \
			errno = number; \
			return failure; \
		} \
		return __real_##name args; \
	}

#define WRAP_INT(name, number, params, args) WRAP(int, name, -1, number, params, args)

WRAP(void *, malloc, NULL, ENOMEM, (size_t n), (n))
WRAP(void *, calloc, NULL, ENOMEM, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, NULL, ENOMEM, (void *p, size_t n), (p, n))
WRAP(void *, reallocarray, NULL, ENOMEM, (void *p, size_t n, size_t size), (p, n, size))
WRAP(void *, aligned_alloc, NULL, ENOMEM, (size_t align, size_t n), (align, n))
WRAP(char *, strdup, NULL, ENOMEM, (const char *s), (s))
WRAP(void *, mmap, (void *)-1, ENOMEM,
     (void *at, size_t len, int prot, int flags, int fd, off_t off), (at, len, prot, flags, fd, off))
WRAP(ssize_t, pread, -1, EIO, (int fd, void *buf, size_t n, off_t off), (fd, buf, n, off))
WRAP(ssize_t, pwrite, -1, ENOSPC, (int fd, const void *buf, size_t n, off_t off), (fd, buf, n, off))
WRAP(ssize_t, sendmsg, -1, ECONNRESET, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, recvmsg, -1, ECONNRESET, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, send, -1, ECONNRESET, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
WRAP(ssize_t, recv, -1, ECONNRESET, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
WRAP_INT(fstat, EIO, (int fd, struct stat *st), (fd, st))
WRAP_INT(stat, EIO, (const char *path, struct stat *st), (path, st))
WRAP_INT(fstatat, EIO, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags))
WRAP_INT(statx, EIO, (int fd, const char *path, int flags, unsigned int mask, struct statx *st),
	 (fd, path, flags, mask, st))
WRAP_INT(fsync, EIO, (int fd), (fd))
WRAP_INT(fdatasync, EIO, (int fd), (fd))
WRAP_INT(syncfs, EIO, (int fd), (fd))
WRAP_INT(ftruncate, EIO, (int fd, off_t size), (fd, size))
WRAP_INT(fallocate, ENOSPC, (int fd, int mode, off_t off, off_t len), (fd, mode, off, len))
WRAP_INT(mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
WRAP_INT(mkdirat, ENOSPC, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP_INT(unlinkat, EIO, (int fd, const char *path, int flags), (fd, path, flags))
WRAP_INT(futimens, EIO, (int fd, const struct timespec t[2]), (fd, t))
WRAP_INT(socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
WRAP_INT(bind, EADDRINUSE, (int fd, const struct sockaddr *sa, socklen_t len), (fd, sa, len))
WRAP_INT(listen, EADDRINUSE, (int fd, int backlog), (fd, backlog))
WRAP_INT(accept4, EMFILE, (int fd, struct sockaddr *sa, socklen_t *len, int flags), (fd, sa, len, flags))
WRAP_INT(setsockopt, ENOBUFS, (int fd, int level, int name, const void *v, socklen_t len),
	 (fd, level, name, v, len))
WRAP_INT(getsockname, ENOBUFS, (int fd, struct sockaddr *sa, socklen_t *len), (fd, sa, len))
WRAP_INT(getpeername, ENOTCONN, (int fd, struct sockaddr *sa, socklen_t *len), (fd, sa, len))
WRAP_INT(eventfd, EMFILE, (unsigned int value, int flags), (value, flags))
WRAP_INT(epoll_create1, EMFILE, (int flags), (flags))
WRAP_INT(epoll_ctl, ENOSPC, (int ep, int op, int fd, struct epoll_event *ev), (ep, op, fd, ev))
WRAP_INT(inotify_init1, EMFILE, (int flags), (flags))
WRAP_INT(inotify_add_watch, ENOSPC, (int fd, const char *path, uint32_t mask), (fd, path, mask))
WRAP_INT(getifaddrs, ENOMEM, (struct ifaddrs **list), (list))
WRAP(SVCXPRT *, svc_vc_create, NULL, ENOMEM, (const int fd, const u_int out, const u_int in),
     (fd, out, in))
WRAP(bool_t, svc_sendreply, FALSE, EPIPE, (SVCXPRT *x, const xdrproc_t p, void *where), (x, p, where))

#define WRAP_CODE(name, code, params, args) WRAP(int, name, code, errno, params, args)

WRAP_CODE(pthread_create, EAGAIN,
	  (pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg), (t, a, fn, arg))
WRAP_CODE(sqlite3_open_v2, SQLITE_CANTOPEN,
	  (const char *name, sqlite3 **db, int flags, const char *vfs), (name, db, flags, vfs))
WRAP_CODE(sqlite3_prepare_v2, SQLITE_NOMEM,
	  (sqlite3 *db, const char *sql, int n, sqlite3_stmt **s, const char **tail),
	  (db, sql, n, s, tail))
WRAP_CODE(sqlite3_step, SQLITE_IOERR, (sqlite3_stmt *s), (s))

/* The ones with a variable argument; all our calls pass at most one. */
#define WRAP_VARIADIC(name, number, params, last, args) \
	int __real_##name params; \
	int __wrap_##name params; \
	int __wrap_##name params \
	{ \
		uintptr_t arg; \
		va_list ap; \
		va_start(ap, last); \
		arg = va_arg(ap, uintptr_t); \
		va_end(ap); \
		if (HERE(name)) { \
			errno = number; \
			return -1; \
		} \
		return __real_##name args; \
	}

WRAP_VARIADIC(open, EMFILE, (const char *path, int flags, ...), flags, (path, flags, arg))
WRAP_VARIADIC(openat, EMFILE, (int fd, const char *path, int flags, ...), flags, (fd, path, flags, arg))
WRAP_VARIADIC(fcntl, ENOLCK, (int fd, int command, ...), command, (fd, command, arg))
WRAP_VARIADIC(ioctl, EIO, (int fd, unsigned long request, ...), request, (fd, request, arg))

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	uintptr_t a[6];
	va_list ap;
	int i;

	va_start(ap, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, uintptr_t);
	va_end(ap);
	if (HERE(syscall)) {
		errno = EMFILE;
		return -1;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
