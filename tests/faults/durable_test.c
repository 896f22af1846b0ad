// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a call changes is on stable storage before the answer: each fsync(2) and syncfs(2) that
 * belongs to it fails once, and the caller hears of it.  A call that syncs less than it must has
 * fewer of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer_names.h"

#define R IOPMEM_ACCESS_READ
#define W IOPMEM_ACCESS_WRITE
#define POINTS_MAX 16

static struct rig rig;
static struct peer a;
static char points_log[] = "/tmp/iopmem-faults-XXXXXX";

struct change {
	const char *name;
	u_int (*make)(void);
	unsigned int syncs;
	const char *where[2];		/* below the export's root, of those that fail */
};

/* ---- the calls ---- */

static u_int create(void)
{
	return peer_create(&a, "sub/new", 0644, true, NULL);
}

/* Whoever made it may not have been answered yet. */
static u_int create_existing(void)
{
	return peer_create(&a, "sub/f", 0644, false, NULL);
}

static u_int make_directory(void)
{
	return peer_mkdir(&a, "sub/dir");
}

static u_int make_symlink(void)
{
	return peer_symlink(&a, "f", "sub/soft");
}

static u_int make_link(void)
{
	return peer_link(&a, "sub/f", "other/hard");
}

static u_int rename_here(void)
{
	return peer_rename(&a, "sub/f", "sub/g", 0);
}

static u_int rename_there(void)
{
	return peer_rename(&a, "sub/f", "other/f", 0);
}

static u_int exchange(void)
{
	return peer_rename(&a, "sub/f", "other/there", IOPMEM_RENAME_EXCHANGE);
}

static u_int remove_file(void)
{
	return peer_remove(&a, "sub/f");
}

static u_int remove_directory(void)
{
	return peer_remove(&a, "sub/empty");
}

static u_int set(const char *path, u_int flags, iopmem_setattr attr)
{
	iopmem_setattr_args args = peer_setattr_path(&a, path, attr);

	args.target.iopmem_target_u.path.flags = flags;
	return peer_setattr_with(&a, &args, NULL);
}

static u_int set_mode(void)
{
	return set("sub/f", 0, (iopmem_setattr){ .set = IOPMEM_SET_MODE, .mode = 0640 });
}

static u_int set_mode_of_directory(void)
{
	return set("sub", 0, (iopmem_setattr){ .set = IOPMEM_SET_MODE, .mode = 0775 });
}

static u_int set_times_of_link(void)
{
	return set("sub/link", IOPMEM_NOFOLLOW,
		   (iopmem_setattr){ .set = IOPMEM_SET_MTIME, .mtime_sec = 77 });
}

static u_int set_times_of_open(void)
{
	iopmem_setattr_args args;
	iopmem_stateid id;

	assert_status(peer_open(&a, "sub/f", R | W, &id), IOPMEM_OK);
	args = peer_setattr_open(&a, &id, (iopmem_setattr){ .set = IOPMEM_SET_MTIME, .mtime_sec = 7 });
	return peer_setattr_with(&a, &args, NULL);
}

static u_int set_size(void)
{
	iopmem_stateid id;

	assert_status(peer_open(&a, "sub/f", R | W, &id), IOPMEM_OK);
	return peer_setsize(&a, &id, 3 * PAGE);
}

static const struct change changes[] = {
	{ "CREATE", create, 2, { "/sub': fsync", "/sub/new': fsync" } },
	{ "CREATE of what is there", create_existing, 1, { "/sub': fsync" } },
	{ "MKDIR", make_directory, 2, { "/sub/dir': fsync", "/sub': fsync" } },
	{ "SYMLINK", make_symlink, 1, { "/sub': fsync" } },
	{ "LINK", make_link, 1, { "/other': fsync" } },
	{ "RENAME in a directory", rename_here, 1, { "/sub': fsync" } },
	{ "RENAME across", rename_there, 2, { "/other': fsync", "/sub': fsync" } },
	{ "RENAME, exchange", exchange, 2, { "/other': fsync", "/sub': fsync" } },
	{ "REMOVE of a file", remove_file, 1, { "/sub': fsync" } },
	{ "REMOVE of a directory", remove_directory, 1, { "/sub': fsync" } },
	{ "SETATTR of a file", set_mode, 1, { "/sub/f': fsync" } },
	{ "SETATTR of a directory", set_mode_of_directory, 1, { "/sub': fsync" } },
	{ "SETATTR of a symbolic link", set_times_of_link, 1, { "': syncfs" } },
	{ "SETATTR of an open file", set_times_of_open, 1, { "/sub/f': fsync" } },
	{ "SETSIZE", set_size, 1, { "/sub/f': set size 12288" } },
};

