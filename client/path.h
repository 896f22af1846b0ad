/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths as callers give them: relative to the export, or a URL of the client's export. */
#ifndef CLIENT_PATH_H
#define CLIENT_PATH_H

#include "base/err.h"

struct iopmem_client;

struct path {
	char *rel;		/* for the wire, which does not write to it */
	char *own;		/* to be freed */
};

/* Errors: -EINVAL no path, or no URL; -ENAMETOOLONG; -EXDEV a URL of another export. */
int path_get(const struct iopmem_client *client, const char *text, struct path *p,
	     struct iopmem_err *err);
void path_put(struct path *p);

#endif
