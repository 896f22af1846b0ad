// SPDX-License-Identifier: BSD-3-Clause
/* Names, permissions, attributes: what a caller may reach, and as whom (I17, I18). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

#define R IOPMEM_ACCESS_READ
#define W IOPMEM_ACCESS_WRITE

static struct rig rig;
static struct peer a;

static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', 4 * PAGE);
	peer_up(&a, &rig, "a");
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

static void need_root(void)
{
	if (geteuid()) {
		print_message("SKIP: needs root, to be several users\n");
		skip();
	}
}

static void restart(const char *export_opts)
{
	struct rig_opts o = { .export_opts = export_opts };

	peer_drop(&a);
	rig_stop(&rig);
	rig_start(&rig, &o);
	peer_up(&a, &rig, "a");
}

static void link_to(const char *target, const char *name)
{
	char path[128];

	rig_path(&rig, name, path);
	assert_int_equal(symlink(target, path), 0);
}

struct escape {
	const char *path;
	u_int lookup;
};

static void paths_stay_in_the_export(void **state)
{
	static const struct escape cases[] = {
		{ "../../etc/passwd", IOPMEM_XDEV }, { "..", IOPMEM_XDEV },
		{ "/etc/passwd", IOPMEM_XDEV }, { "/", IOPMEM_XDEV },
		{ "dir/../../state", IOPMEM_XDEV }, { "abs", IOPMEM_XDEV },
		{ "up", IOPMEM_XDEV }, { "dir/up", IOPMEM_XDEV },
		{ "absdir/passwd", IOPMEM_XDEV }, { "proc/self/root/etc/passwd", IOPMEM_NOENT },
		{ "in", IOPMEM_OK }, { "dir/../f", IOPMEM_OK }, { "", IOPMEM_OK },
		{ "./f", IOPMEM_OK }, { "dir//..//f", IOPMEM_OK }, { "none", IOPMEM_NOENT },
		{ "f/x", IOPMEM_NOTDIR }, { "dangling", IOPMEM_NOENT },
	};
	char long_path[IOPMEM_PATH_MAX + 1], name[300];
	size_t i;

	(void)state;
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	link_to("/etc/passwd", "abs");
	link_to("/etc", "absdir");
	link_to("../state", "up");
	link_to("../../state", "dir/up");
	link_to("f", "in");
	link_to("nowhere", "dangling");
	link_to("loop", "loop");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u_int status = peer_lookup(&a, cases[i].path, NULL);

		if (status != cases[i].lookup)
			fail_msg("LOOKUP '%s': %s, not %s", cases[i].path, status_name(status),
				 status_name(cases[i].lookup));
		if (!status)
			continue;
		/* the others do not do better */
		assert_int_not_equal(peer_open(&a, cases[i].path, R, NULL), 0);
		if (status == IOPMEM_XDEV) {
			char below[160];

			assert_int_not_equal(peer_create(&a, cases[i].path, 0644, true, NULL), 0);
			snprintf(below, sizeof(below), "%s/new", cases[i].path);
			assert_int_not_equal(peer_create(&a, below, 0644, true, NULL), 0);
			assert_int_not_equal(peer_mkdir(&a, below), 0);
			assert_int_not_equal(peer_remove(&a, below), 0);
		}
	}
	assert_int_not_equal(peer_lookup(&a, "loop", NULL), 0);
	assert_int_equal(access("/etc/new", F_OK), -1);
	/* an exclusive create does not follow a link to nowhere */
	assert_status(peer_create(&a, "dangling", 0644, true, NULL), IOPMEM_EXIST);
	assert_status(peer_lookup(&a, "nowhere", NULL), IOPMEM_NOENT);
	/* links themselves can be removed, not what they name */
	assert_status(peer_remove(&a, "abs"), IOPMEM_OK);
	assert_int_equal(access("/etc/passwd", F_OK), 0);

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_status(peer_create(&a, name, 0644, true, NULL), IOPMEM_NAMETOOLONG);
	name[255] = '\0';
	assert_status(peer_create(&a, name, 0644, true, NULL), IOPMEM_OK);
	memset(long_path, '/', sizeof(long_path));
	long_path[0] = '.';
	long_path[IOPMEM_PATH_MAX] = '\0';
	assert_int_not_equal(peer_lookup(&a, long_path, NULL), 0);
	assert_int_not_equal(peer_create(&a, long_path, 0644, true, NULL), 0);
	for (i = 0; i < 5; i++) {
		static const char *const not_names[] = { "", ".", "..", "dir/", "dir/.." };

		assert_int_not_equal(peer_create(&a, not_names[i], 0644, true, NULL), 0);
		assert_int_not_equal(peer_mkdir(&a, not_names[i]), 0);
		assert_int_not_equal(peer_remove(&a, not_names[i]), 0);
	}
	finish();
}

