// SPDX-License-Identifier: BSD-3-Clause
/* Operations on names: stat, mkdir, remove, readdir. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "client.h"

static bool bad_path(const char *path)
{
	return !path || strlen(path) > IOPMEM_PATH_MAX;
}

/* Repeats what the server answers with "not now". */
static int do_patiently(struct iopmem_client *client, struct session_op *op, const char *what,
			const char *path, struct iopmem_err *err)
{
	uint64_t until = clock_ms() + client->timeout_ms + 2 * client->session.lease_ms;
	struct backoff backoff = { 0 };
	struct iopmem_err cause;
	int ret;

	for (;;) {
		cause = (struct iopmem_err){ 0 };
		ret = session_do(client, &client->main, op, &cause, "%s '%.250s'", what, path);
		if (ret != -EAGAIN || clock_ms() >= until)
			break;
		backoff_sleep(&backoff);
	}
	if (ret && err && !err->code)
		*err = cause;
	return ret;
}

int iopmem_stat(struct iopmem_client *client, const char *path,
		struct iopmem_stat *st, struct iopmem_err *err)
{
	iopmem_path_args args = { 0 };
	iopmem_attr_res res;
	struct session_op op = SESSION_OP(LOOKUP, path_args, attr_res, &args, &res, 0,
					  SESSION_FRESH);
	int ret;

	if (!client || bad_path(path) || !st)
		return err_msg(err, EINVAL, "stat: invalid argument");
	args.export_name = client->export_name;
	args.path = (char *)(uintptr_t)path;	/* XDR does not write when it encodes */
	ret = do_patiently(client, &op, "stat", path, err);
	if (ret)
		return ret;
	file_stat_from_wire(&res.iopmem_attr_res_u.attr, st);
	session_free(&op);
	return 0;
}

int iopmem_mkdir(struct iopmem_client *client, const char *path, mode_t mode,
		 struct iopmem_err *err)
{
	iopmem_mkdir_args args = { 0 };
	iopmem_attr_res res;
	struct session_op op = SESSION_OP(MKDIR, mkdir_args, attr_res, &args, &res, 0,
					  SESSION_ONCE | SESSION_FRESH);
	int ret;

	if (!client || bad_path(path))
		return err_msg(err, EINVAL, "mkdir: invalid argument");
	args.export_name = client->export_name;
	args.path = (char *)(uintptr_t)path;
	args.mode = mode & 07777;
	ret = do_patiently(client, &op, "mkdir", path, err);
	if (!ret)
		session_free(&op);
	return ret;
}

int iopmem_remove(struct iopmem_client *client, const char *path, struct iopmem_err *err)
{
	iopmem_path_args args = { 0 };
	iopmem_status_res res;
	struct session_op op = SESSION_OP(REMOVE, path_args, status_res, &args, &res, 0,
					  SESSION_ONCE | SESSION_FRESH);

	if (!client || bad_path(path))
		return err_msg(err, EINVAL, "remove: invalid argument");
	args.export_name = client->export_name;
	args.path = (char *)(uintptr_t)path;
	op.timeout_ms = client->timeout_ms + 2 * client->session.lease_ms;
	return do_patiently(client, &op, "remove", path, err);
}

int iopmem_readdir(struct iopmem_client *client, const char *path,
		   iopmem_dirent_fn fn, void *arg, struct iopmem_err *err)
{
	iopmem_readdir_args args = { .count = IOPMEM_DIRENTS_MAX };
	iopmem_readdir_res res;
	const iopmem_readdir_ok *ok = &res.iopmem_readdir_res_u.ok;
	struct session_op op = SESSION_OP(READDIR, readdir_args, readdir_res, &args, &res, 0,
					  SESSION_FRESH);
	struct iopmem_stat st;
	bool end = false;
	int ret = 0;
	u_int i;

	if (!client || bad_path(path) || !fn)
		return err_msg(err, EINVAL, "readdir: invalid argument");
	args.export_name = client->export_name;
	args.path = (char *)(uintptr_t)path;
	while (!ret && !end) {
		ret = do_patiently(client, &op, "list", path, err);
		if (ret)
			return ret;
		/* An empty reply that does not end would go round for ever. */
		end = ok->eof || !ok->entries.entries_len;
		for (i = 0; !ret && i < ok->entries.entries_len; i++) {
			const iopmem_dirent *d = &ok->entries.entries_val[i];

			file_stat_from_wire(&d->attr, &st);
			ret = fn(d->name, &st, arg);
			args.cookie = d->cookie;
		}
		session_free(&op);
	}
	return ret;
}
