// SPDX-License-Identifier: BSD-3-Clause
/*
 * "xfs": files on XFS with DAX on a card of iopmem.ko.  A layout is a descriptor of the
 * module that holds the kernel's lease; its memory is the card itself.
 *
 * No call here waits for the inode lock (IOLOCK) while memory of the file is handed
 * out: XFS holds that lock while it waits for pinned pages, and a thread that is stuck
 * behind it could not even be killed.
 */
#include "backing_xfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "../kmod/uapi/iopmem.h"
#include "base/log.h"

static void exp_free(struct backing_export *exp)
{
	store_close(exp->store);
	if (exp->dev_fd >= 0)
		close(exp->dev_fd);
	if (exp->root_fd >= 0)
		close(exp->root_fd);
	pthread_mutex_destroy(&exp->lock);
	pthread_cond_destroy(&exp->changed);
	backing_attr_free(&exp->attr);
	free(exp);
}

static int open_root(struct backing_export *exp, struct iopmem_err *err)
{
	const char *path = exp->attr.path;
	struct statfs fs;

	exp->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (exp->root_fd < 0)
		return err_set(err, errno, "export '%s': open '%s'", exp->attr.name, path);
	if (fstatfs(exp->root_fd, &fs))
		return err_set(err, errno, "export '%s': statfs '%s'", exp->attr.name, path);
	if (fs.f_type != XFS_SUPER_MAGIC)
		return err_msg(err, EOPNOTSUPP, "export '%s': '%s' is not on XFS",
			       exp->attr.name, path);
	return 0;
}

static int xfs_export_open(const struct backing_attr *attr, struct backing_export **out,
			   struct iopmem_err *err)
{
	struct backing_export *exp;
	int ret;

	if (!attr->path || !attr->name || !attr->state_dir || !attr->on_break)
		return err_msg(err, EINVAL, "export: path, name or state directory missing");
	exp = calloc(1, sizeof(*exp));
	if (!exp)
		return err_set(err, ENOMEM, "export '%s'", attr->name);
	exp->root_fd = exp->dev_fd = -1;
	pthread_mutex_init(&exp->lock, NULL);
	pthread_cond_init(&exp->changed, NULL);
	if (!backing_attr_copy(&exp->attr, attr)) {
		ret = err_set(err, ENOMEM, "export '%s'", attr->name);
		goto err_free;
	}
	ret = open_root(exp, err);
	if (!ret)
		ret = backing_check_state_dir(attr, exp->root_fd, err);
	if (!ret)
		ret = xfs_check_module(exp, err);
	/* Also where nothing grows now: a server before this one may have used odp. */
	if (!ret)
		ret = store_open(attr->state_dir, &exp->store, err);
	if (!ret)
		ret = grow_recover(exp->store, attr->name, exp->root_fd, err);
	if (!ret)
		ret = xfs_check_files(exp, err);
	if (!ret)
		ret = xfs_watch_init(exp, err);
	if (ret)
		goto err_free;
	*out = exp;
	return 0;
err_free:
	exp_free(exp);
	return ret;
}

static void xfs_export_info(const struct backing_export *exp, struct backing_info *info)
{
	*info = (struct backing_info){
		.kind = "xfs", .memory = exp->odp ? "odp" : exp->dmabuf ? "dmabuf" : "pin", .granule = exp->granule,
		.durable = true, .has_addr = true,
	};
}

static void xfs_export_close(struct backing_export *exp)
{
	if (!exp)
		return;
	xfs_watch_fini(exp);
	exp_free(exp);
}

static int xfs_orphans(struct backing_export *exp)
{
	struct iopmem_info info = { .size = sizeof(info), .version = IOPMEM_UAPI_VERSION };

	if (ioctl(exp->dev_fd, IOPMEM_IOC_GET_INFO, &info))
		return -errno;
	return (int)info.orphans;
}

static int xfs_file_open(struct backing_export *exp, int path_fd, void *cookie,
			 struct backing_file **out, struct iopmem_err *err)
{
	struct backing_file *file = calloc(1, sizeof(*file));
	int ret;

	if (!file)
		return err_set(err, ENOMEM, "export '%s': open", exp->attr.name);
	file->exp = exp;
	file->cookie = cookie;
	file->layout_fd = -1;
	file->path = backing_fd_path(path_fd);
	if (!file->path) {
		ret = err_set(err, ENOMEM, "export '%s': open", exp->attr.name);
		goto err_free;
	}
	ret = backing_open_inode(path_fd, file->path, &file->fd, &file->writable, err);
	if (ret)
		goto err_path;
	grow_init(&file->grow, exp->store, exp->attr.name, file->path, file->fd);
	pthread_mutex_lock(&exp->lock);
	file->next = exp->files;
	exp->files = file;
	pthread_mutex_unlock(&exp->lock);
	*out = file;
	return 0;
err_path:
	free(file->path);
err_free:
	free(file);
	return ret;
}

