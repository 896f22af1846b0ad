// SPDX-License-Identifier: BSD-3-Clause
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

bool place_is_url(const char *text)
{
	return !strncasecmp(text, "iopmem://", 9);
}

int place_local(const char *path, struct place *p, struct iopmem_err *err)
{
	if (!*path || strlen(path) >= sizeof(p->path))
		return cli_error(err, *path ? ENAMETOOLONG : ENOENT, "open", path);
	p->remote = NULL;
	strcpy(p->path, path);
	return 0;
}

void place_remote(struct remote *r, struct place *p)
{
	p->remote = r;
	strcpy(p->path, r->url.path);
}

int place_join(const struct place *dir, const char *name, struct place *out,
	       struct iopmem_err *err)
{
	size_t n = strlen(dir->path);
	const char *slash = !n || dir->path[n - 1] == '/' ? "" : "/";

	if (n + strlen(name) + 2 > sizeof(out->path))
		return cli_error(err, ENAMETOOLONG, "path of", name);
	out->remote = dir->remote;
	memmove(out->path, dir->path, n);
	sprintf(out->path + n, "%s%s", slash, name);
	return 0;
}

const char *place_name(const struct place *p)
{
	const char *slash = strrchr(p->path, '/');

	return slash ? slash + 1 : p->path;
}

int place_stat(const struct place *p, bool follow, struct iopmem_stat *st,
	       struct iopmem_err *err)
{
	struct stat local;

	if (p->remote)
		return follow ? iopmem_stat(p->remote->client, p->path, st, err) :
				iopmem_lstat(p->remote->client, p->path, st, err);
	if (follow ? stat(p->path, &local) : lstat(p->path, &local))
		return cli_error(err, errno, "stat", p->path);
	*st = (struct iopmem_stat){
		.type = S_ISREG(local.st_mode) ? IOPMEM_STAT_REG :
			S_ISDIR(local.st_mode) ? IOPMEM_STAT_DIR :
			S_ISLNK(local.st_mode) ? IOPMEM_STAT_LNK : 0,
		.mode = local.st_mode & 07777,
		.size = (uint64_t)local.st_size,
		.space_used = (uint64_t)local.st_blocks * 512,
		.fileid = local.st_ino,
	};
	return 0;
}

int place_mkdir(const struct place *p, uint32_t mode, struct iopmem_err *err)
{
	struct iopmem_err first = { 0 };
	struct iopmem_stat st;
	int ret;

	if (p->remote)
		ret = iopmem_mkdir(p->remote->client, p->path, mode, &first);
	else
		ret = mkdir(p->path, mode) ? cli_error(&first, errno, "mkdir", p->path) : 0;
	if (ret == -EEXIST && !place_stat(p, true, &st, NULL) && st.type == IOPMEM_STAT_DIR)
		return 0;
	if (ret)
		*err = first;
	return ret;
}

int place_readlink(const struct place *p, char *target, size_t size, struct iopmem_err *err)
{
	ssize_t n;

	if (p->remote) {
		n = iopmem_readlink(p->remote->client, p->path, target, size, err);
		return n < 0 ? (int)n : 0;
	}
	n = readlink(p->path, target, size);
	if (n < 0 || (size_t)n == size)
		return cli_error(err, n < 0 ? errno : ENAMETOOLONG, "read link", p->path);
	target[n] = '\0';
	return 0;
}

int place_symlink(const struct place *p, const char *target, struct iopmem_err *err)
{
	if (p->remote)
		return iopmem_symlink(p->remote->client, target, p->path, err);
	return symlink(target, p->path) ? cli_error(err, errno, "symlink", p->path) : 0;
}

static int names_add(struct names *names, const char *name)
{
	size_t room = names->room ? names->room * 2 : 64;
	char **grown;

	if (names->n == names->room) {
		grown = reallocarray(names->name, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		names->name = grown;
		names->room = room;
	}
	names->name[names->n] = strdup(name);
	return names->name[names->n++] ? 0 : -ENOMEM;
}

static int add_entry(const char *name, const struct iopmem_stat *st, void *arg)
{
	(void)st;
	return names_add(arg, name);
}

static int list_local(const char *path, struct names *names, struct iopmem_err *err)
{
	struct dirent *d;
	DIR *dir = opendir(path);
	int ret = 0;

	if (!dir)
		return cli_error(err, errno, "read directory", path);
	while (!ret && (errno = 0, d = readdir(dir)))
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			ret = names_add(names, d->d_name);
	if (!ret)
		ret = -errno;
	closedir(dir);
	return ret ? cli_error(err, -ret, "read directory", path) : 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int place_list(const struct place *p, struct names *names, struct iopmem_err *err)
{
	int ret;

	*names = (struct names){ 0 };
	if (p->remote) {
		ret = iopmem_readdir(p->remote->client, p->path, add_entry, names, err);
		if (ret == -ENOMEM && err && !err->code)
			cli_error(err, ENOMEM, "read directory", p->path);
	} else {
		ret = list_local(p->path, names, err);
	}
	if (!ret && names->n)
		qsort(names->name, names->n, sizeof(*names->name), compare);
	return ret;
}

void names_free(struct names *names)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
}
