/* SPDX-License-Identifier: BSD-3-Clause */
/* iopmem://host[:port]/export[/path] */
#ifndef CLIENT_URL_H
#define CLIENT_URL_H

#include <stdint.h>

#include "base/err.h"

#define URL_DEFAULT_PORT 20490
#define URL_HOST_MAX 253
#define URL_EXPORT_MAX 64
#define URL_PATH_MAX 4096

struct url {
	char host[URL_HOST_MAX + 1];	/* IPv6 without brackets */
	uint16_t port;
	char export_name[URL_EXPORT_MAX + 1];
	char path[URL_PATH_MAX + 1];	/* "" = the export's root; %XX decoded */
};

/*
 * url_parse() - Leading, trailing and doubled slashes of the path are dropped.
 * Errors: -EINVAL, -ENAMETOOLONG; @url is then untouched.
 */
int url_parse(const char *text, struct url *url, struct iopmem_err *err);

#endif
