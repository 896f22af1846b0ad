// SPDX-License-Identifier: BSD-3-Clause
#include "admin_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG		16
#define PEER_GROUPS_MAX	1024

void admin_socket_path(const struct config *cfg, char *path, size_t size)
{
	if (cfg->admin_socket[0])
		snprintf(path, size, "%s", cfg->admin_socket);
	else if (!strcmp(cfg->state_dir, CONFIG_DEFAULT_STATE_DIR))
		snprintf(path, size, "%s", CONFIG_DEFAULT_ADMIN_SOCKET);
	else
		snprintf(path, size, "%s/admin.sock", cfg->state_dir);
}

static int make_address(const struct config *cfg, struct sockaddr_un *un, struct iopmem_err *err)
{
	char path[sizeof(cfg->state_dir) + sizeof("/admin.sock")];

	admin_socket_path(cfg, path, sizeof(path));
	un->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(un->sun_path))
		return err_msg(err, ENAMETOOLONG, "admin-socket '%s': longer than %zu bytes", path,
			       sizeof(un->sun_path) - 1);
	strcpy(un->sun_path, path);
	return 0;
}

static int group_of(const char *name, gid_t *gid, struct iopmem_err *err)
{
	const struct group *gr;

	errno = 0;
	gr = getgrnam(name);
	if (!gr)
		return err_msg(err, errno ? errno : ENOENT, "admin-group '%s': there is no such group",
			       name);
	*gid = gr->gr_gid;
	return 0;
}

/* Only what a dead server has left. */
static int remove_stale(const struct sockaddr_un *un, struct iopmem_err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(un->sun_path, &st))
		return errno == ENOENT ? 0 : err_set(err, errno, "admin-socket '%s'", un->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_msg(err, EEXIST, "admin-socket '%s': there is something that is no socket",
			       un->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "admin-socket '%s': socket", un->sun_path);
	rc = connect(fd, (const struct sockaddr *)un, sizeof(*un)) ? errno : 0;
	close(fd);
	if (!rc || rc == EAGAIN)
		return err_msg(err, EADDRINUSE, "admin-socket '%s': another server listens on it",
			       un->sun_path);
	if (rc != ECONNREFUSED)
		return err_set(err, rc, "admin-socket '%s'", un->sun_path);
	return unlink(un->sun_path) ? err_set(err, errno, "remove '%s'", un->sun_path) : 0;
}

/* The folder below /run need not be there when nobody but us makes it. */
static void make_folder(const struct sockaddr_un *un)
{
	char folder[sizeof(un->sun_path)];
	char *slash;

	strcpy(folder, un->sun_path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0755);	/* bind() says what is wrong */
	}
}

static int bind_and_listen(struct admin_socket *s, struct iopmem_err *err)
{
	bool shared = s->group != ADMIN_NO_GROUP;
	const char *path = s->address.sun_path;
	int rc;

	/* The mode of the socket before bind() is that of its name: no moment with another. */
	if (fchmod(s->fd, shared ? 0660 : 0600) ||
	    bind(s->fd, (const struct sockaddr *)&s->address, sizeof(s->address)))
		return err_set(err, errno, "admin-socket '%s'", path);
	if (!(shared && lchown(path, (uid_t)-1, s->group)) && !listen(s->fd, BACKLOG))
		return 0;
	rc = err_set(err, errno, "admin-socket '%s'", path);
	unlink(path);
	return rc;
}

int admin_socket_listen(const struct config *cfg, struct admin_socket *s, struct iopmem_err *err)
{
	int rc;

	s->group = ADMIN_NO_GROUP;
	rc = make_address(cfg, &s->address, err);
	if (!rc && cfg->admin_group[0])
		rc = group_of(cfg->admin_group, &s->group, err);
	if (!rc)
		rc = remove_stale(&s->address, err);
	if (rc)
		return rc;
	make_folder(&s->address);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_set(err, errno, "admin-socket '%s': socket", s->address.sun_path);
	rc = bind_and_listen(s, err);
	if (rc)
		close(s->fd);
	return rc;
}

void admin_socket_close(struct admin_socket *s)
{
	unlink(s->address.sun_path);
	close(s->fd);
}

static bool in_group(int fd, gid_t primary, gid_t gid)
{
	gid_t groups[PEER_GROUPS_MAX];
	socklen_t len = sizeof(groups);
	size_t i;

	if (primary == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

bool admin_socket_allows(int fd, gid_t group, char *who, size_t size)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	snprintf(who, size, "a peer without credentials");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	snprintf(who, size, "process %d of uid %u", (int)cred.pid, cred.uid);
	return cred.uid == 0 || cred.uid == geteuid() ||
	       (group != ADMIN_NO_GROUP && in_group(fd, cred.gid, group));
}
