// SPDX-License-Identifier: BSD-3-Clause
/* File handles: they name a file and no path, outlive the server, and cannot be made up. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

#define R IOPMEM_ACCESS_READ
#define W IOPMEM_ACCESS_WRITE

static struct rig rig;
static struct peer a;
static iopmem_stateid a_open;
static struct handle_bytes f;

/* "f" has a page of 'o'; @f is its handle. */
static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', PAGE);
	peer_up(&a, &rig, "a");
	assert_status(peer_open(&a, "f", R | W, &a_open), IOPMEM_OK);
	f = a.handle;
	return 0;
}

static int down(void **state)
{
	(void)state;
	peer_drop(&a);
	rig_down(&rig);
	return 0;
}

static void finish(void)
{
	peer_down(&a);
	rig_stop(&rig);
}

static void need_handles(void)
{
	if (f.len)
		return;
	assert_int_not_equal(geteuid(), 0);
	print_message("SKIP: needs CAP_DAC_READ_SEARCH\n");
	skip();
}

static void restart(const struct rig_opts *o)
{
	peer_drop(&a);
	rig_stop(&rig);
	rig_start(&rig, o);
	peer_up(&a, &rig, "a");
}

static void move(const char *from, const char *to)
{
	char path[128], new[128];

	rig_path(&rig, from, path);
	rig_path(&rig, to, new);
	assert_int_equal(rename(path, new), 0);
}

static void assert_is_f(const iopmem_stateid *id, char byte)
{
	char buf[16];
	bool eof;
	u_int n;

	assert_status(peer_pread(&a, id, 100, 1, buf, &n, &eof), IOPMEM_OK);
	assert_int_equal(n, 1);
	assert_int_equal(buf[0], byte);
}

static void survives_rename_and_restart(void **state)
{
	struct handle_bytes other;
	iopmem_stateid id;

	(void)state;
	need_handles();
	assert_status(peer_open(&a, "f", R, &id), IOPMEM_OK);
	assert_int_equal(a.handle.len, f.len);			/* one file, one handle */
	assert_memory_equal(a.handle.bytes, f.bytes, f.len);
	assert_status(peer_create(&a, "g", 0644, true, &id), IOPMEM_OK);
	other = a.handle;
	assert_true(other.len != f.len || memcmp(other.bytes, f.bytes, f.len));
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	move("f", "dir/elsewhere");
	rig_fill(&rig, "f", 'x', PAGE);				/* what has its name now */
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_OK);
	assert_is_f(&id, 'o');
	restart(NULL);
	assert_status(peer_open_handle(&a, &f, R | W, &id), IOPMEM_OK);
	assert_memory_equal(a.handle.bytes, f.bytes, f.len);	/* and again the same */
	assert_is_f(&id, 'o');
	assert_status(peer_pwrite(&a, &id, 0, 'n', PAGE, IOPMEM_FILE_SYNC, NULL), IOPMEM_OK);
	assert_status(peer_open_handle(&a, &other, R | W, &id), IOPMEM_OK);
	finish();
	assert_true(rig_bytes(&rig, "dir/elsewhere", 0, PAGE, 'n'));
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'x'));
}

/* A layout of a file that was opened by handle is a layout of that inode. */
static void opens_the_same_file(void **state)
{
	iopmem_stateid by_path = a_open, by_handle;
	struct reply r, again;

	(void)state;
	need_handles();
	assert_status(peer_open_handle(&a, &f, R | W, &by_handle), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &by_path, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_layoutget(&a, &by_handle, IOPMEM_WIRE_RW, 0, PAGE, &again), IOPMEM_OK);
	assert_int_equal(r.seg[0].rkey, again.seg[0].rkey);
	finish();
}

