// SPDX-License-Identifier: BSD-3-Clause
/*
 * "dir": an export is any directory.  Files are memory through the page cache, local
 * conflicts show as broken fcntl leases, files grow at the grant and are trimmed back
 * to their committed size.
 */
#include "backing_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/log.h"

static void exp_free(struct backing_export *exp)
{
	if (exp->root_fd >= 0)
		close(exp->root_fd);	/* and with it the flock */
	store_close(exp->store);
	pthread_mutex_destroy(&exp->lock);
	pthread_cond_destroy(&exp->changed);
	backing_attr_free(&exp->attr);
	free(exp);
}

static struct backing_export *exp_new(const struct backing_attr *attr)
{
	struct backing_export *exp = calloc(1, sizeof(*exp));
	pthread_condattr_t ca;

	if (!exp)
		return NULL;
	exp->root_fd = -1;
	pthread_mutex_init(&exp->lock, NULL);
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&exp->changed, &ca);
	pthread_condattr_destroy(&ca);
	exp->granule = (uint32_t)sysconf(_SC_PAGESIZE);
	if (!backing_attr_copy(&exp->attr, attr)) {
		exp_free(exp);
		return NULL;
	}
	return exp;
}

static int open_root(struct backing_export *exp, struct iopmem_err *err)
{
	const char *path = exp->attr.path;
	struct statfs fs;
	struct stat st;

	exp->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (exp->root_fd < 0)
		return err_set(err, errno, "export '%s': open '%s'", exp->attr.name, path);
	/* Two servers would trim each other's growth. */
	if (flock(exp->root_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ?
			err_msg(err, EBUSY, "export '%s': another server exports '%s'",
				exp->attr.name, path) :
			err_set(err, errno, "export '%s': lock '%s'", exp->attr.name, path);
	if (fstat(exp->root_fd, &st) || fstatfs(exp->root_fd, &fs))
		return err_set(err, errno, "export '%s': stat '%s'", exp->attr.name, path);
	exp->tmpfs = fs.f_type == TMPFS_MAGIC;
	return 0;
}

static int dir_export_open(const struct backing_attr *attr, struct backing_export **out,
			   struct iopmem_err *err)
{
	struct backing_export *exp;
	int ret;

	if (!attr->path || !attr->name || !attr->state_dir || !attr->on_break)
		return err_msg(err, EINVAL, "export: path, name or state directory missing");
	ret = dir_check_limits(attr, err);
	if (ret)
		return ret;
	exp = exp_new(attr);
	if (!exp)
		return err_set(err, ENOMEM, "export '%s'", attr->name);
	ret = open_root(exp, err);
	if (!ret)
		ret = backing_check_state_dir(attr, exp->root_fd, err);
	if (!ret)
		ret = store_open(attr->state_dir, &exp->store, err);
	if (ret)
		goto err_free;
	ret = dir_lease_init(exp, err);
	if (ret)
		goto err_free;
	ret = dir_check_leases(exp, err);
	if (!ret)
		ret = grow_recover(exp->store, exp->attr.name, exp->root_fd, err);
	if (ret)
		goto err_lease;
	*out = exp;
	return 0;
err_lease:
	dir_lease_fini(exp);
err_free:
	exp_free(exp);
	return ret;
}

static void dir_export_info(const struct backing_export *exp, struct backing_info *info)
{
	*info = (struct backing_info){
		.kind = "dir", .memory = "pagecache", .granule = exp->granule,
		.durable = false, .has_addr = true,
	};
}

static void dir_export_close(struct backing_export *exp)
{
	if (!exp)
		return;
	dir_lease_fini(exp);
	exp_free(exp);
}

/* A lease dies with the process that holds it: there is nothing to wait for. */
static int dir_orphans(struct backing_export *exp)
{
	(void)exp;
	return 0;
}

static int dir_file_open(struct backing_export *exp, int path_fd, void *cookie,
			 struct backing_file **out, struct iopmem_err *err)
{
	struct backing_file *file = calloc(1, sizeof(*file));
	int ret;

	if (!file)
		return err_set(err, ENOMEM, "export '%s': open", exp->attr.name);
	file->exp = exp;
	file->cookie = cookie;
	file->lease = F_UNLCK;
	file->path = backing_fd_path(path_fd);
	if (!file->path) {
		ret = err_set(err, ENOMEM, "export '%s': open", exp->attr.name);
		goto err_free;
	}
	ret = backing_open_inode(path_fd, file->path, &file->fd, &file->writable, err);
	if (ret)
		goto err_path;
	grow_init(&file->grow, exp->store, exp->attr.name, file->path, file->fd);
	dir_lease_add(file);
	*out = file;
	return 0;
err_path:
	free(file->path);
err_free:
	free(file);
	return ret;
}

static void dir_file_close(struct backing_file *file)
{
	if (!file)
		return;
	dir_lease_remove(file);
	grow_fini(&file->grow);
	close(file->fd);
	free(file->path);
	free(file);
}

static int dir_file_fd(const struct backing_file *file)
{
	return file->fd;
}

static int dir_file_stat(struct backing_file *file, struct stat *st)
{
	if (fstat(file->fd, st))
		return -errno;
	st->st_size = (off_t)grow_size(&file->grow, (uint64_t)st->st_size);
	return 0;
}

static int check_alone(const struct backing_file *file, const char *what,
		       struct iopmem_err *err)
{
	if (!file->writable)
		return err_set(err, EBADF, "'%s': %s", file->path, what);
	/* Sizes are the grants' while a layout is open. */
	if (file->grow.on)
		return err_msg(err, EBUSY, "'%s': %s under a layout", file->path, what);
	return 0;
}

static int dir_set_size(struct backing_file *file, uint64_t size, struct iopmem_err *err)
{
	int ret = check_alone(file, "set size", err);

	return ret ? ret : backing_set_size(file->fd, file->path, size, err);
}

static int dir_allocate(struct backing_file *file, struct range range, bool punch,
			struct iopmem_err *err)
{
	int ret = check_alone(file, punch ? "punch" : "allocate", err);

	return ret ? ret : backing_allocate(file->fd, file->path, range, punch, err);
}

static int dir_write(struct backing_file *file, const void *buf, size_t *n, uint64_t offset,
		     struct iopmem_err *err)
{
	int ret = check_alone(file, "write", err);

	return ret ? ret : backing_write(file->fd, file->path, buf, n, offset, err);
}

static int dir_read(struct backing_file *file, void *buf, size_t *n, uint64_t offset, bool *eof,
		    struct iopmem_err *err)
{
	struct stat st;
	int ret = dir_file_stat(file, &st);

	if (ret)
		return err_set(err, -ret, "'%s': stat", file->path);
	return backing_read(file->fd, file->path, (uint64_t)st.st_size, buf, n, offset, eof, err);
}

static int dir_sync(struct backing_file *file, struct iopmem_err *err)
{
	return backing_sync(file->fd, file->path, err);
}

static int dir_layout_open(struct backing_file *file, struct iopmem_err *err)
{
	struct stat st;
	int ret;

	ret = dir_lease_take(file, err);
	if (ret)
		return ret;
	if (fstat(file->fd, &st)) {
		ret = err_set(err, errno, "'%s': stat", file->path);
		dir_lease_drop(file);
		return ret;
	}
	grow_begin(&file->grow, (uint64_t)st.st_size);
	file->touched = false;
	return 0;
}

static void dir_layout_close(struct backing_file *file)
{
	grow_trim(&file->grow, NULL, NULL);
	if (file->touched)
		dir_touch(file);
	file->touched = false;
	grow_end(&file->grow);
	dir_lease_drop(file);
}

const struct backing_ops backing_dir_ops = {
	.kind = "dir",
	.export_open = dir_export_open,
	.check_limits = dir_check_limits,
	.export_info = dir_export_info,
	.export_close = dir_export_close,
	.orphans = dir_orphans,
	.file_open = dir_file_open,
	.file_close = dir_file_close,
	.file_fd = dir_file_fd,
	.file_stat = dir_file_stat,
	.set_size = dir_set_size,
	.allocate = dir_allocate,
	.read = dir_read,
	.write = dir_write,
	.sync = dir_sync,
	.layout_open = dir_layout_open,
	.layout_close = dir_layout_close,
	.map = dir_map,
	.mem_get = dir_mem_get,
	.mem_put = dir_mem_put,
	.commit = dir_commit,
};
