// SPDX-License-Identifier: BSD-3-Clause
/* RENAME, LINK, SYMLINK, READLINK, STATFS, and LOOKUP of a link itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "peer_names.h"

#define R IOPMEM_ACCESS_READ
#define W IOPMEM_ACCESS_WRITE

static struct rig rig;
static struct peer a, b;

static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', 4 * PAGE);
	peer_up(&a, &rig, "a");
	peer_up(&b, &rig, "b");
	return 0;
}

static int down(void **state)
{
	(void)state;
	peer_drop(&a);
	peer_drop(&b);
	rig_down(&rig);
	return 0;
}

static void finish(void)
{
	peer_down(&a);
	peer_down(&b);
	rig_stop(&rig);
}

static void need_root(void)
{
	if (geteuid()) {
		print_message("SKIP: needs root, to be several users\n");
		skip();
	}
}

static uint64_t inode(const char *name)
{
	char path[128];
	struct stat st;

	rig_path(&rig, name, path);
	return lstat(path, &st) ? 0 : st.st_ino;
}

static void renames(void **state)
{
	uint64_t f = inode("f"), g;
	iopmem_attr attr;

	(void)state;
	rig_fill(&rig, "g", 'g', PAGE);
	g = inode("g");
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	assert_status(peer_rename(&a, "f", "dir/f", 0), IOPMEM_OK);
	assert_int_equal(inode("dir/f"), f);
	assert_int_equal(inode("f"), 0);
	assert_status(peer_lookup(&a, "dir/f", &attr), IOPMEM_OK);
	assert_int_equal(attr.fileid, f);
	assert_status(peer_rename(&a, "dir/f", "g", IOPMEM_RENAME_NOREPLACE), IOPMEM_EXIST);
	assert_status(peer_rename(&a, "dir/f", "g", IOPMEM_RENAME_EXCHANGE), IOPMEM_OK);
	assert_int_equal(inode("g"), f);
	assert_int_equal(inode("dir/f"), g);
	assert_status(peer_rename(&a, "dir/f", "g", 0), IOPMEM_OK);
	assert_int_equal(inode("g"), g);
	assert_status(peer_rename(&a, "dir", "dir/below", 0), IOPMEM_INVAL);
	assert_status(peer_rename(&a, "none", "x", 0), IOPMEM_NOENT);
	assert_status(peer_rename(&a, "g", "none/x", 0), IOPMEM_NOENT);
	assert_status(peer_rename(&a, "g", "dir", 0), IOPMEM_ISDIR);
	assert_status(peer_rename(&a, "dir", "g", 0), IOPMEM_NOTDIR);
	assert_status(peer_rename(&a, "g", "dir/", 0), IOPMEM_INVAL);
	assert_status(peer_rename(&a, "g", "x", 3), IOPMEM_INVAL);
	assert_status(peer_rename(&a, "g", "x", 4), IOPMEM_INVAL);
	assert_int_equal(inode("g"), g);
	finish();
}

/* Both names stay below the root, and so does what a link names. */
static void nothing_leaves_the_export(void **state)
{
	static const char *const outside[] = { "../x", "/x", "up/x", "dir/../../x", ".." };
	char path[128];
	size_t i;

	(void)state;
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	assert_status(peer_symlink(&a, "..", "up"), IOPMEM_OK);
	for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		assert_int_not_equal(peer_rename(&a, "f", outside[i], 0), 0);
		assert_int_not_equal(peer_rename(&a, outside[i], "x", 0), 0);
		assert_int_not_equal(peer_link(&a, "f", outside[i]), 0);
		assert_int_not_equal(peer_link(&a, outside[i], "x"), 0);
		assert_int_not_equal(peer_symlink(&a, "f", outside[i]), 0);
	}
	assert_status(peer_rename(&a, "../state", "x", 0), IOPMEM_XDEV);
	assert_status(peer_rename(&a, "f", "up/x", 0), IOPMEM_XDEV);
	snprintf(path, sizeof(path), "%s/x", rig.dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_not_equal(inode("f"), 0);
	/* a symbolic link may name anything, and leads nowhere */
	assert_status(peer_symlink(&a, "/etc/passwd", "passwd"), IOPMEM_OK);
	assert_status(peer_open(&a, "passwd", R, NULL), IOPMEM_XDEV);
	assert_status(peer_lookup(&a, "passwd", NULL), IOPMEM_XDEV);
	assert_status(peer_lstat(&a, "passwd", NULL), IOPMEM_OK);
	finish();
}

