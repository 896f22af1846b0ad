// SPDX-License-Identifier: BSD-3-Clause
/* What the application has open.  Handles of one file share it (file.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "client.h"
#include "path.h"

int iopmem_open(struct iopmem_client *client, const char *path, int flags,
		mode_t mode, struct iopmem_file **file, struct iopmem_err *err)
{
	int access = flags & O_ACCMODE, ret;
	struct iopmem_file *h;
	struct path p;

	if (!file || access == O_ACCMODE ||
	    (flags & ~(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | IOPMEM_O_SHARED)) ||
	    ((flags & O_TRUNC) && access == O_RDONLY))
		return err_msg(err, EINVAL, "open: invalid argument");
	ret = path_get(client, path, &p, err);
	if (ret)
		return ret;
	h = calloc(1, sizeof(*h));
	ret = h ? file_open(client, p.rel, flags, mode, &h->file, err) :
		  err_set(err, ENOMEM, "open '%.250s'", path);
	path_put(&p);
	if (ret) {
		free(h);
		return ret;
	}
	h->writable = access != O_RDONLY;
	pthread_mutex_lock(&client->lock);
	h->next = client->handles;
	client->handles = h;
	pthread_mutex_unlock(&client->lock);
	*file = h;
	return 0;
}

int iopmem_close(struct iopmem_file *file, struct iopmem_err *err)
{
	struct iopmem_client *client;
	struct iopmem_file **p;
	int ret;

	if (!file)
		return err_msg(err, EINVAL, "close: no file");
	client = file->file->client;
	pthread_mutex_lock(&client->lock);
	p = &client->handles;
	while (*p && *p != file)
		p = &(*p)->next;
	if (*p)
		*p = file->next;
	pthread_mutex_unlock(&client->lock);
	ret = file_close(file->file, file, err);
	free(file);
	return ret;
}

int iopmem_fstat(struct iopmem_file *file, struct iopmem_stat *st, struct iopmem_err *err)
{
	if (!file || !st)
		return err_msg(err, EINVAL, "fstat: invalid argument");
	return file_getattr(file->file, st, err);
}

int iopmem_ftruncate(struct iopmem_file *file, uint64_t size, struct iopmem_err *err)
{
	if (!file || size > INT64_MAX)
		return err_msg(err, EINVAL, "truncate: invalid argument");
	if (!file->writable)
		return err_msg(err, EBADF, "truncate '%s': it is open read-only", file->file->path);
	return file_setsize(file->file, size, err);
}

int iopmem_truncate(struct iopmem_client *client, const char *path, uint64_t size,
		    struct iopmem_err *err)
{
	struct iopmem_file *file;
	int ret, ret2;

	ret = iopmem_open(client, path, O_RDWR, 0, &file, err);
	if (ret)
		return ret;
	ret = iopmem_ftruncate(file, size, err);
	ret2 = iopmem_close(file, ret ? NULL : err);
	return ret ? ret : ret2;
}