static void xfs_file_close(struct backing_file *file)
{
	struct backing_file **p;

	if (!file)
		return;
	pthread_mutex_lock(&file->exp->lock);
	for (p = &file->exp->files; *p; p = &(*p)->next) {
		if (*p == file) {
			*p = file->next;
			break;
		}
	}
	pthread_mutex_unlock(&file->exp->lock);
	grow_fini(&file->grow);
	close(file->fd);
	free(file->path);
	free(file);
}

static int xfs_file_fd(const struct backing_file *file)
{
	return file->fd;
}

/* With pin XFS grows i_size at the commit only: what it says is committed. */
static int xfs_file_stat(struct backing_file *file, struct stat *st)
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
	/* Our own lease would be waited for, for ever. */
	if (file->layout_fd >= 0)
		return err_msg(err, EBUSY, "'%s': %s under a layout", file->path, what);
	return 0;
}

static int xfs_set_size(struct backing_file *file, uint64_t size, struct iopmem_err *err)
{
	int ret = check_alone(file, "set size", err);

	return ret ? ret : backing_set_size(file->fd, file->path, size, err);
}

static int xfs_allocate(struct backing_file *file, struct range range, bool punch,
			struct iopmem_err *err)
{
	int ret = check_alone(file, punch ? "punch" : "allocate", err);

	return ret ? ret : backing_allocate(file->fd, file->path, range, punch, err);
}

static int xfs_write(struct backing_file *file, const void *buf, size_t *n, uint64_t offset,
		     struct iopmem_err *err)
{
	int ret = check_alone(file, "write", err);

	return ret ? ret : backing_write(file->fd, file->path, buf, n, offset, err);
}

static int xfs_read(struct backing_file *file, void *buf, size_t *n, uint64_t offset, bool *eof,
		    struct iopmem_err *err)
{
	struct stat st;
	int ret = xfs_file_stat(file, &st);

	if (ret)
		return err_set(err, -ret, "'%s': stat", file->path);
	return backing_read(file->fd, file->path, (uint64_t)st.st_size, buf, n, offset, eof, err);
}

static int xfs_sync(struct backing_file *file, struct iopmem_err *err)
{
	return backing_sync(file->fd, file->path, err);
}

/* Under the lease: the size stays what it is. */
static int begin_growing(struct backing_file *file, struct iopmem_err *err)
{
	struct stat st;

	if (fstat(file->fd, &st))
		return err_set(err, errno, "'%s': stat", file->path);
	grow_begin(&file->grow, (uint64_t)st.st_size);
	return 0;
}

static int xfs_layout_open(struct backing_file *file, struct iopmem_err *err)
{
	int fd = xfs_layout_ioctl(file->exp, file->fd, file->path, err);
	int ret;

	if (fd < 0)
		return fd;
	file->layout_fd = fd;
	file->wrote = file->bumped = false;
	ret = file->exp->odp ? begin_growing(file, err) : 0;
	if (!ret)
		ret = xfs_watch_add(file, err);
	if (ret) {
		grow_end(&file->grow);
		close(fd);
		file->layout_fd = -1;
	}
	return ret;
}

static void xfs_layout_close(struct backing_file *file)
{
	/* Under the lease: who waits for it to change the size comes after us. */
	grow_trim(&file->grow, xfs_odp_trim, file);
	grow_end(&file->grow);
	/* No memory is out any more, so the inode lock is free for us. */
	if (file->wrote)
		xfs_bump_mtime(file);
	xfs_watch_del(file);
	if (close(file->layout_fd))
		log_error("'%s': close the layout: %s", file->path, strerror(errno));
	file->layout_fd = -1;
}

const struct backing_ops backing_xfs_ops = {
	.kind = "xfs",
	.export_open = xfs_export_open,
	.export_info = xfs_export_info,
	.export_close = xfs_export_close,
	.orphans = xfs_orphans,
	.file_open = xfs_file_open,
	.file_close = xfs_file_close,
	.file_fd = xfs_file_fd,
	.file_stat = xfs_file_stat,
	.set_size = xfs_set_size,
	.allocate = xfs_allocate,
	.read = xfs_read,
	.write = xfs_write,
	.sync = xfs_sync,
	.layout_open = xfs_layout_open,
	.layout_close = xfs_layout_close,
	.map = xfs_map,
	.mem_get = xfs_mem_get,
	.mem_put = xfs_mem_put,
	.unmap = xfs_unmap,
	.commit = xfs_commit,
};
