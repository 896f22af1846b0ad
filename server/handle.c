// SPDX-License-Identifier: BSD-3-Clause
/* On the wire: version, export, type and bytes of the file system's handle, MAC. */
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "export.h"

#define KEY_FILE	"handle.key"
#define VERSION		1
#define EXPORT_BYTES	16
#define HEAD_BYTES	(1 + EXPORT_BYTES + sizeof(uint32_t))
#define FH_MAX		MAX_HANDLE_SZ		/* of the kernel */

_Static_assert(sizeof(((struct server *)0)->handle_key) == HANDLE_KEY_BYTES, "handle_key");
_Static_assert(HANDLE_KEY_BYTES == crypto_auth_KEYBYTES, "key of crypto_auth");
_Static_assert(HEAD_BYTES + FH_MAX + crypto_auth_BYTES <= IOPMEM_HANDLE_MAX, "handle fits");

union fh {
	struct file_handle h;
	unsigned char bytes[sizeof(struct file_handle) + FH_MAX];
};

/* ---- the key ---- */

static int key_write(const char *path, const uint8_t *key, struct iopmem_err *err)
{
	char tmp[4200];
	int fd, rc = 0;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "make '%s'", tmp);
	if (write(fd, key, HANDLE_KEY_BYTES) != HANDLE_KEY_BYTES || fsync(fd) || rename(tmp, path))
		rc = err_set(err, errno ? errno : EIO, "write '%s'", path);
	close(fd);
	if (rc)
		unlink(tmp);
	return rc;
}

int handle_key_load(const char *state_dir, uint8_t key[HANDLE_KEY_BYTES], struct iopmem_err *err)
{
	char path[4140];
	ssize_t n;
	int fd;

	if (sodium_init() < 0)
		return err_msg(err, EIO, "libsodium does not start");
	snprintf(path, sizeof(path), "%s/" KEY_FILE, state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		randombytes_buf(key, HANDLE_KEY_BYTES);
		return key_write(path, key, err);
	}
	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	n = read(fd, key, HANDLE_KEY_BYTES);
	close(fd);
	return n == HANDLE_KEY_BYTES ? 0 :
	       err_msg(err, EINVAL, "'%s' is no key of file handles (%d bytes); without it all handles of clients end",
		       path, HANDLE_KEY_BYTES);
}

/* ---- exports ---- */

/* /proc/self/mountinfo: id, parent, device, root of the mount in its file system, ... */
static bool mount_shows_all(uint64_t mount_id)
{
	char line[8192], root[4096];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	unsigned long long id;
	bool all = false;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%llu %*u %*s %4095s", &id, root) == 2 && id == mount_id)
			all = !strcmp(root, "/");
	if (f)
		fclose(f);
	return all;
}

