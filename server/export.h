/* SPDX-License-Identifier: BSD-3-Clause */
/* Exports: a name, a directory, a backing; and the caller's path below it. */
#ifndef IOPMEM_SERVER_EXPORT_H
#define IOPMEM_SERVER_EXPORT_H

#include <sys/stat.h>

#include "backing.h"
#include "call.h"
#include "cred.h"
#include "config.h"
#include "handle.h"
#include "quiesce.h"
#include "server.h"

struct export {
	struct server *srv;
	const struct config_export *cfg;
	uint64_t index;
	const struct backing_ops *ops;
	struct backing_export *backing;
	struct backing_info info;
	int root_fd;			/* O_PATH */
	int mount_fd;			/* for file handles; -1 */
	bool handles;			/* files have handles that we may open */
	bool whole_fs;			/* the export is all of its file system */
	uint32_t sec;			/* 1 << enum flavor, of those that may */
	struct hosts *hosts;		/* NULL: everybody */
	struct hosts *resolved;		/* whose names are being looked up; NULL: none */
	struct job resolving;
	struct quiesce quiesce;
};

/* Opens every export of the configuration; refuses what cannot be safe. */
int exports_open(struct server *srv, struct iopmem_err *err);
void exports_close(struct server *srv);
struct export *export_find(struct server *srv, const char *name);

/*
 * The export a call names, if its host and its flavor may use it: NOENT, ACCESS, WRONGSEC.
 * export_admit() is for one that is found already.
 */
enum iopmem_status export_enter(const struct call *call, const char *name, struct export **exp);
enum iopmem_status export_admit(const struct export *exp, const struct call *call);
bool export_read_only(const struct export *exp, const struct call *call);
/* What an open from there may at most: IOPMEM_ACCESS_* of READ and WRITE, or 0. */
uint32_t export_leaves(const struct export *exp, const struct sockaddr_storage *from,
		       enum flavor flavor);
/*
 * The configuration of @exp has new rules, @hosts (taken over) are those of its hosts: what is
 * open is looked at again, and who may less than before is recalled.
 */
void export_set_hosts(struct export *exp, struct hosts *hosts);
/* One of them asks for krb5. */
bool exports_want_gss(const struct server *srv);
/* Looks the names in host rules up again, now and then; returns at once. */
void exports_resolve(struct server *srv);
/* Who @call is on @exp, after the squash rule of export and host. */
void export_cred(const struct export *exp, const struct call *call, struct cred *cred);

/* A call's work on a path: @work on the fs pool as the caller, @finish on the loop. */
struct path_job {
	struct job job;
	struct call *call;
	struct export *exp;
	const char *path;		/* of the call's arguments */
	struct cred cred;		/* squashed */
	bool read_only;			/* for this caller */
	bool nofollow;			/* path_lookup() of a symbolic link is the link */
	int rc;				/* of @work */
	struct iopmem_err err;
	int fd;				/* -1 or what @work opened */
	int changed[2];			/* directories, by path_changed() */
	unsigned int nr_changed;
	bool created;			/* @work made the file of fd */
	struct stat st;
	void (*work)(struct path_job *pj);
	void (*finish)(struct path_job *pj);	/* frees pj */
	void *priv;
	int (*before)(struct path_job *pj);	/* NULL, or as the server, before @work */
	char found[256];		/* of @before: a path for messages */
	struct handle handle;		/* of fd, by open_look() */
};

/* Answers the call itself when it cannot start (NOENT: no such export). */
void path_job_start(struct call *call, const char *export_name, const char *path,
		    void (*work)(struct path_job *pj), void (*finish)(struct path_job *pj),
		    void *priv);
/* In a known export; @path is a literal for messages. */
void path_job_start_in(struct call *call, struct export *exp, const char *path,
		       int (*before)(struct path_job *pj), void (*work)(struct path_job *pj),
		       void (*finish)(struct path_job *pj));
/* As @finish: answers with the attributes of pj->st, which are no open file's. */
void path_answer_attr(struct path_job *pj);
/* Frees @pj and its descriptor. */
void path_job_free(struct path_job *pj);

/* As the caller, never leaving the export: for @work. */
int path_lookup(struct path_job *pj);			/* fd = O_PATH, st */
/* Directory (O_PATH) and last component of @path, which must be a name. */
int path_parent(struct path_job *pj, const char *path, int *dir_fd, const char **name);
/*
 * Something was done in @dir_fd (O_PATH, or -1: it cannot be opened), which is taken over: when
 * @work succeeds it is durable before @finish.  At most two directories.
 */
void path_changed(struct path_job *pj, int dir_fd);
void path_durable(struct path_job *pj);			/* as the server, behind @work */
int path_writable(struct path_job *pj);			/* -EROFS: the export is read-only */
int path_access(struct path_job *pj, uint32_t access);	/* IOPMEM_ACCESS_*, of fd */

void attr_from_stat(iopmem_attr *attr, const struct stat *st);

#endif