static void only_regular_files_open(void **state)
{
	iopmem_getdeviceinfo_args args = { { 0, 0, 0 }, (char[]){ "none" } };
	iopmem_deviceinfo info;
	char path[128];

	(void)state;
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_EXIST);
	assert_status(peer_open(&a, "dir", R, NULL), IOPMEM_ISDIR);
	assert_status(peer_open(&a, "", R, NULL), IOPMEM_ISDIR);
	rig_path(&rig, "fifo", path);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_status(peer_open(&a, "fifo", R, NULL), IOPMEM_BADTYPE);
	assert_status(peer_open(&a, "f", 0, NULL), IOPMEM_INVAL);
	assert_status(peer_open(&a, "f", 4, NULL), IOPMEM_INVAL);
	assert_status(peer_open(&a, "f", 11, NULL), IOPMEM_INVAL);
	assert_status(peer_deviceinfo(&a, args.export_name, &info), IOPMEM_NOENT);
	finish();
}

static void create_and_remove(void **state)
{
	iopmem_stateid first, again;
	iopmem_attr attr;

	(void)state;
	assert_status(peer_create(&a, "new", 0640, true, &first), IOPMEM_OK);
	assert_status(peer_create(&a, "new", 0640, true, &again), IOPMEM_EXIST);
	assert_status(peer_create(&a, "new", 0600, false, &again), IOPMEM_OK);
	assert_status(peer_getattr(&a, &again, &attr), IOPMEM_OK);
	assert_int_equal(attr.type, IOPMEM_REG);
	assert_int_equal(attr.mode, 0640);	/* as the first created it */
	assert_int_equal(attr.size, 0);
	/* the mode is the caller's, its umask has been there already */
	assert_status(peer_create(&a, "open", 0666, true, &first), IOPMEM_OK);
	assert_status(peer_lookup(&a, "open", &attr), IOPMEM_OK);
	assert_int_equal(attr.mode, 0666);
	/* a mode that keeps even its owner out does not keep its creator out */
	if (!geteuid())		/* the server opens it again, as itself */
		assert_status(peer_create(&a, "closed", 0, true, &first), IOPMEM_OK);
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	assert_status(peer_create(&a, "dir/x", 0644, true, NULL), IOPMEM_OK);
	assert_status(peer_remove(&a, "dir"), IOPMEM_NOTEMPTY);
	assert_status(peer_remove(&a, "dir/x"), IOPMEM_OK);
	assert_status(peer_remove(&a, "dir"), IOPMEM_OK);
	assert_status(peer_remove(&a, "dir"), IOPMEM_NOENT);
	assert_status(peer_create(&a, "none/x", 0644, true, NULL), IOPMEM_NOENT);
	finish();
}

