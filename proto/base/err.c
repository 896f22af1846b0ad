// SPDX-License-Identifier: BSD-3-Clause
#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void fill(struct iopmem_err *err, int code, bool with_errno,
		 const char *fmt, va_list ap)
{
	char reason[128];
	int n;

	if (!err || err->code)
		return;
	err->code = code;
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	if (!with_errno || n < 0 || (size_t)n >= sizeof(err->text))
		return;
	snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s",
		 strerror_r(code, reason, sizeof(reason)));
}

int err_set(struct iopmem_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, true, fmt, ap);
	va_end(ap);
	return -code;
}

int err_msg(struct iopmem_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, false, fmt, ap);
	va_end(ap);
	return -code;
}