/* ---- one server, one call ---- */

static void owned(const char *path)
{
	if (!geteuid())
		assert_int_equal(lchown(path, PEER_UID, PEER_UID), 0);
}

static void make_local_dir(const char *name)
{
	char path[128];

	rig_path(&rig, name, path);
	assert_int_equal(mkdir(path, 0777), 0);
	owned(path);
}

static void serve(void)
{
	char path[128];

	rig_up(&rig, NULL);
	make_local_dir("sub");
	make_local_dir("other");
	make_local_dir("sub/empty");
	rig_fill(&rig, "sub/f", 'f', PAGE);
	rig_path(&rig, "sub/f", path);
	owned(path);
	rig_fill(&rig, "other/there", 't', PAGE);
	rig_path(&rig, "sub/link", path);
	assert_int_equal(symlink("f", path), 0);
	owned(path);
	peer_up(&a, &rig, "a");
}

static void end(void)
{
	peer_down(&a);
	rig_end(&rig);
}

static int down(void **state)
{
	(void)state;
	unsetenv("IOPMEM_FAULT");
	unsetenv("IOPMEM_FAULT_LOG");
	peer_drop(&a);
	rig_down(&rig);
	return 0;
}

/* The places that sync and that the server has been at so far. */
static unsigned int points(char found[POINTS_MAX][24])
{
	FILE *f = fopen(points_log, "re");
	char point[24], call[32];
	unsigned int n = 0;

	assert_non_null(f);
	while (fscanf(f, "%23s %31s", point, call) == 2) {
		if (strcmp(call, "fsync") && strcmp(call, "syncfs"))
			continue;
		assert_true(n < POINTS_MAX);
		strcpy(found[n++], point);
	}
	fclose(f);
	return n;
}

/* Where @c syncs: the places that no start of a server comes by. */
static unsigned int learn(const struct change *c, char found[POINTS_MAX][24])
{
	unsigned int before, n;

	assert_int_equal(truncate(points_log, 0), 0);
	setenv("IOPMEM_FAULT_LOG", points_log, 1);
	serve();
	before = points(found);
	assert_status(c->make(), IOPMEM_OK);
	n = points(found) - before;
	end();
	unsetenv("IOPMEM_FAULT_LOG");
	memmove(found, found + before, n * sizeof(found[0]));
	return n;
}

/* The call when the @hit-th sync at @point fails; did it come by so often? */
static bool fails(const struct change *c, const char *point, unsigned int hit)
{
	unsigned int i, told = 0;
	char fault[48], text[128];
	u_int status;

	snprintf(fault, sizeof(fault), "%.23s:%u", point, hit);
	setenv("IOPMEM_FAULT", fault, 1);
	serve();
	unsetenv("IOPMEM_FAULT");
	status = c->make();
	if (status) {
		assert_status(status, IOPMEM_IO);
		for (i = 0; i < 2 && c->where[i]; i++) {
			snprintf(text, sizeof(text), "%s%s: Input/output error",
				 *c->where[i] == '/' ? rig.root : "", c->where[i]);
			told += rig_logged(&rig, text);
		}
		assert_int_equal(told, 1);
		/* and the server goes on */
		assert_status(peer_mkdir(&a, "after"), IOPMEM_OK);
	}
	end();
	return status;
}

static void is_durable(void **state)
{
	const struct change *c = *state;
	unsigned int i, n, hit, failed = 0;
	char found[POINTS_MAX][24];

	n = learn(c, found);
	for (i = 0; i < n; i++)
		for (hit = 1; fails(c, found[i], hit); hit++)
			failed++;
	assert_int_equal(failed, c->syncs);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[sizeof(changes) / sizeof(changes[0])];
	size_t i, n = sizeof(tests) / sizeof(tests[0]);
	int fd = mkstemp(points_log), failed;

	if (fd < 0)
		return 2;
	close(fd);
	rig_main(argc, argv);
	for (i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){ changes[i].name, is_durable, NULL, down,
						(void *)(uintptr_t)&changes[i] };
	failed = cmocka_run_group_tests_name("durable", tests, NULL, NULL);
	unlink(points_log);
	return failed;
}