static void permissions_are_the_callers(void **state)
{
	struct peer other, root;
	iopmem_stateid id;
	iopmem_attr attr;
	struct reply r;
	char path[128];

	(void)state;
	need_root();
	rig_path(&rig, "f", path);
	assert_int_equal(chown(path, PEER_UID, PEER_UID), 0);
	assert_int_equal(chmod(path, 0600), 0);
	peer_connect(&other, &rig, "other", PEER_UID + 1);
	assert_status(peer_exchange_id(&other, 1), IOPMEM_OK);
	peer_connect(&root, &rig, "root", 0);
	assert_status(peer_exchange_id(&root, 1), IOPMEM_OK);

	assert_status(peer_open(&a, "f", R | W, &id), IOPMEM_OK);
	assert_status(peer_open(&other, "f", R, &id), IOPMEM_ACCESS);
	assert_status(peer_open(&other, "f", W, &id), IOPMEM_ACCESS);
	assert_status(peer_create(&other, "f", 0666, false, &id), IOPMEM_ACCESS);
	assert_status(peer_open(&root, "f", R, &id), IOPMEM_ACCESS);	/* squashed */
	/* attributes are not secret, as with stat(2) */
	assert_status(peer_lookup(&other, "f", &attr), IOPMEM_OK);
	assert_int_equal(attr.uid, PEER_UID);

	assert_int_equal(chmod(path, 0644), 0);
	assert_status(peer_open(&other, "f", R | W, &id), IOPMEM_ACCESS);
	assert_status(peer_open(&other, "f", R, &id), IOPMEM_OK);
	iopmem_deviceinfo info;

	assert_status(peer_deviceinfo(&other, "d", &info), IOPMEM_OK);
	/* RO never becomes RW: not by the layout, not by SETSIZE */
	assert_status(peer_layoutget(&other, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OPENMODE);
	assert_status(peer_setsize(&other, &id, 0), IOPMEM_OPENMODE);
	assert_status(peer_layoutget(&other, &id, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&other, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'z', 1),
			 -EACCES);
	assert_status(peer_layoutget(&other, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OPENMODE);
	/* and a write-only open does not read */
	assert_status(peer_open(&a, "f", W, &id), IOPMEM_OK);
	assert_status(peer_layoutreturn(&other, &id, 0, TO_END, &r), IOPMEM_BAD_STATEID);

	/* files belong to who made them; root is nobody */
	assert_status(peer_create(&other, "mine", 0600, true, &id), IOPMEM_OK);
	assert_status(peer_lookup(&a, "mine", &attr), IOPMEM_OK);
	assert_int_equal(attr.uid, PEER_UID + 1);
	assert_int_equal(attr.gid, PEER_UID + 1);
	assert_status(peer_create(&root, "nobody", 0600, true, &id), IOPMEM_OK);
	assert_status(peer_lookup(&a, "nobody", &attr), IOPMEM_OK);
	assert_int_equal(attr.uid, 65534);
	assert_int_equal(attr.gid, 65534);

	/* directories: no search, no write */
	assert_status(peer_mkdir(&a, "private"), IOPMEM_OK);
	rig_path(&rig, "private", path);
	assert_int_equal(chmod(path, 0700), 0);
	assert_status(peer_create(&a, "private/x", 0666, true, &id), IOPMEM_OK);
	assert_status(peer_lookup(&other, "private/x", NULL), IOPMEM_ACCESS);
	assert_status(peer_open(&other, "private/x", R, NULL), IOPMEM_ACCESS);
	assert_status(peer_remove(&other, "private/x"), IOPMEM_ACCESS);
	assert_status(peer_create(&other, "private/y", 0666, true, NULL), IOPMEM_ACCESS);
	assert_int_equal(chmod(path, 0755), 0);
	assert_status(peer_remove(&other, "private/x"), IOPMEM_ACCESS);
	assert_status(peer_mkdir(&other, "private/y"), IOPMEM_ACCESS);
	peer_down(&other);
	peer_down(&root);
	finish();
}

static void squash_modes(void **state)
{
	struct peer root;
	iopmem_attr attr;

	(void)state;
	need_root();
	restart(",squash=none");
	peer_connect(&root, &rig, "root", 0);
	assert_status(peer_exchange_id(&root, 1), IOPMEM_OK);
	assert_status(peer_create(&root, "by-root", 0600, true, NULL), IOPMEM_OK);
	assert_status(peer_lookup(&root, "by-root", &attr), IOPMEM_OK);
	assert_int_equal(attr.uid, 0);
	peer_down(&root);
	restart(",squash=all,anon-uid=1234,anon-gid=1235");
	assert_status(peer_create(&a, "by-anon", 0600, true, NULL), IOPMEM_OK);
	assert_status(peer_lookup(&a, "by-anon", &attr), IOPMEM_OK);
	assert_int_equal(attr.uid, 1234);
	assert_int_equal(attr.gid, 1235);
	finish();
}

static void read_only_export(void **state)
{
	iopmem_stateid id;
	struct reply r;
	char buf[16];

	(void)state;
	restart(",read-only=yes");
	assert_status(peer_open(&a, "f", R | W, &id), IOPMEM_ROFS);
	assert_status(peer_open(&a, "f", W, &id), IOPMEM_ROFS);
	assert_status(peer_create(&a, "new", 0644, true, &id), IOPMEM_ROFS);
	assert_status(peer_create(&a, "f", 0644, false, &id), IOPMEM_ROFS);
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_ROFS);
	assert_status(peer_remove(&a, "f"), IOPMEM_ROFS);
	assert_status(peer_open(&a, "f", R, &id), IOPMEM_OK);
	assert_status(peer_setsize(&a, &id, 0), IOPMEM_OPENMODE);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OPENMODE);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_read(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), buf, 16), 0);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'z', 1), -EACCES);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 4 * PAGE, 'o'));
}

/* ---- READDIR ---- */

#define ENTRIES 300