static void links(void **state)
{
	iopmem_attr attr, other;
	char target[64], path[128];
	struct stat st;

	(void)state;
	assert_status(peer_link(&a, "f", "hard"), IOPMEM_OK);
	assert_status(peer_lookup(&a, "hard", &attr), IOPMEM_OK);
	assert_status(peer_lookup(&a, "f", &other), IOPMEM_OK);
	assert_int_equal(attr.fileid, other.fileid);
	assert_int_equal(attr.nlink, 2);
	assert_status(peer_link(&a, "f", "hard"), IOPMEM_EXIST);
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	assert_int_not_equal(peer_link(&a, "dir", "dir2"), 0);

	assert_status(peer_symlink(&a, "../elsewhere/than here", "soft"), IOPMEM_OK);
	assert_status(peer_readlink(&a, "soft", target, sizeof(target)), IOPMEM_OK);
	assert_string_equal(target, "../elsewhere/than here");
	assert_status(peer_symlink(&a, "f", "soft"), IOPMEM_EXIST);
	assert_status(peer_symlink(&a, "", "empty"), IOPMEM_INVAL);
	assert_status(peer_readlink(&a, "f", target, sizeof(target)), IOPMEM_INVAL);
	assert_status(peer_readlink(&a, "none", target, sizeof(target)), IOPMEM_NOENT);

	assert_status(peer_symlink(&a, "f", "in"), IOPMEM_OK);
	assert_status(peer_lookup(&a, "in", &attr), IOPMEM_OK);
	assert_int_equal(attr.type, IOPMEM_REG);
	assert_status(peer_lstat(&a, "in", &attr), IOPMEM_OK);
	assert_int_equal(attr.type, IOPMEM_LNK);
	assert_int_equal(attr.size, 1);
	assert_int_equal(attr.uid, geteuid() ? geteuid() : PEER_UID);
	/* what stat(2) tells besides */
	rig_path(&rig, "fifo", path);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_status(peer_lookup(&a, "fifo", &attr), IOPMEM_OK);
	assert_int_equal(attr.type, IOPMEM_FIFO);
	rig_path(&rig, "f", path);
	assert_int_equal(stat(path, &st), 0);
	assert_status(peer_lookup(&a, "f", &attr), IOPMEM_OK);
	assert_int_equal(attr.atime_sec, st.st_atim.tv_sec);
	assert_int_equal(attr.atime_nsec, st.st_atim.tv_nsec);
	assert_int_equal(attr.space_used, st.st_blocks * 512);
	finish();
}

/* I18: a file that another is renamed over goes on for its holders. */
static void renamed_over_while_leased(void **state)
{
	iopmem_stateid open_id, id, fresh;
	iopmem_segment seg;
	iopmem_attr attr;
	struct reply r;
	char buf[16];

	(void)state;
	rig_fill(&rig, "g", 'g', 2 * PAGE);
	assert_status(peer_open(&a, "f", R | W, &open_id), IOPMEM_OK);
	id = open_id;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r), IOPMEM_OK);
	seg = r.seg[0];
	assert_status(peer_rename(&b, "g", "f", 0), IOPMEM_OK);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'a', PAGE), 0);
	assert_int_equal(peer_read(&a, seg.rkey, peer_raddr(&seg, PAGE), buf, 4), 0);
	assert_memory_equal(buf, "oooo", 4);
	assert_status(peer_getattr(&a, &open_id, &attr), IOPMEM_OK);
	assert_int_equal(attr.nlink, 0);
	assert_status(peer_commit(&a, &id, 0, PAGE, 4 * PAGE, NULL), IOPMEM_OK);
	/* the name is the other file, which can be leased beside it */
	assert_status(peer_open(&b, "f", R | W, &fresh), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &fresh, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.size, 2 * PAGE);
	assert_status(peer_layoutreturn(&b, &fresh, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE), -EACCES);
	/* an open outlives its name: leased again, gone with the close */
	id = open_id;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_read(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), buf, 4), 0);
	assert_memory_equal(buf, "aaaa", 4);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_close(&a, &open_id), IOPMEM_OK);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 2 * PAGE, 'g'));
}

