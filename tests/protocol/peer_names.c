// SPDX-License-Identifier: BSD-3-Clause
#include "peer_names.h"

#include <string.h>

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;	/* rpcgen knows no const */
}

#define CALL_OP(p, PROC, ARGS, args, RES, res) \
	assert_int_equal(wire_call(&(p)->rpc, IOPMEM_PROC_##PROC, \
				   WIRE_XDR(xdr_iopmem_##ARGS##_args), args, \
				   WIRE_XDR(xdr_iopmem_##RES##_res), res), 0)

u_int peer_lstat(struct peer *p, const char *path, iopmem_attr *attr)
{
	iopmem_lookup_args args = { { p->id, 0, 0 }, text("d"), text(path), IOPMEM_NOFOLLOW };
	iopmem_attr_res res = { 0 };

	CALL_OP(p, LOOKUP, lookup, &args, attr, &res);
	if (!res.status && attr)
		*attr = res.iopmem_attr_res_u.attr;
	return res.status;
}

u_int peer_rename(struct peer *p, const char *from, const char *to, u_int flags)
{
	iopmem_rename_args args = { peer_seq(p, 0), text("d"), text(from), text(to), flags };
	iopmem_status_res res = { 0 };

	CALL_OP(p, RENAME, rename, &args, status, &res);
	return res.status;
}

u_int peer_link(struct peer *p, const char *from, const char *to)
{
	iopmem_link_args args = { peer_seq(p, 0), text("d"), text(from), text(to) };
	iopmem_attr_res res = { 0 };

	CALL_OP(p, LINK, link, &args, attr, &res);
	return res.status;
}

u_int peer_symlink(struct peer *p, const char *target, const char *path)
{
	iopmem_symlink_args args = { peer_seq(p, 0), text("d"), text(path), text(target) };
	iopmem_attr_res res = { 0 };

	CALL_OP(p, SYMLINK, symlink, &args, attr, &res);
	if (!res.status)
		assert_int_equal(res.iopmem_attr_res_u.attr.type, IOPMEM_LNK);
	return res.status;
}

u_int peer_readlink(struct peer *p, const char *path, char *target, size_t size)
{
	iopmem_path_args args = { { p->id, 0, 0 }, text("d"), text(path) };
	iopmem_readlink_res res = { 0 };
	u_int status;

	CALL_OP(p, READLINK, path, &args, readlink, &res);
	status = res.status;
	if (!status) {
		assert_true(strlen(res.iopmem_readlink_res_u.target) < size);
		strcpy(target, res.iopmem_readlink_res_u.target);
	}
	xdr_free(WIRE_XDR(xdr_iopmem_readlink_res), &res);
	return status;
}

u_int peer_statfs(struct peer *p, const char *export_name, iopmem_statfs *out)
{
	iopmem_statfs_args args = { { p->id, 0, 0 }, text(export_name) };
	iopmem_statfs_res res = { 0 };

	CALL_OP(p, STATFS, statfs, &args, statfs, &res);
	if (!res.status)
		*out = res.iopmem_statfs_res_u.ok;
	return res.status;
}

iopmem_setattr_args peer_setattr_path(struct peer *p, const char *path, iopmem_setattr attr)
{
	iopmem_setattr_args args = { .seq = peer_seq(p, 0), .attr = attr };

	args.target.type = IOPMEM_BY_PATH;
	args.target.iopmem_target_u.path.export_name = text("d");
	args.target.iopmem_target_u.path.path = text(path);
	return args;
}

iopmem_setattr_args peer_setattr_open(struct peer *p, const iopmem_stateid *id,
				      iopmem_setattr attr)
{
	iopmem_setattr_args args = { .seq = peer_seq(p, 0), .attr = attr };

	args.target.type = IOPMEM_BY_OPEN;
	args.target.iopmem_target_u.open = *id;
	return args;
}

u_int peer_setattr_with(struct peer *p, const iopmem_setattr_args *args, iopmem_attr *attr)
{
	iopmem_attr_res res = { 0 };

	CALL_OP(p, SETATTR, setattr, args, attr, &res);
	if (!res.status && attr)
		*attr = res.iopmem_attr_res_u.attr;
	return res.status;
}

u_int peer_chmod(struct peer *p, const char *path, u_int mode)
{
	iopmem_setattr_args args = peer_setattr_path(p, path, (iopmem_setattr){
		.set = IOPMEM_SET_MODE, .mode = mode });

	return peer_setattr_with(p, &args, NULL);
}
