// SPDX-License-Identifier: BSD-3-Clause
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "file.h"
#include "hosts.h"
#include "sec.h"

/* Also for fabric=auto, before it is known whether verbs will do. */
static int import(int dmabuf, uint64_t length, struct iopmem_err *err)
{
	return fabric_dmabuf("verbs", dmabuf, length, err);
}

static int open_one(struct server *srv, struct export *exp, struct iopmem_err *err)
{
	const struct config_export *cfg = exp->cfg;
	struct backing_attr attr = {
		.path = cfg->path, .name = cfg->name, .state_dir = srv->cfg.state_dir,
		.memory = cfg->memory[0] ? cfg->memory : NULL,
		.demand = !srv->demand.able ? BACKING_DEMAND_NO :
			  srv->demand.nic ? BACKING_DEMAND_NIC : BACKING_DEMAND_CPU,
		.import = strcmp(srv->cfg.fabric, "tcp") ? import : NULL,
		.recall_ms = config_recall_max(&srv->cfg), .on_break = file_on_break, .arg = srv,
	};
	int rc;

	rc = sec_parse(cfg->sec, &exp->sec, err);
	if (!rc)
		rc = hosts_parse(cfg->hosts, &exp->hosts, err);
	if (rc)
		return rc;
	if (hosts_have_names(exp->hosts)) {
		hosts_resolve(exp->hosts);
		hosts_adopt(exp->hosts);
	}
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
	handle_export_open(exp);
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
		if (srv->exports[i].resolved != srv->exports[i].hosts)
			hosts_free(srv->exports[i].resolved);
		hosts_free(srv->exports[i].hosts);
		if (!srv->exports[i].ops)
			continue;
		srv->exports[i].ops->export_close(srv->exports[i].backing);
		handle_export_close(&srv->exports[i]);
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

/* ---- work on a path ---- */

static void job_run(struct job *job)
{
	struct path_job *pj = (struct path_job *)job;

	pj->rc = pj->before ? pj->before(pj) : 0;
	if (pj->rc)
		return;
	pj->rc = cred_enter(&pj->cred);
	if (pj->rc) {
		err_set(&pj->err, -pj->rc, "act as uid %u", pj->cred.uid);
		return;
	}
	pj->work(pj);
	cred_leave();
	path_durable(pj);
}

static void job_done(struct job *job)
{
	struct path_job *pj = (struct path_job *)job;

	pj->finish(pj);
}

/* NULL: no memory, the call is answered. */
static struct path_job *path_job_new(struct call *call, struct export *exp, const char *path)
{
	struct path_job *pj = calloc(1, sizeof(*pj));

	if (!pj) {
		call_status(call, IOPMEM_DELAY);
		return NULL;
	}
	pj->call = call;
	pj->exp = exp;
	pj->path = path;
	export_cred(exp, call, &pj->cred);
	pj->read_only = export_read_only(exp, call);
	pj->fd = -1;
	pj->job.run = job_run;
	pj->job.done = job_done;
	call->exp = exp;
	call->path = path;
	return pj;
}

void path_job_start(struct call *call, const char *export_name, const char *path,
		    void (*work)(struct path_job *pj), void (*finish)(struct path_job *pj),
		    void *priv)
{
	enum iopmem_status status;
	struct path_job *pj;
	struct export *exp;

	status = export_enter(call, export_name, &exp);
	if (status)
		return call_status(call, status);
	if ((call->op->flags & OP_SEQ) && quiesce_delays(call, exp))
		return;
	pj = path_job_new(call, exp, *path ? path : ".");
	if (!pj)
		return;
	pj->work = work;
	pj->finish = finish;
	pj->priv = priv;
	pool_submit(call->srv->fs_pool, &pj->job);
}

void path_job_start_in(struct call *call, struct export *exp, const char *path,
		       int (*before)(struct path_job *pj), void (*work)(struct path_job *pj),
		       void (*finish)(struct path_job *pj))
{
	enum iopmem_status status = export_admit(exp, call);
	struct path_job *pj;

	if (status)
		return call_status(call, status);
	if ((call->op->flags & OP_SEQ) && quiesce_delays(call, exp))
		return;
	pj = path_job_new(call, exp, path);
	if (!pj)
		return;
	pj->before = before;
	pj->work = work;
	pj->finish = finish;
	pool_submit(call->srv->fs_pool, &pj->job);
}

void path_job_free(struct path_job *pj)
{
	if (pj->fd >= 0)
		close(pj->fd);
	free(pj);
}

void path_answer_attr(struct path_job *pj)
{
	struct call *call = pj->call;

	if (pj->rc) {
		call_errno(call, pj->rc, &pj->err);
	} else {
		attr_from_stat(&call->res.attr.iopmem_attr_res_u.attr, &pj->st);
		call_reply(call);
	}
	path_job_free(pj);
}

static iopmem_ftype ftype(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return IOPMEM_DIR;
	case S_IFBLK:
		return IOPMEM_BLK;
	case S_IFCHR:
		return IOPMEM_CHR;
	case S_IFLNK:
		return IOPMEM_LNK;
	case S_IFSOCK:
		return IOPMEM_SOCK;
	case S_IFIFO:
		return IOPMEM_FIFO;
	default:
		return IOPMEM_REG;
	}
}

void attr_from_stat(iopmem_attr *attr, const struct stat *st)
{
	attr->type = ftype(st->st_mode);
	attr->mode = st->st_mode & 07777;
	attr->nlink = (u_int)st->st_nlink;
	attr->uid = st->st_uid;
	attr->gid = st->st_gid;
	attr->fileid = st->st_ino;
	attr->size = (uint64_t)st->st_size;
	attr->space_used = (uint64_t)st->st_blocks * 512;
	attr->rdev_major = major(st->st_rdev);
	attr->rdev_minor = minor(st->st_rdev);
	attr->atime_sec = st->st_atim.tv_sec;
	attr->atime_nsec = (u_int)st->st_atim.tv_nsec;
	attr->mtime_sec = st->st_mtim.tv_sec;
	attr->mtime_nsec = (u_int)st->st_mtim.tv_nsec;
	attr->ctime_sec = st->st_ctim.tv_sec;
	attr->ctime_nsec = (u_int)st->st_ctim.tv_nsec;
	attr->change = ((uint64_t)st->st_ctim.tv_sec << 30) + (uint64_t)st->st_ctim.tv_nsec;
}