void handle_export_open(struct export *exp)
{
	union fh fh = { .h = { .handle_bytes = FH_MAX } };
	const char *name = exp->cfg->name;
	struct statx stx;
	int mount_id, fd;

	exp->mount_fd = open(exp->cfg->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (exp->mount_fd < 0 ||
	    name_to_handle_at(exp->mount_fd, "", &fh.h, &mount_id, AT_EMPTY_PATH)) {
		log_info("export '%s': files have no handles here: %s", name, strerror(errno));
		return;
	}
	fd = open_by_handle_at(exp->mount_fd, &fh.h, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		log_info("export '%s': no opening by handle (it needs CAP_DAC_READ_SEARCH): %s", name,
			 strerror(errno));
		return;
	}
	close(fd);
	exp->handles = true;
	exp->whole_fs = !statx(exp->root_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID,
			       &stx) &&
			(stx.stx_mask & STATX_MNT_ID) &&
			(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) &&
			mount_shows_all(stx.stx_mnt_id);
}

void handle_export_close(struct export *exp)
{
	if (exp->mount_fd >= 0)
		close(exp->mount_fd);
}

static void export_id(const struct export *exp, uint8_t id[EXPORT_BYTES])
{
	crypto_generichash(id, EXPORT_BYTES, (const uint8_t *)exp->cfg->name,
			   strlen(exp->cfg->name), NULL, 0);
}

/* ---- handles ---- */

void handle_make(const struct export *exp, int path_fd, struct handle *h)
{
	union fh fh = { .h = { .handle_bytes = FH_MAX } };
	uint8_t *at = h->bytes;
	int mount_id;

	h->len = 0;
	if (!exp->handles || name_to_handle_at(path_fd, "", &fh.h, &mount_id, AT_EMPTY_PATH))
		return;
	*at++ = VERSION;
	export_id(exp, at);
	at += EXPORT_BYTES;
	memcpy(at, &fh.h.handle_type, sizeof(uint32_t));
	at += sizeof(uint32_t);
	memcpy(at, fh.h.f_handle, fh.h.handle_bytes);
	at += fh.h.handle_bytes;
	crypto_auth(at, h->bytes, (unsigned long long)(at - h->bytes), exp->srv->handle_key);
	h->len = (uint32_t)(at - h->bytes) + crypto_auth_BYTES;
}

enum iopmem_status handle_check(struct server *srv, const iopmem_handle *h, struct export **exp)
{
	const uint8_t *bytes = (const uint8_t *)h->iopmem_handle_val;
	uint8_t id[EXPORT_BYTES];
	unsigned int i;
	size_t len;

	if (h->iopmem_handle_len < HEAD_BYTES + crypto_auth_BYTES)
		return IOPMEM_BADHANDLE;
	len = h->iopmem_handle_len - crypto_auth_BYTES;
	if (crypto_auth_verify(bytes + len, bytes, len, srv->handle_key) || bytes[0] != VERSION)
		return IOPMEM_BADHANDLE;
	for (i = 0; i < srv->cfg.nr_exports; i++) {
		export_id(&srv->exports[i], id);
		if (memcmp(id, bytes + 1, EXPORT_BYTES))
			continue;
		*exp = &srv->exports[i];
		return (*exp)->handles ? IOPMEM_OK : IOPMEM_NOTSUPP;
	}
	return IOPMEM_STALE;
}

/*
 * Where the kernel says that it is; and it is there, below the root.  A file that was
 * opened by handle and is in no cache has no place that the kernel knows.
 */
static bool is_inside(const struct export *exp, int fd, const struct stat *st, char *path,
		      size_t size)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	char *root = backing_fd_path(exp->root_fd), *at = backing_fd_path(fd);
	size_t len = root ? strlen(root) : 0;
	struct stat there;
	bool inside = false;
	int found = -1;

	if (len == 1)
		len = 0;			/* "/" */
	if (root && at && !strncmp(at, root, len) && at[len] == '/' && at[len + 1])
		found = (int)syscall(SYS_openat2, exp->root_fd, at + len + 1, &how, sizeof(how));
	if (found >= 0) {
		inside = !fstat(found, &there) && there.st_dev == st->st_dev &&
			 there.st_ino == st->st_ino;
		close(found);
	}
	if (inside)
		snprintf(path, size, "%s", at + len + 1);
	free(root);
	free(at);
	return inside;
}

int handle_open(const struct export *exp, const iopmem_handle *h, int *out, char *path, size_t size,
		struct iopmem_err *err)
{
	const uint8_t *bytes = (const uint8_t *)h->iopmem_handle_val;
	size_t len = h->iopmem_handle_len - HEAD_BYTES - crypto_auth_BYTES;
	union fh fh = { .h = { .handle_bytes = (unsigned int)len } };
	struct stat st;
	bool inside;
	int fd;

	memcpy(&fh.h.handle_type, bytes + 1 + EXPORT_BYTES, sizeof(uint32_t));
	memcpy(fh.h.f_handle, bytes + HEAD_BYTES, len);
	fd = open_by_handle_at(exp->mount_fd, &fh.h, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open by handle in export '%s'", exp->cfg->name);
	if (fstat(fd, &st) || !st.st_nlink) {
		close(fd);
		return err_msg(err, ESTALE, "open by handle in export '%s': deleted", exp->cfg->name);
	}
	inside = is_inside(exp, fd, &st, path, size);
	if (!inside && !exp->whole_fs) {
		close(fd);
		return err_msg(err, ESTALE, "open by handle in export '%s': it is not there any more",
			       exp->cfg->name);
	}
	*out = fd;
	return 0;
}
