// SPDX-License-Identifier: BSD-3-Clause
/* Operations on names: stat, mkdir, remove, rename, links, readdir. */
#include "name.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

int name_call(struct iopmem_client *client, struct session_op *op, const char *what,
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

int name_call_attr(struct iopmem_client *client, struct session_op *op, const char *what,
		   const char *path, struct iopmem_stat *st, struct iopmem_err *err)
{
	const iopmem_attr_res *res = op->res;
	int ret = name_call(client, op, what, path, err);

	if (ret)
		return ret;
	if (st)
		file_stat_from_wire(&res->iopmem_attr_res_u.attr, st);
	session_free(op);
	return 0;
}

static int lookup(struct iopmem_client *client, const char *path, unsigned int flags,
		  struct iopmem_stat *st, struct iopmem_err *err)
{
	iopmem_lookup_args args = { .flags = flags };
	iopmem_attr_res res;
	struct session_op op = SESSION_OP(LOOKUP, lookup_args, attr_res, &args, &res, 0,
					  SESSION_FRESH);
	struct path p;
	int ret;

	if (!st)
		return err_msg(err, EINVAL, "stat: no place for the result");
	ret = path_get(client, path, &p, err);
	if (ret)
		return ret;
	args.export_name = client->export_name;
	args.path = p.rel;
	ret = name_call_attr(client, &op, "stat", p.rel, st, err);
	path_put(&p);
	return ret;
}

int iopmem_stat(struct iopmem_client *client, const char *path,
		struct iopmem_stat *st, struct iopmem_err *err)
{
	return lookup(client, path, 0, st, err);
}

int iopmem_lstat(struct iopmem_client *client, const char *path,
		 struct iopmem_stat *st, struct iopmem_err *err)
{
	return lookup(client, path, IOPMEM_NOFOLLOW, st, err);
}

int iopmem_mkdir(struct iopmem_client *client, const char *path, mode_t mode,
		 struct iopmem_err *err)
{
	iopmem_mkdir_args args = { .mode = mode & 07777 };
	iopmem_attr_res res;
	struct session_op op = SESSION_OP(MKDIR, mkdir_args, attr_res, &args, &res, 0,
					  SESSION_ONCE | SESSION_FRESH);
	struct path p;
	int ret = path_get(client, path, &p, err);

	if (ret)
		return ret;
	args.export_name = client->export_name;
	args.path = p.rel;
	ret = name_call_attr(client, &op, "mkdir", p.rel, NULL, err);
	path_put(&p);
	return ret;
}

int iopmem_remove(struct iopmem_client *client, const char *path, struct iopmem_err *err)
{
	iopmem_path_args args = { 0 };
	iopmem_status_res res;
	struct session_op op = SESSION_OP(REMOVE, path_args, status_res, &args, &res, 0,
					  SESSION_ONCE | SESSION_FRESH);
	struct path p;
	int ret = path_get(client, path, &p, err);

	if (ret)
		return ret;
	args.export_name = client->export_name;
	args.path = p.rel;
	op.timeout_ms = client->timeout_ms + 2 * client->session.lease_ms;
	ret = name_call(client, &op, "remove", p.rel, err);
	path_put(&p);
	return ret;
}

int iopmem_rename(struct iopmem_client *client, const char *from, const char *to,
		  unsigned int flags, struct iopmem_err *err)
{
	iopmem_rename_args args = { .flags = flags };
	iopmem_status_res res;
	struct session_op op = SESSION_OP(RENAME, rename_args, status_res, &args, &res, 0,
					  SESSION_ONCE | SESSION_FRESH);
	struct path a, b = { 0 };
	int ret;

	if (flags & ~(IOPMEM_RENAME_NOREPLACE | IOPMEM_RENAME_EXCHANGE))
		return err_msg(err, EINVAL, "rename: flags %#x are unknown", flags);
	ret = path_get(client, from, &a, err);
	if (!ret)
		ret = path_get(client, to, &b, err);
	if (!ret) {
		args.export_name = client->export_name;
		args.from = a.rel;
		args.to = b.rel;
		op.timeout_ms = client->timeout_ms + 2 * client->session.lease_ms;
		ret = name_call(client, &op, "rename", a.rel, err);
	}
	path_put(&a);
	path_put(&b);
	return ret;
}

int iopmem_link(struct iopmem_client *client, const char *from, const char *to,
		struct iopmem_err *err)
{
	iopmem_link_args args = { 0 };
	iopmem_attr_res res;
	struct session_op op = SESSION_OP(LINK, link_args, attr_res, &args, &res, 0,
					  SESSION_ONCE | SESSION_FRESH);
	struct path a, b = { 0 };
	int ret;

	ret = path_get(client, from, &a, err);
	if (!ret)
		ret = path_get(client, to, &b, err);
	if (!ret) {
		args.export_name = client->export_name;
		args.from = a.rel;
		args.to = b.rel;
		ret = name_call_attr(client, &op, "link", b.rel, NULL, err);
	}
	path_put(&a);
	path_put(&b);
	return ret;
}

int iopmem_symlink(struct iopmem_client *client, const char *target, const char *path,
		   struct iopmem_err *err)
{
	union { const char *in; char *out; } to = { .in = target };
	iopmem_symlink_args args = { .target = to.out };
	iopmem_attr_res res;
	struct session_op op = SESSION_OP(SYMLINK, symlink_args, attr_res, &args, &res, 0,
					  SESSION_ONCE | SESSION_FRESH);
	struct path p;
	int ret;

	if (!target || !*target)
		return err_msg(err, EINVAL, "symlink: no target");
	if (strlen(target) > IOPMEM_PATH_MAX)
		return err_set(err, ENAMETOOLONG, "symlink to '%.200s...'", target);
	ret = path_get(client, path, &p, err);
	if (ret)
		return ret;
	args.export_name = client->export_name;
	args.path = p.rel;
	ret = name_call_attr(client, &op, "symlink", p.rel, NULL, err);
	path_put(&p);
	return ret;
}

ssize_t iopmem_readlink(struct iopmem_client *client, const char *path, char *target,
			size_t size, struct iopmem_err *err)
{
	iopmem_path_args args = { 0 };
	iopmem_readlink_res res;
	struct session_op op = SESSION_OP(READLINK, path_args, readlink_res, &args, &res, 0,
					  SESSION_FRESH);
	struct path p;
	ssize_t ret;
	size_t len;

	if (!target || !size)
		return err_msg(err, EINVAL, "readlink: no place for the result");
	ret = path_get(client, path, &p, err);
	if (ret)
		return ret;
	args.export_name = client->export_name;
	args.path = p.rel;
	ret = name_call(client, &op, "read the link", p.rel, err);
	if (!ret) {
		len = strlen(res.iopmem_readlink_res_u.target);
		if (len < size) {
			memcpy(target, res.iopmem_readlink_res_u.target, len + 1);
			ret = (ssize_t)len;
		} else {
			ret = err_msg(err, ENAMETOOLONG, "read the link '%.250s': it has %zu bytes",
				      p.rel, len);
		}
		session_free(&op);
	}
	path_put(&p);
	return ret;
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
	struct path p;
	int ret;
	u_int i;

	if (!fn)
		return err_msg(err, EINVAL, "readdir: no function");
	ret = path_get(client, path, &p, err);
	if (ret)
		return ret;
	args.export_name = client->export_name;
	args.path = p.rel;
	while (!ret && !end) {
		ret = name_call(client, &op, "list", p.rel, err);
		if (ret)
			break;
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
	path_put(&p);
	return ret;
}
