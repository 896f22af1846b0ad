/* SPDX-License-Identifier: BSD-3-Clause */
/* Failure text for people: what object, what operation, which errno. */
#ifndef IOPMEM_BASE_ERR_H
#define IOPMEM_BASE_ERR_H

#ifndef IOPMEM_ERR_DEFINED
#define IOPMEM_ERR_DEFINED
/* Caller-owned.  Filled once, where the failure happens; untouched on success. */
struct iopmem_err {
	int code;		/* errno, positive */
	char text[508];
};
#endif

/*
 * err_set() - fill @err (may be NULL) with "<formatted text>: <strerror(code)>".
 * @code is a positive errno; returns -code.  Keeps the first text: a filled
 * @err (code != 0) is left alone.
 */
int err_set(struct iopmem_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* err_msg() - the same without the strerror() suffix, for causes that have none. */
int err_msg(struct iopmem_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
