// SPDX-License-Identifier: BSD-3-Clause
/* LINK, RFC 8881 section 18.9: another name for a file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "export.h"

static void work(struct path_job *pj)
{
	const iopmem_link_args *args = pj->call->args;
	const char *from, *to;
	int from_dir, to_dir;

	pj->rc = path_writable(pj);
	if (!pj->rc)
		pj->rc = path_parent(pj, args->from, &from_dir, &from);
	if (pj->rc)
		return;
	pj->rc = path_parent(pj, args->to, &to_dir, &to);
	if (pj->rc)
		goto out;
	if (linkat(from_dir, from, to_dir, to, 0) ||
	    fstatat(to_dir, to, &pj->st, AT_SYMLINK_NOFOLLOW))
		pj->rc = err_set(&pj->err, errno, "link '%s' as '%s'", args->from, args->to);
	path_changed(pj, to_dir);
out:
	close(from_dir);
}

void op_link(struct call *call)
{
	const iopmem_link_args *args = call->args;

	path_job_start(call, args->export_name, args->from, work, path_answer_attr, NULL);
}