static void forged(void **state)
{
	struct handle_bytes h;
	iopmem_stateid id;
	u_int i;

	(void)state;
	need_handles();
	for (i = 0; i < f.len; i++) {
		h = f;
		h.bytes[i] = (char)(h.bytes[i] ^ (1 << i % 8));
		assert_status(peer_open_handle(&a, &h, R, &id), IOPMEM_BADHANDLE);
	}
	for (h = f; h.len--;)
		assert_status(peer_open_handle(&a, &h, R, &id), IOPMEM_BADHANDLE);
	h = f;
	h.len++;
	assert_status(peer_open_handle(&a, &h, R, &id), IOPMEM_BADHANDLE);
	assert_status(peer_open_handle(&a, &f, 0, &id), IOPMEM_INVAL);
	assert_status(peer_open_handle(&a, &f, 8, &id), IOPMEM_INVAL);
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_OK);
	finish();
}

/* The key is the server's: with another one nothing it gave out counts. */
static void another_key(void **state)
{
	iopmem_stateid id;
	char path[128];
	struct stat st;

	(void)state;
	need_handles();
	snprintf(path, sizeof(path), "%s/handle.key", rig.state);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(unlink(path), 0);
	restart(NULL);
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_BADHANDLE);
	finish();
}

static void deleted(void **state)
{
	iopmem_stateid id;

	(void)state;
	need_handles();
	assert_status(peer_remove(&a, "f"), IOPMEM_OK);
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_STALE);	/* it is open still */
	assert_is_f(&a_open, 'o');
	assert_status(peer_close(&a, &a_open), IOPMEM_OK);
	rig_fill(&rig, "f", 'x', PAGE);		/* perhaps with its inode number */
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_STALE);
	finish();
}

/* The export is a directory of its file system: what is moved out of it is gone. */
static void moved_out_of_the_export(void **state)
{
	iopmem_stateid id;

	(void)state;
	need_handles();
	move("f", "../outside");
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_STALE);
	restart(NULL);
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_STALE);
	move("../outside", "back");
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_OK);
	finish();
}

static void access_is_checked_as_the_caller(void **state)
{
	struct rig_opts read_only = { .export_opts = ",read-only=yes" };
	struct peer other;
	iopmem_stateid id;
	char path[128];

	(void)state;
	need_handles();
	rig_path(&rig, "f", path);
	assert_int_equal(chown(path, PEER_UID, PEER_UID), 0);
	assert_int_equal(chmod(path, 0640), 0);
	peer_connect(&other, &rig, "other", PEER_UID + 1);
	assert_status(peer_exchange_id(&other, 1), IOPMEM_OK);
	assert_status(peer_open_handle(&other, &f, R, &id), IOPMEM_ACCESS);
	assert_status(peer_open_handle(&a, &f, R | W, &id), IOPMEM_OK);
	assert_int_equal(chmod(path, 0644), 0);
	assert_status(peer_open_handle(&other, &f, R, &id), IOPMEM_OK);
	assert_status(peer_open_handle(&other, &f, R | W, &id), IOPMEM_ACCESS);
	peer_down(&other);
	restart(&read_only);
	assert_status(peer_open_handle(&a, &f, R | W, &id), IOPMEM_ROFS);
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_OK);
	finish();
}

/* Without the capability there are no handles, and old ones do not open. */
static void without_the_capability(void **state)
{
	struct rig_opts o = { .no_dac_search = true };
	iopmem_stateid id;

	(void)state;
	need_handles();
	restart(&o);
	assert_status(peer_open(&a, "f", R, &id), IOPMEM_OK);
	assert_int_equal(a.handle.len, 0);
	assert_status(peer_open_handle(&a, &f, R, &id), IOPMEM_NOTSUPP);
	assert_int_equal(rig_logged(&rig, "CAP_DAC_READ_SEARCH"), 1);
	finish();
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(survives_rename_and_restart),
		T(opens_the_same_file),
		T(forged),
		T(another_key),
		T(deleted),
		T(moved_out_of_the_export),
		T(access_is_checked_as_the_caller),
		T(without_the_capability),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("handle", tests, NULL, NULL);
}
