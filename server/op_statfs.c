// SPDX-License-Identifier: BSD-3-Clause
/* STATFS: space and names of the file system an export is on. */
#include <errno.h>
#include <sys/statvfs.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	iopmem_statfs *out = &pj->call->res.statfs.iopmem_statfs_res_u.ok;
	struct statvfs vfs;

	if (fstatvfs(pj->exp->root_fd, &vfs)) {
		pj->rc = err_set(&pj->err, errno, "export '%s': statfs", pj->exp->cfg->name);
		return;
	}
	out->space_total = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	out->space_free = (uint64_t)vfs.f_bfree * vfs.f_frsize;
	out->space_avail = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	out->files_total = vfs.f_files;
	out->files_free = vfs.f_ffree;
	out->files_avail = vfs.f_favail;
	out->block_size = (u_int)vfs.f_bsize;
	out->name_max = (u_int)vfs.f_namemax;
	out->read_only = (vfs.f_flag & ST_RDONLY) || path_writable(pj);
}

static void finish(struct path_job *pj)
{
	if (pj->rc)
		call_errno(pj->call, pj->rc, &pj->err);
	else
		call_reply(pj->call);
	path_job_free(pj);
}

void op_statfs(struct call *call)
{
	const iopmem_statfs_args *args = call->args;

	path_job_start(call, args->export_name, "", work, finish, NULL);
}