/* Reads all of @path, @count at a time; how often each of e0... was seen. */
static unsigned int list(const char *path, u_int count, unsigned int *seen)
{
	iopmem_readdir_args args = { { a.id, 0, 0 }, (char[]){ "d" }, (char *)(uintptr_t)path, 0,
				     count };
	unsigned int n = 0, calls = 0;
	iopmem_readdir_res res;
	bool eof = false;
	u_int i;

	while (!eof) {
		const iopmem_readdir_ok *ok = &res.iopmem_readdir_res_u.ok;

		assert_true(++calls < 2 * ENTRIES);
		memset(&res, 0, sizeof(res));
		assert_int_equal(wire_call(&a.rpc, IOPMEM_PROC_READDIR,
					   WIRE_XDR(xdr_iopmem_readdir_args), &args,
					   WIRE_XDR(xdr_iopmem_readdir_res), &res), 0);
		assert_status(res.status, IOPMEM_OK);
		assert_true(ok->entries.entries_len <= count);
		for (i = 0; i < ok->entries.entries_len; i++) {
			const iopmem_dirent *de = &ok->entries.entries_val[i];

			n++;
			args.cookie = de->cookie;
			assert_string_not_equal(de->name, ".");
			assert_string_not_equal(de->name, "..");
			if (de->name[0] == 'e') {
				seen[atoi(de->name + 1)]++;
				assert_int_equal(de->attr.type, IOPMEM_REG);
				assert_int_equal(de->attr.size, 5);
			}
		}
		eof = ok->eof;
		assert_true(eof || ok->entries.entries_len);
		xdr_free(WIRE_XDR(xdr_iopmem_readdir_res), &res);
	}
	return n;
}

static void readdir_pages(void **state)
{
	static const u_int counts[] = { 1, 7, 64, IOPMEM_DIRENTS_MAX };
	iopmem_readdir_args args = { { a.id, 0, 0 }, (char[]){ "d" }, (char[]){ "f" }, 0, 8 };
	iopmem_readdir_res res = { 0 };
	unsigned int seen[ENTRIES];
	char name[16];
	u_int i, k;

	(void)state;
	for (i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "e%u", i);
		rig_fill(&rig, name, 'x', 5);
	}
	for (k = 0; k < 4; k++) {
		memset(seen, 0, sizeof(seen));
		assert_int_equal(list("", counts[k], seen), ENTRIES + 1);
		for (i = 0; i < ENTRIES; i++)
			assert_int_equal(seen[i], 1);
	}
	assert_status(peer_mkdir(&a, "dir"), IOPMEM_OK);
	assert_int_equal(list("dir", 8, seen), 0);
	wire_call(&a.rpc, IOPMEM_PROC_READDIR, WIRE_XDR(xdr_iopmem_readdir_args), &args,
		  WIRE_XDR(xdr_iopmem_readdir_res), &res);
	assert_status(res.status, IOPMEM_NOTDIR);
	args.count = 0;
	wire_call(&a.rpc, IOPMEM_PROC_READDIR, WIRE_XDR(xdr_iopmem_readdir_args), &args,
		  WIRE_XDR(xdr_iopmem_readdir_res), &res);
	assert_status(res.status, IOPMEM_INVAL);
	args.count = IOPMEM_DIRENTS_MAX + 1;
	wire_call(&a.rpc, IOPMEM_PROC_READDIR, WIRE_XDR(xdr_iopmem_readdir_args), &args,
		  WIRE_XDR(xdr_iopmem_readdir_res), &res);
	assert_status(res.status, IOPMEM_INVAL);
	finish();
}

/* Uncommitted growth shows nowhere: GETATTR, LOOKUP, READDIR. */
static void attributes_show_the_committed_size(void **state)
{
	iopmem_readdir_args args = { { a.id, 0, 0 }, (char[]){ "d" }, (char[]){ "" }, 0, 8 };
	iopmem_readdir_res res = { 0 };
	iopmem_stateid open_id, id;
	iopmem_attr attr;
	struct reply r;

	(void)state;
	assert_status(peer_open(&a, "f", R | W, &open_id), IOPMEM_OK);
	id = open_id;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 16 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.size, 4 * PAGE);
	assert_int_equal(rig_size(&rig, "f"), 16 * PAGE);	/* the file itself has grown */
	assert_status(peer_getattr(&a, &open_id, &attr), IOPMEM_OK);
	assert_int_equal(attr.size, 4 * PAGE);
	assert_status(peer_lookup(&a, "f", &attr), IOPMEM_OK);
	assert_int_equal(attr.size, 4 * PAGE);
	assert_int_equal(wire_call(&a.rpc, IOPMEM_PROC_READDIR,
				   WIRE_XDR(xdr_iopmem_readdir_args), &args,
				   WIRE_XDR(xdr_iopmem_readdir_res), &res), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_readdir_res_u.ok.entries.entries_val[0].attr.size, 4 * PAGE);
	xdr_free(WIRE_XDR(xdr_iopmem_readdir_res), &res);
	assert_status(peer_open(&a, "f", R, &id), IOPMEM_OK);
	finish();
}

