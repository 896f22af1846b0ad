// SPDX-License-Identifier: BSD-3-Clause
/* Attributes: of names and open files, and of the file system. */
#include <errno.h>
#include <string.h>

#include "name.h"

void file_stat_from_wire(const iopmem_attr *a, struct iopmem_stat *st)
{
	*st = (struct iopmem_stat){
		.type = a->type, .mode = a->mode, .nlink = a->nlink,
		.uid = a->uid, .gid = a->gid, .fileid = a->fileid,
		.size = a->size, .space_used = a->space_used,
		.rdev_major = a->rdev_major, .rdev_minor = a->rdev_minor,
		.atime_sec = a->atime_sec, .atime_nsec = a->atime_nsec,
		.mtime_sec = a->mtime_sec, .mtime_nsec = a->mtime_nsec,
		.ctime_sec = a->ctime_sec, .ctime_nsec = a->ctime_nsec,
		.change = a->change,
	};
}

static int to_wire(const struct iopmem_changes *c, iopmem_wire_setattr *wire,
		   struct iopmem_err *err)
{
	const uint32_t known = IOPMEM_SET_MODE | IOPMEM_SET_UID | IOPMEM_SET_GID |
			       IOPMEM_SET_ATIME | IOPMEM_SET_MTIME | IOPMEM_SET_ATIME_NOW |
			       IOPMEM_SET_MTIME_NOW;

	if (!c || c->size != sizeof(*c) || (c->set & ~known))
		return err_msg(err, EINVAL, "set attributes: invalid argument");
	*wire = (iopmem_wire_setattr){
		.set = c->set, .mode = c->mode & 07777, .uid = c->uid, .gid = c->gid,
		.atime_sec = c->atime_sec, .atime_nsec = c->atime_nsec,
		.mtime_sec = c->mtime_sec, .mtime_nsec = c->mtime_nsec,
	};
	return 0;
}

static int setattr(struct iopmem_client *client, iopmem_setattr_args *args, uint64_t generation,
		   const char *path, struct iopmem_stat *st, struct iopmem_err *err)
{
	iopmem_attr_res res;
	struct session_op op = SESSION_OP(SETATTR, setattr_args, attr_res, args, &res, generation,
					  SESSION_ONCE);

	if (args->target.type == IOPMEM_BY_PATH)
		op.flags |= SESSION_FRESH;
	/* It may wait for every holder of a layout to return or to be fenced. */
	op.timeout_ms = client->timeout_ms + 2 * client->session.lease_ms;
	return name_call_attr(client, &op, "set attributes of", path, st, err);
}

int iopmem_setattr(struct iopmem_client *client, const char *path,
		   const struct iopmem_changes *changes, unsigned int flags,
		   struct iopmem_stat *st, struct iopmem_err *err)
{
	iopmem_setattr_args args = { .target = { .type = IOPMEM_BY_PATH } };
	iopmem_target_path *target = &args.target.iopmem_target_u.path;
	struct path p;
	int ret = to_wire(changes, &args.attr, err);

	if (ret)
		return ret;
	if (flags & ~IOPMEM_NOFOLLOW)
		return err_msg(err, EINVAL, "set attributes: flags %#x are unknown", flags);
	ret = path_get(client, path, &p, err);
	if (ret)
		return ret;
	target->export_name = client->export_name;
	target->path = p.rel;
	target->flags = flags;
	ret = setattr(client, &args, 0, p.rel, st, err);
	path_put(&p);
	return ret;
}

int iopmem_fsetattr(struct iopmem_file *file, const struct iopmem_changes *changes,
		    struct iopmem_stat *st, struct iopmem_err *err)
{
	iopmem_setattr_args args = { .target = { .type = IOPMEM_BY_OPEN } };
	uint64_t generation;
	int ret;

	if (!file)
		return err_msg(err, EINVAL, "set attributes: no file");
	ret = to_wire(changes, &args.attr, err);
	if (!ret)
		ret = file_identity(file->file, &args.target.iopmem_target_u.open, &generation, err);
	if (ret)
		return ret;
	return setattr(file->file->client, &args, generation, file->file->path, st, err);
}

int iopmem_chmod(struct iopmem_client *client, const char *path, mode_t mode,
		 struct iopmem_err *err)
{
	struct iopmem_changes c = { .size = sizeof(c), .set = IOPMEM_SET_MODE, .mode = mode };

	return iopmem_setattr(client, path, &c, 0, NULL, err);
}

int iopmem_statfs(struct iopmem_client *client, struct iopmem_statfs *fs, struct iopmem_err *err)
{
	iopmem_statfs_args args = { 0 };
	iopmem_statfs_res res;
	const iopmem_wire_statfs *ok = &res.iopmem_statfs_res_u.ok;
	struct session_op op = SESSION_OP(STATFS, statfs_args, statfs_res, &args, &res, 0,
					  SESSION_FRESH);
	struct iopmem_statfs out;
	int ret;

	if (!client || !fs || fs->size < sizeof(fs->size))
		return err_msg(err, EINVAL, "statfs: invalid argument");
	args.export_name = client->export_name;
	ret = name_call(client, &op, "statfs", client->export_name, err);
	if (ret)
		return ret;
	out = (struct iopmem_statfs){
		.size = fs->size < sizeof(out) ? fs->size : sizeof(out),
		.space_total = ok->space_total, .space_free = ok->space_free,
		.space_avail = ok->space_avail, .files_total = ok->files_total,
		.files_free = ok->files_free, .files_avail = ok->files_avail,
		.block_size = ok->block_size, .name_max = ok->name_max,
		.read_only = ok->read_only,
	};
	memcpy(fs, &out, out.size);
	session_free(&op);
	return 0;
}
