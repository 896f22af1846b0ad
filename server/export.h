/* SPDX-License-Identifier: BSD-3-Clause */
/* Exports: a name, a directory, a backing; and the caller's path below it. */
#ifndef IOPMEM_SERVER_EXPORT_H
#define IOPMEM_SERVER_EXPORT_H

#include <sys/stat.h>

#include "backing.h"
#include "call.h"
#include "cred.h"
#include "config.h"
#include "server.h"

struct export {
	struct server *srv;
	const struct config_export *cfg;
	uint64_t index;
	const struct backing_ops *ops;
	struct backing_export *backing;
	struct backing_info info;
	int root_fd;			/* O_PATH */
};

/* Opens every export of the configuration; refuses what cannot be safe. */
int exports_open(struct server *srv, struct iopmem_err *err);
void exports_close(struct server *srv);
struct export *export_find(struct server *srv, const char *name);

/* A call's work on a path: @work on the fs pool as the caller, @finish on the loop. */
struct path_job {
	struct job job;
	struct call *call;
	struct export *exp;
	const char *path;		/* of the call's arguments */
	struct cred cred;		/* squashed */
	int rc;				/* of @work */
	struct iopmem_err err;
	int fd;				/* -1 or what @work opened */
	struct stat st;
	void (*work)(struct path_job *pj);
	void (*finish)(struct path_job *pj);	/* frees pj */
	void *priv;
};

/* Answers the call itself when it cannot start (NOENT: no such export). */
void path_job_start(struct call *call, const char *export_name, const char *path,
		    void (*work)(struct path_job *pj), void (*finish)(struct path_job *pj),
		    void *priv);
/* Frees @pj and its descriptor. */
void path_job_free(struct path_job *pj);

/* As the caller, never leaving the export: for @work. */
int path_lookup(struct path_job *pj);			/* fd = O_PATH, st */
int path_parent(struct path_job *pj, int *dir_fd, const char **name);
int path_access(struct path_job *pj, uint32_t access);	/* IOPMEM_ACCESS_*, of fd */

void attr_from_stat(iopmem_attr *attr, const struct stat *st);

#endif
