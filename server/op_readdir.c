// SPDX-License-Identifier: BSD-3-Clause
/* READDIR: the cookie is the directory offset of the file system. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "export.h"
#include "file.h"

struct listing {
	struct file_sizes fs;
	struct path_job *pj;
	struct stat st[IOPMEM_DIRENTS_MAX];
	iopmem_readdir_ok ok;
};

static int take(struct path_job *pj, DIR *dir, struct listing *l, const struct dirent *de)
{
	iopmem_dirent *out = &l->ok.entries.entries_val[l->ok.entries.entries_len];
	struct stat *st = &l->st[l->ok.entries.entries_len];

	if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
		return 0;
	if (fstatat(dirfd(dir), de->d_name, st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_set(&pj->err, errno, "stat '%s'", de->d_name);
	out->name = strdup(de->d_name);
	if (!out->name)
		return -ENOMEM;
	out->cookie = (uint64_t)de->d_off;
	attr_from_stat(&out->attr, st);
	l->ok.entries.entries_len++;
	return 0;
}

static void list(struct path_job *pj, DIR *dir, struct listing *l)
{
	const iopmem_readdir_args *args = pj->call->args;
	struct dirent *de;

	if (args->cookie)
		seekdir(dir, (long)args->cookie);
	while (!pj->rc && l->ok.entries.entries_len < args->count) {
		errno = 0;
		de = readdir(dir);
		if (!de) {
			if (errno)
				pj->rc = err_set(&pj->err, errno, "read directory '%s'", pj->path);
			l->ok.eof = 1;
			return;
		}
		pj->rc = take(pj, dir, l, de);
	}
}

static void work(struct path_job *pj)
{
	char proc[32];
	DIR *dir;
	int fd;

	pj->rc = path_lookup(pj);
	if (pj->rc)
		return;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", pj->fd);
	fd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		pj->rc = err_set(&pj->err, errno, "open directory '%s'", pj->path);
		if (fd >= 0)
			close(fd);
		return;
	}
	list(pj, dir, pj->priv);
	closedir(dir);
}

static void answer(struct path_job *pj, struct listing *l)
{
	struct call *call = pj->call;

	call->res.readdir.iopmem_readdir_res_u.ok = l->ok;
	if (pj->rc)
		call_errno(call, pj->rc, &pj->err);
	else
		call_reply(call);
	free(l);
	path_job_free(pj);
}

static void sized(struct file_sizes *fs)
{
	struct listing *l = (struct listing *)fs;
	u_int i;

	for (i = 0; i < l->ok.entries.entries_len; i++)
		l->ok.entries.entries_val[i].attr.size = (uint64_t)l->st[i].st_size;
	answer(l->pj, l);
}

static void finish(struct path_job *pj)
{
	struct listing *l = pj->priv;

	if (pj->rc)
		return answer(pj, l);
	l->fs.st = l->st;
	l->fs.n = l->ok.entries.entries_len;
	l->fs.done = sized;
	l->pj = pj;
	if (!file_sizes(pj->exp, &l->fs)) {
		pj->rc = -ENOMEM;
		answer(pj, l);
	}
}

void op_readdir(struct call *call)
{
	const iopmem_readdir_args *args = call->args;
	enum iopmem_status status;
	struct export *exp;
	struct listing *l;

	if (!args->count || args->count > IOPMEM_DIRENTS_MAX)
		return call_status(call, IOPMEM_INVAL);
	status = export_enter(call, args->export_name, &exp);
	if (status)
		return call_status(call, status);
	l = calloc(1, sizeof(*l));
	if (l)
		l->ok.entries.entries_val = calloc(IOPMEM_DIRENTS_MAX, sizeof(iopmem_dirent));
	if (!l || !l->ok.entries.entries_val) {
		free(l);
		return call_status(call, IOPMEM_DELAY);
	}
	path_job_start(call, args->export_name, args->path, work, finish, l);
}
