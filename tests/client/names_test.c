// SPDX-License-Identifier: BSD-3-Clause
/* Calls on names, by paths and by URLs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iopmem.h"
#include "rig.h"

static struct rig rig;
static struct iopmem_client *client;
static char url[128];

static int up(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	rig_up(&rig, NULL);
	snprintf(url, sizeof(url), "iopmem://127.0.0.1:%u/d", rig.port);
	if (iopmem_connect(url, NULL, &client, &err))
		fail_msg("%s", err.text);
	return 0;
}

static int down(void **state)
{
	(void)state;
	iopmem_disconnect(client);
	rig_end(&rig);
	return 0;
}

static void make(const char *name)
{
	struct iopmem_file *f;

	assert_int_equal(iopmem_open(client, name, O_RDWR | O_CREAT, 0644, &f, NULL), 0);
	assert_int_equal(iopmem_pwrite(f, "hello", 5, 0, NULL), 5);
	assert_int_equal(iopmem_file_written(f), 5);
	assert_int_equal(iopmem_close(f, NULL), 0);
}

static void rename_link_symlink(void **state)
{
	struct iopmem_stat st, other;
	char target[16], path[128];
	struct stat local;

	(void)state;
	make("a");
	assert_int_equal(iopmem_link(client, "a", "b", NULL), 0);
	assert_int_equal(iopmem_stat(client, "a", &st, NULL), 0);
	assert_int_equal(iopmem_stat(client, "b", &other, NULL), 0);
	assert_int_equal(st.fileid, other.fileid);
	assert_int_equal(other.nlink, 2);
	assert_int_equal(st.type, IOPMEM_STAT_REG);
	assert_int_equal(iopmem_link(client, "a", "b", NULL), -EEXIST);

	assert_int_equal(iopmem_symlink(client, "a", "l", NULL), 0);
	assert_int_equal(iopmem_lstat(client, "l", &other, NULL), 0);
	assert_int_equal(other.type, IOPMEM_STAT_LNK);
	assert_int_equal(iopmem_stat(client, "l", &other, NULL), 0);
	assert_int_equal(other.fileid, st.fileid);
	assert_int_equal(iopmem_readlink(client, "l", target, sizeof(target), NULL), 1);
	assert_string_equal(target, "a");
	assert_int_equal(iopmem_readlink(client, "l", target, 1, NULL), -ENAMETOOLONG);
	assert_int_equal(iopmem_readlink(client, "a", target, sizeof(target), NULL), -EINVAL);

	assert_int_equal(iopmem_mkdir(client, "dir", 0755, NULL), 0);
	assert_int_equal(iopmem_rename(client, "b", "dir/c", 0, NULL), 0);
	assert_int_equal(iopmem_stat(client, "b", &other, NULL), -ENOENT);
	assert_int_equal(iopmem_rename(client, "a", "dir/c", IOPMEM_RENAME_NOREPLACE, NULL),
			 -EEXIST);
	make("d");
	assert_int_equal(iopmem_rename(client, "d", "dir/c", IOPMEM_RENAME_EXCHANGE, NULL), 0);
	assert_int_equal(iopmem_stat(client, "d", &other, NULL), 0);
	assert_int_equal(other.fileid, st.fileid);
	assert_int_equal(iopmem_remove(client, "dir", NULL), -ENOTEMPTY);
	rig_path(&rig, "dir/c", path);
	assert_int_equal(stat(path, &local), 0);
	assert_int_equal(local.st_size, 5);
}

static void attributes(void **state)
{
	struct iopmem_changes c = { .size = sizeof(c), .set = IOPMEM_SET_MODE | IOPMEM_SET_MTIME,
				    .mode = 0600, .mtime_sec = 1000, .mtime_nsec = 7 };
	struct iopmem_statfs fs = { .size = sizeof(fs) };
	struct iopmem_info info = { .size = sizeof(info) };
	struct iopmem_file *f;
	struct iopmem_stat st;
	struct stat local;
	char path[128];

	(void)state;
	make("a");
	rig_path(&rig, "a", path);
	assert_int_equal(iopmem_setattr(client, "a", &c, 0, &st, NULL), 0);
	assert_int_equal(st.mode, 0600);
	assert_int_equal(st.mtime_sec, 1000);
	assert_int_equal(iopmem_chmod(client, "a", 0640, NULL), 0);
	assert_int_equal(stat(path, &local), 0);
	assert_int_equal(local.st_mode & 07777, 0640);
	assert_int_equal(local.st_mtim.tv_nsec, 7);
	assert_int_equal(iopmem_open(client, "a", O_RDWR, 0, &f, NULL), 0);
	c.mode = 0644;
	assert_int_equal(iopmem_fsetattr(f, &c, &st, NULL), 0);
	assert_int_equal(st.mode, 0644);
	assert_int_equal(iopmem_close(f, NULL), 0);
	assert_int_equal(iopmem_truncate(client, "a", 3, NULL), 0);
	assert_int_equal(rig_size(&rig, "a"), 3);
	assert_int_equal(iopmem_statfs(client, &fs, NULL), 0);
	assert_true(fs.space_total >= fs.space_free && fs.space_free >= fs.space_avail &&
		    fs.space_total && fs.block_size && fs.name_max == 255);
	assert_int_equal(iopmem_info(client, &info, NULL), 0);
	assert_string_equal(info.fabric, "tcp");
	assert_string_equal(info.flush, "read");
	assert_true(info.granule >= 4096 && info.lease_ms == 10000);
}

static void urls(void **state)
{
	struct iopmem_client *again;
	struct iopmem_stat st;
	struct iopmem_file *f;
	char full[160];

	(void)state;
	make("a");
	snprintf(full, sizeof(full), "%s/%%61", url);	/* "a" */
	assert_int_equal(iopmem_stat(client, full, &st, NULL), 0);
	assert_int_equal(st.size, 5);
	assert_int_equal(iopmem_connect(full, NULL, &again, NULL), 0);	/* of the file's export */
	assert_int_equal(iopmem_open(again, full, O_RDONLY, 0, &f, NULL), 0);
	assert_int_equal(iopmem_close(f, NULL), 0);
	assert_int_equal(iopmem_disconnect(again), 0);
	assert_int_equal(iopmem_stat(client, "iopmem://127.0.0.1:1/d/a", &st, NULL), -EXDEV);
	snprintf(full, sizeof(full), "iopmem://127.0.0.1:%u/e/a", rig.port);
	assert_int_equal(iopmem_stat(client, full, &st, NULL), -EXDEV);
	assert_int_equal(iopmem_stat(client, "iopmem://", &st, NULL), -EINVAL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rename_link_symlink, up, down),
		cmocka_unit_test_setup_teardown(attributes, up, down),
		cmocka_unit_test_setup_teardown(urls, up, down),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