/* The same at every moment of a grant and of a return. */
static void attributes_never_show_growth(void **state)
{
	iopmem_layoutget_args get;
	iopmem_layoutreturn_args ret;
	iopmem_stateid open_id;
	struct peer b;
	struct reply r;
	iopmem_attr attr;
	int i, k;

	(void)state;
	peer_up(&b, &rig, "b");
	assert_status(peer_open(&a, "f", R | W, &open_id), IOPMEM_OK);
	for (i = 0; i < 200; i++) {
		get = peer_get_args(&a, &open_id, IOPMEM_WIRE_RW, 0, 64 * PAGE);
		assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_LAYOUTGET,
					   WIRE_XDR(xdr_iopmem_layoutget_args), &get), 0);
		for (k = 0; k < 4; k++) {
			assert_status(peer_lookup(&b, "f", &attr), IOPMEM_OK);
			assert_int_equal(attr.size, 4 * PAGE);
		}
		assert_int_equal(wire_recv(&a.rpc, NULL, NULL, RIG_PATIENCE_MS), 0);
		peer_layoutget_with(&a, &get, &r);	/* its answer once more */
		assert_status(r.status, IOPMEM_OK);
		ret = peer_return_args(&a, &r.stateid, 0, TO_END);
		assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_LAYOUTRETURN,
					   WIRE_XDR(xdr_iopmem_layoutreturn_args), &ret), 0);
		for (k = 0; k < 4; k++) {
			assert_status(peer_lookup(&b, "f", &attr), IOPMEM_OK);
			assert_int_equal(attr.size, 4 * PAGE);
		}
		assert_int_equal(wire_recv(&a.rpc, NULL, NULL, RIG_PATIENCE_MS), 0);
	}
	peer_down(&b);
	finish();
}

/* I18: the holder goes on, then the blocks are free and the name means a new file. */
static void removed_while_leased(void **state)
{
	iopmem_stateid open_id, id, fresh;
	iopmem_segment seg;
	iopmem_attr attr;
	struct peer b;
	struct reply r;
	char buf[16];

	(void)state;
	peer_up(&b, &rig, "b");
	assert_status(peer_open(&a, "f", R | W, &open_id), IOPMEM_OK);
	id = open_id;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, 8 * PAGE, &r), IOPMEM_OK);
	seg = r.seg[0];
	assert_status(peer_remove(&b, "f"), IOPMEM_OK);
	assert_status(peer_lookup(&b, "f", NULL), IOPMEM_NOENT);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'a', PAGE), 0);
	assert_int_equal(peer_read(&a, seg.rkey, peer_raddr(&seg, 0), buf, 16), 0);
	assert_memory_equal(buf, "aaaaaaaaaaaaaaaa", 16);
	assert_status(peer_commit(&a, &id, 4 * PAGE, PAGE, 5 * PAGE, NULL), IOPMEM_OK);
	assert_status(peer_getattr(&a, &open_id, &attr), IOPMEM_OK);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.size, 5 * PAGE);
	/* the same name is another file */
	assert_status(peer_create(&b, "f", 0666, true, &fresh), IOPMEM_OK);
	assert_status(peer_layoutget(&b, &fresh, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(r.size, 0);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE), 0);
	assert_status(peer_commit(&b, &fresh, 0, PAGE, PAGE, NULL), IOPMEM_OK);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, seg.rkey, peer_raddr(&seg, 0), 'z', PAGE), -EACCES);
	peer_down(&b);
	finish();
	assert_int_equal(rig_size(&rig, "f"), PAGE);
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 0));
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(paths_stay_in_the_export),
		T(only_regular_files_open),
		T(create_and_remove),
		T(permissions_are_the_callers),
		T(squash_modes),
		T(read_only_export),
		T(readdir_pages),
		T(attributes_show_the_committed_size),
		T(attributes_never_show_growth),
		T(removed_while_leased),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
