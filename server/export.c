// SPDX-License-Identifier: BSD-3-Clause
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "file.h"

static int open_one(struct server *srv, struct export *exp, struct iopmem_err *err)
{
	const struct config_export *cfg = exp->cfg;
	struct backing_attr attr = {
		.path = cfg->path, .name = cfg->name, .state_dir = srv->cfg.state_dir,
		.recall_ms = srv->cfg.recall_ms, .on_break = file_on_break, .arg = srv,
	};
	int rc;

	exp->root_fd = open(cfg->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (exp->root_fd < 0)
		return err_set(err, errno, "export '%s': open '%s'", cfg->name, cfg->path);
	exp->ops = backing_find(cfg->backing, cfg->path);
	rc = exp->ops ? exp->ops->export_open(&attr, &exp->backing, err) :
	     err_msg(err, EINVAL, "export '%s': backing '%s' is unknown", cfg->name, cfg->backing);
	if (rc) {
		close(exp->root_fd);
		exp->ops = NULL;
		return rc;
	}
	exp->ops->export_info(exp->backing, &exp->info);
	log_info("export '%s': %s, backing %s%s, memory %s, granule %u, %s", cfg->name, cfg->path,
		 exp->info.kind, strcmp(cfg->backing, "auto") ? "" : " (chosen by the path)",
		 exp->info.memory, exp->info.granule,
		 exp->info.durable ? "durable on arrival" : "durable on commit");
	rc = exp->ops->orphans(exp->backing);
	if (rc > 0)
		log_warn("export '%s': %d layout(s) of a dead server are still in use; their files get no layout until that ends",
			 cfg->name, rc);
	return 0;
}

int exports_open(struct server *srv, struct iopmem_err *err)
{
	unsigned int i;
	int rc;

	srv->exports = calloc(srv->cfg.nr_exports, sizeof(*srv->exports));
	if (!srv->exports)
		return err_set(err, ENOMEM, "exports");
	for (i = 0; i < srv->cfg.nr_exports; i++) {
		srv->exports[i].srv = srv;
		srv->exports[i].cfg = &srv->cfg.exports[i];
		srv->exports[i].index = i;
		rc = open_one(srv, &srv->exports[i], err);
		if (rc) {
			exports_close(srv);
			return rc;
		}
	}
	return 0;
}

void exports_close(struct server *srv)
{
	unsigned int i;

	for (i = 0; srv->exports && i < srv->cfg.nr_exports; i++) {
		if (!srv->exports[i].ops)
			continue;
		srv->exports[i].ops->export_close(srv->exports[i].backing);
		close(srv->exports[i].root_fd);
	}
	free(srv->exports);
	srv->exports = NULL;
}

struct export *export_find(struct server *srv, const char *name)
{
	unsigned int i;

	for (i = 0; i < srv->cfg.nr_exports; i++)
		if (!strcmp(srv->cfg.exports[i].name, name))
			return &srv->exports[i];
	return NULL;
}

static void squash(const struct config_export *cfg, struct cred *cred)
{
	unsigned int i;

	if (cfg->squash == SQUASH_ALL || (cfg->squash == SQUASH_ROOT && cred->uid == 0)) {
		cred->uid = cfg->anon_uid;
		cred->gid = cfg->anon_gid;
		cred->nr_groups = 0;
	}
	if (cfg->squash == SQUASH_NONE)
		return;
	if (cred->gid == 0)
		cred->gid = cfg->anon_gid;
	for (i = 0; i < cred->nr_groups; i++)
		if (cred->groups[i] == 0)
			cred->groups[i] = cfg->anon_gid;
}

static void job_run(struct job *job)
{
	struct path_job *pj = (struct path_job *)job;

	pj->rc = cred_enter(&pj->cred);
	if (pj->rc) {
		err_set(&pj->err, -pj->rc, "act as uid %u", pj->cred.uid);
		return;
	}
	pj->work(pj);
	cred_leave();
}

static void job_done(struct job *job)
{
	struct path_job *pj = (struct path_job *)job;

	pj->finish(pj);
}

void path_job_start(struct call *call, const char *export_name, const char *path,
		    void (*work)(struct path_job *pj), void (*finish)(struct path_job *pj),
		    void *priv)
{
	struct export *exp = export_find(call->srv, export_name);
	struct path_job *pj;

	if (!exp)
		return call_status(call, IOPMEM_NOENT);
	pj = calloc(1, sizeof(*pj));
	if (!pj)
		return call_status(call, IOPMEM_DELAY);
	pj->call = call;
	pj->exp = exp;
	pj->path = *path ? path : ".";
	pj->cred = call->cred;
	squash(exp->cfg, &pj->cred);
	pj->fd = -1;
	pj->work = work;
	pj->finish = finish;
	pj->priv = priv;
	pj->job.run = job_run;
	pj->job.done = job_done;
	pool_submit(call->srv->fs_pool, &pj->job);
}

void path_job_free(struct path_job *pj)
{
	if (pj->fd >= 0)
		close(pj->fd);
	free(pj);
}

void attr_from_stat(iopmem_attr *attr, const struct stat *st)
{
	attr->type = S_ISREG(st->st_mode) ? IOPMEM_REG : S_ISDIR(st->st_mode) ? IOPMEM_DIR :
		     IOPMEM_OTHER;
	attr->mode = st->st_mode & 07777;
	attr->nlink = (u_int)st->st_nlink;
	attr->uid = st->st_uid;
	attr->gid = st->st_gid;
	attr->fileid = st->st_ino;
	attr->size = (uint64_t)st->st_size;
	attr->space_used = (uint64_t)st->st_blocks * 512;
	attr->mtime_sec = st->st_mtim.tv_sec;
	attr->mtime_nsec = (u_int)st->st_mtim.tv_nsec;
	attr->ctime_sec = st->st_ctim.tv_sec;
	attr->ctime_nsec = (u_int)st->st_ctim.tv_nsec;
	attr->change = ((uint64_t)st->st_ctim.tv_sec << 30) + (uint64_t)st->st_ctim.tv_nsec;
}
