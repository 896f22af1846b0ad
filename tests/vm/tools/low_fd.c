// SPDX-License-Identifier: BSD-3-Clause
/*
 * LD_PRELOAD for iopmem-server: layout fds get lower numbers than the uverbs device.
 * At exit the kernel releases higher numbers first or last, depending on the way;
 * both orders of layout fd and uverbs are to be seen by the tests.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "iopmem.h"

#define LOW 3
#define RESERVED 16

int ioctl(int fd, unsigned long request, ...);

__attribute__((constructor)) static void reserve(void)
{
	int i;

	for (i = 0; i < RESERVED; i++)
		if (fcntl(LOW + i, F_GETFD) < 0)
			dup2(1, LOW + i);
}

/* Gives back a reserved low number in place of @fd. */
static int lower(int fd)
{
	static int used;
	int low;

	if (used == RESERVED)
		return fd;
	low = LOW + used++;
	if (dup3(fd, low, O_CLOEXEC) < 0)
		return fd;
	close(fd);
	fprintf(stderr, "low_fd: layout fd %d becomes %d\n", fd, low);
	return low;
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*real)(int, unsigned long, void *);
	struct iopmem_layout_open *open_args;
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "ioctl");
	rc = real(fd, request, arg);
	if (!rc && request == IOPMEM_IOC_LAYOUT_OPEN) {
		open_args = arg;
		open_args->layout_fd = lower(open_args->layout_fd);
	}
	return rc;
}
