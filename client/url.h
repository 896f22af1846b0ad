/* SPDX-License-Identifier: BSD-3-Clause */
/* iopmem://host[:port]/export[/path][?sec=FLAVOUR] */
#ifndef CLIENT_URL_H
#define CLIENT_URL_H

#include <stdint.h>

#include "base/err.h"

#define URL_DEFAULT_PORT 20490
#define URL_HOST_MAX 253
#define URL_EXPORT_MAX 64
#define URL_PATH_MAX 4096

enum url_sec { URL_SEC_SYS, URL_SEC_KRB5, URL_SEC_KRB5I, URL_SEC_KRB5P };

struct url {
	char host[URL_HOST_MAX + 1];	/* IPv6 without brackets */
	uint16_t port;
	enum url_sec sec;		/* sys without ?sec= */
	char export_name[URL_EXPORT_MAX + 1];
	char path[URL_PATH_MAX + 1];	/* "" = the export's root; %XX decoded */
};

/*
 * url_parse() - Options follow a '?' and are separated by '&'; a '?' of a name is %3F.
 * Leading, trailing and doubled slashes of the path are dropped.
 * Errors: -EINVAL, -ENAMETOOLONG; @url is then untouched.
 */
int url_parse(const char *text, struct url *url, struct iopmem_err *err);

/* "sec=krb5" */
const char *url_sec_option(enum url_sec sec);

#endif
