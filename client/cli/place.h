/* SPDX-License-Identifier: BSD-3-Clause */
/* A name of a file or directory, here or on a server, and what both can be asked. */
#ifndef CLIENT_CLI_PLACE_H
#define CLIENT_CLI_PLACE_H

#include "cli.h"

struct place {
	struct remote *remote;		/* NULL: here */
	char path[URL_PATH_MAX + 1];	/* here: "-" is standard input or output */
};

bool place_is_url(const char *text);
int place_local(const char *path, struct place *p, struct iopmem_err *err);
/* Where the URL of @r points; @r stays the caller's. */
void place_remote(struct remote *r, struct place *p);
int place_join(const struct place *dir, const char *name, struct place *out,
	       struct iopmem_err *err);
/* The last part of the path. */
const char *place_name(const struct place *p);

/* Follows a symbolic link only if @follow. */
int place_stat(const struct place *p, bool follow, struct iopmem_stat *st,
	       struct iopmem_err *err);
/* One that is there already is fine if it is a directory. */
int place_mkdir(const struct place *p, uint32_t mode, struct iopmem_err *err);

int place_readlink(const struct place *p, char *target, size_t size, struct iopmem_err *err);
/* -EEXIST */
int place_symlink(const struct place *p, const char *target, struct iopmem_err *err);

struct names {
	char **name;
	size_t n, room;
};
/* Names in a directory, sorted; names_free() even after an error. */
int place_list(const struct place *p, struct names *names, struct iopmem_err *err);
void names_free(struct names *names);

#endif
