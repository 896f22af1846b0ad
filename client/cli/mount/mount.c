// SPDX-License-Identifier: BSD-3-Clause
#include "mount.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "base/err.h"

struct mount *mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

struct node *mount_node(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &mount_of(req)->nodes.root : (struct node *)(uintptr_t)ino;
}

void mount_log(const struct mount *m, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (m->to_stderr) {
		fputs("iopmem: mount: ", stderr);
		vfprintf(stderr, format, ap);
		fputc('\n', stderr);
	} else {
		vsyslog(LOG_ERR, format, ap);
	}
	va_end(ap);
}

static void op_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	/*
	 * Writes go through at once: a recall finds nothing that the kernel has kept.  A write
	 * under a layout is nothing that the server could clear the set-uid bit for: the kernel does.
	 */
	conn->want &= ~(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_HANDLE_KILLPRIV);
	conn->max_readahead = MOUNT_IO_MAX;
}

const struct fuse_lowlevel_ops mount_ops = {
	.init = op_init,
	.lookup = op_lookup, .forget = op_forget,
	.getattr = op_getattr, .setattr = op_setattr, .statfs = op_statfs,
	.readlink = op_readlink, .mknod = op_mknod, .mkdir = op_mkdir, .symlink = op_symlink,
	.link = op_link, .unlink = op_unlink, .rmdir = op_unlink, .rename = op_rename,
	.opendir = op_opendir, .readdir = op_readdir, .readdirplus = op_readdirplus,
	.releasedir = op_releasedir, .fsyncdir = op_fsyncdir,
	.open = op_open, .create = op_create, .release = op_release,
	.read = op_read, .write = op_write, .flush = op_flush, .fsync = op_fsync,
};

int mount_init(struct mount *m, struct iopmem_client *client, const char *prefix,
	       struct iopmem_err *err)
{
	pthread_rwlockattr_t attr;
	struct iopmem_stat root;
	int ret;

	ret = iopmem_stat(client, prefix, &root, err);
	if (ret)
		return ret;
	if (root.type != IOPMEM_STAT_DIR)
		return err_msg(err, ENOTDIR, "'%.250s' is no directory", prefix);
	if (nodes_init(&m->nodes, prefix, &root))
		return err_set(err, ENOMEM, "mount");
	ret = cache_init(m);
	if (ret) {
		nodes_fini(&m->nodes);
		return err_set(err, -ret, "mount");
	}
	m->client = client;
	iopmem_set_cover_fn(client, cache_cover, m);
	pthread_mutex_init(&m->lock, NULL);
	pthread_rwlockattr_init(&attr);
	/* Or a rename might wait for ever. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&m->names, &attr);
	pthread_rwlockattr_destroy(&attr);
	return 0;
}

void mount_stop(struct mount *m)
{
	cache_stopping(m);
	cache_stop(m);
	handles_close(m);
	data_fini(m);
}

void mount_fini(struct mount *m)
{
	cache_fini(m);
	nodes_fini(&m->nodes);
	pthread_rwlock_destroy(&m->names);
	pthread_mutex_destroy(&m->lock);
}