/* A renamed file is the same file: the same stateids, the same layouts. */
static void renamed_while_leased(void **state)
{
	iopmem_stateid id;
	struct reply r;

	(void)state;
	assert_status(peer_open(&a, "f", R | W, &id), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_rename(&b, "f", "new", 0), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'n', PAGE), 0);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	finish();
	assert_true(rig_bytes(&rig, "new", 0, PAGE, 'n'));
}

static void names_are_the_callers(void **state)
{
	struct peer other;
	char target[64], path[128];

	(void)state;
	need_root();
	peer_connect(&other, &rig, "other", PEER_UID + 1);
	assert_status(peer_exchange_id(&other, 1), IOPMEM_OK);
	assert_status(peer_mkdir(&a, "mine"), IOPMEM_OK);
	rig_path(&rig, "mine", path);
	assert_int_equal(chmod(path, 0755), 0);
	assert_status(peer_create(&a, "mine/x", 0644, true, NULL), IOPMEM_OK);
	assert_status(peer_symlink(&a, "x", "mine/l"), IOPMEM_OK);
	assert_status(peer_rename(&other, "mine/x", "stolen", 0), IOPMEM_ACCESS);
	assert_status(peer_rename(&other, "f", "mine/f", 0), IOPMEM_ACCESS);
	assert_status(peer_link(&other, "f", "mine/f"), IOPMEM_ACCESS);
	assert_status(peer_symlink(&other, "f", "mine/f"), IOPMEM_ACCESS);
	assert_status(peer_readlink(&other, "mine/l", target, sizeof(target)), IOPMEM_OK);
	assert_int_equal(chmod(path, 0700), 0);
	assert_status(peer_readlink(&other, "mine/l", target, sizeof(target)), IOPMEM_ACCESS);
	assert_int_not_equal(inode("mine/x"), 0);
	peer_down(&other);
	finish();
}

static void read_only_export(void **state)
{
	struct rig_opts o = { .export_opts = ",read-only=yes" };
	iopmem_statfs fs;

	(void)state;
	assert_status(peer_statfs(&a, "d", &fs), IOPMEM_OK);
	assert_false(fs.read_only);
	peer_drop(&a);
	peer_drop(&b);
	rig_stop(&rig);
	rig_start(&rig, &o);
	peer_up(&a, &rig, "a");
	peer_up(&b, &rig, "b");
	assert_status(peer_rename(&a, "f", "g", 0), IOPMEM_ROFS);
	assert_status(peer_link(&a, "f", "g"), IOPMEM_ROFS);
	assert_status(peer_symlink(&a, "f", "g"), IOPMEM_ROFS);
	assert_status(peer_statfs(&a, "d", &fs), IOPMEM_OK);
	assert_true(fs.read_only);
	finish();
}

static void statfs_is_the_file_systems(void **state)
{
	struct statvfs vfs;
	iopmem_statfs fs;

	(void)state;
	assert_int_equal(statvfs(rig.root, &vfs), 0);
	assert_status(peer_statfs(&a, "d", &fs), IOPMEM_OK);
	assert_int_equal(fs.space_total, (uint64_t)vfs.f_blocks * vfs.f_frsize);
	assert_true(fs.space_avail <= fs.space_free && fs.space_free <= fs.space_total);
	assert_int_equal(fs.name_max, vfs.f_namemax);
	assert_int_equal(fs.block_size, vfs.f_bsize);
	assert_status(peer_statfs(&a, "none", &fs), IOPMEM_NOENT);
	finish();
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(renames),
		T(nothing_leaves_the_export),
		T(links),
		T(renamed_over_while_leased),
		T(renamed_while_leased),
		T(names_are_the_callers),
		T(read_only_export),
		T(statfs_is_the_file_systems),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("rename", tests, NULL, NULL);
}
