// SPDX-License-Identifier: BSD-3-Clause
/*
 * SETATTR, and what a change of mode or owner does to who has the file open or leased
 * (I17): through the server it waits for them, made locally it is noticed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "peer_names.h"

#define R IOPMEM_ACCESS_READ
#define W IOPMEM_ACCESS_WRITE
#define OTHER_UID (PEER_UID + 1)
#define RECALL_MS 600

static struct rig rig;
static struct peer a;		/* owner of "f" */
static struct peer b;		/* another uid, a layout holder */

static void peer_up_as(struct peer *p, const char *owner, uint32_t uid)
{
	iopmem_deviceinfo info;

	peer_connect(p, &rig, owner, uid);
	assert_status(peer_exchange_id(p, 1), IOPMEM_OK);
	assert_status(peer_deviceinfo(p, "d", &info), IOPMEM_OK);
}

static int up(void **state)
{
	struct rig_opts o = { .recall_ms = RECALL_MS };
	char path[128];

	(void)state;
	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', 4 * PAGE);
	rig_path(&rig, "f", path);
	if (!geteuid())
		assert_int_equal(chown(path, PEER_UID, PEER_UID), 0);
	peer_up(&a, &rig, "a");
	peer_up_as(&b, "b", OTHER_UID);
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

static struct stat st_of(const char *name)
{
	char path[128];
	struct stat st;

	rig_path(&rig, name, path);
	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void local_chmod(const char *name, mode_t mode)
{
	char path[128];

	rig_path(&rig, name, path);
	assert_int_equal(chmod(path, mode), 0);
}

/* LAYOUTGET by the open's stateid, which stays.  DELAY: a fence or a look at rights is not over. */
static u_int lease(struct peer *p, const iopmem_stateid *open_id, iopmem_iomode mode,
		   uint64_t offset, struct reply *r)
{
	iopmem_stateid id = *open_id;
	u_int status;

	await((status = peer_layoutget(p, &id, mode, offset, PAGE, r)) != IOPMEM_DELAY);
	return status;
}

static void give_back(struct peer *p, struct reply *r)
{
	iopmem_stateid id = r->stateid;

	assert_status(peer_layoutreturn(p, &id, 0, TO_END, r), IOPMEM_OK);
}

static u_int set(struct peer *p, const char *path, iopmem_setattr attr)
{
	iopmem_setattr_args args = peer_setattr_path(p, path, attr);

	return peer_setattr_with(p, &args, NULL);
}

/* utimens(2): the time given, now, or as it is. */
static void times(void **state)
{
	iopmem_setattr_args args;
	iopmem_attr attr;
	iopmem_stateid id;
	struct stat before = st_of("f");

	(void)state;
	assert_status(set(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_MTIME, .mtime_sec = 1234567,
						      .mtime_nsec = 89000 }), IOPMEM_OK);
	assert_int_equal(st_of("f").st_mtim.tv_sec, 1234567);
	assert_int_equal(st_of("f").st_mtim.tv_nsec, 89000);
	assert_int_equal(st_of("f").st_atim.tv_sec, before.st_atim.tv_sec);
	assert_status(set(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_ATIME, .atime_sec = -5 }),
		      IOPMEM_OK);
	assert_int_equal(st_of("f").st_atim.tv_sec, -5);
	assert_status(peer_open(&a, "f", R, &id), IOPMEM_OK);
	args = peer_setattr_open(&a, &id, (iopmem_setattr){ .set = IOPMEM_SET_MTIME_NOW });
	assert_status(peer_setattr_with(&a, &args, &attr), IOPMEM_OK);
	assert_true(attr.mtime_sec >= before.st_mtim.tv_sec);
	assert_int_equal(attr.atime_sec, -5);
	assert_int_equal(attr.size, 4 * PAGE);
	finish();
}

static bool later(struct timespec x, struct timespec y)
{
	return x.tv_sec > y.tv_sec || (x.tv_sec == y.tv_sec && x.tv_nsec > y.tv_nsec);
}

/* The file system's clock, which steps by its ticks, is past @ts. */
static bool clock_past(struct timespec ts)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return later(now, ts);
}

/* Remote writes pass no file system: the commit tells backup and NFS caches. */
static void growth_moves_mtime(void **state)
{
	iopmem_stateid id;
	struct timespec before;
	struct reply r;
	uint64_t size;

	(void)state;
	assert_status(peer_open(&a, "f", R | W, &id), IOPMEM_OK);
	assert_status(lease(&a, &id, IOPMEM_WIRE_RW, 4 * PAGE, &r), IOPMEM_OK);
	for (uint64_t grown = 4 * PAGE + 100; grown <= 5 * PAGE; grown += PAGE - 100) {
		before = st_of("f").st_mtim;
		await(clock_past(before));
		assert_status(peer_commit(&a, &r.stateid, 4 * PAGE, PAGE, grown, &size), IOPMEM_OK);
		assert_int_equal(size, grown);
		assert_true(later(st_of("f").st_mtim, before));
	}
	finish();
}

static void argument_laws(void **state)
{
	static const iopmem_setattr bad[] = {
		{ .set = 0 }, { .set = 128 }, { .set = IOPMEM_SET_MODE, .mode = 010000 },
		{ .set = IOPMEM_SET_UID, .uid = UINT32_MAX }, { .set = IOPMEM_SET_GID, .gid = UINT32_MAX },
		{ .set = IOPMEM_SET_ATIME | IOPMEM_SET_ATIME_NOW },
		{ .set = IOPMEM_SET_MTIME | IOPMEM_SET_MTIME_NOW },
		{ .set = IOPMEM_SET_MTIME, .mtime_nsec = 1000000000 },
		{ .set = IOPMEM_SET_ATIME, .atime_nsec = 1000000000 },
	};
	iopmem_setattr_args args;
	iopmem_stateid id;
	char path[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_status(set(&a, "f", bad[i]), IOPMEM_INVAL);
	args = peer_setattr_path(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_MTIME_NOW });
	args.target.iopmem_target_u.path.flags = 2;
	assert_status(peer_setattr_with(&a, &args, NULL), IOPMEM_INVAL);
	memset(&id, 7, sizeof(id));
	args = peer_setattr_open(&a, &id, (iopmem_setattr){ .set = IOPMEM_SET_MTIME_NOW });
	assert_status(peer_setattr_with(&a, &args, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_chmod(&a, "none", 0644), IOPMEM_NOENT);
	assert_status(peer_chmod(&a, "../state", 0644), IOPMEM_XDEV);
	/* of the link or of what it names */
	rig_path(&rig, "l", path);
	assert_int_equal(symlink("f", path), 0);
	if (!geteuid())
		assert_int_equal(lchown(path, PEER_UID, PEER_UID), 0);
	args = peer_setattr_path(&a, "l", (iopmem_setattr){ .set = IOPMEM_SET_MTIME, .mtime_sec = 77 });
	args.target.iopmem_target_u.path.flags = IOPMEM_NOFOLLOW;
	assert_status(peer_setattr_with(&a, &args, NULL), IOPMEM_OK);
	assert_int_equal(st_of("l").st_mtim.tv_sec, 77);
	assert_int_not_equal(st_of("f").st_mtim.tv_sec, 77);
	assert_status(peer_chmod(&a, "l", 0640), IOPMEM_OK);
	assert_int_equal(st_of("f").st_mode & 07777, 0640);
	finish();
}

static void only_who_may(void **state)
{
	struct rig_opts o = { .recall_ms = RECALL_MS, .export_opts = ",squash=none" };
	struct peer root;

	(void)state;
	need_root();
	assert_status(peer_chmod(&b, "f", 0777), IOPMEM_PERM);
	assert_status(set(&b, "f", (iopmem_setattr){ .set = IOPMEM_SET_MTIME, .mtime_sec = 1 }),
		      IOPMEM_PERM);
	assert_status(set(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_UID, .uid = OTHER_UID }),
		      IOPMEM_PERM);
	assert_status(set(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_GID, .gid = OTHER_UID }),
		      IOPMEM_PERM);
	/* root is nobody, unless the export says otherwise */
	peer_up_as(&root, "root", 0);
	assert_status(set(&root, "f", (iopmem_setattr){ .set = IOPMEM_SET_UID, .uid = 0 }),
		      IOPMEM_PERM);
	peer_down(&root);
	assert_int_equal(st_of("f").st_uid, PEER_UID);
	assert_int_equal(st_of("f").st_mode & 07777, 0666);
	peer_drop(&a);
	peer_drop(&b);
	rig_stop(&rig);
	rig_start(&rig, &o);
	peer_up(&a, &rig, "a");
	peer_up_as(&b, "b", OTHER_UID);
	peer_up_as(&root, "root", 0);
	assert_status(set(&root, "f", (iopmem_setattr){
			      .set = IOPMEM_SET_UID | IOPMEM_SET_GID | IOPMEM_SET_MODE,
			      .uid = OTHER_UID, .gid = 7, .mode = 04711 }), IOPMEM_OK);
	assert_int_equal(st_of("f").st_uid, OTHER_UID);
	assert_int_equal(st_of("f").st_gid, 7);
	assert_int_equal(st_of("f").st_mode & 07777, 04711);
	peer_down(&root);
	finish();
}

/* A change that the caller may not make disturbs nobody. */
static void refused_change_recalls_nobody(void **state)
{
	iopmem_stateid id;
	iopmem_event ev;
	struct reply r;

	(void)state;
	need_root();
	assert_status(peer_open(&a, "f", R | W, &id), IOPMEM_OK);
	assert_status(lease(&a, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	assert_status(peer_chmod(&b, "f", 0777), IOPMEM_PERM);
	assert_false(peer_event(&a, &ev, 50));
	/* nor do times, nor a mode that it has already */
	assert_status(set(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_MTIME_NOW }), IOPMEM_OK);
	assert_status(peer_chmod(&a, "f", 0666), IOPMEM_OK);
	assert_false(peer_event(&a, &ev, 50));
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'w', 1), 0);
	finish();
}

/*
 * The holder is silent: the mode is the old one until its key is dead, and grants wait
 * meanwhile.  Then it has lost the right, and only the owner is not asked for it.
 */
static void chmod_recalls_and_fences(void **state)
{
	iopmem_setattr_args args;
	iopmem_attr_res res = { 0 };
	iopmem_stateid id, mine, again;
	iopmem_event ev;
	iopmem_segment seg;
	struct reply r;
	uint64_t start;
	int rc;

	(void)state;
	need_root();
	assert_status(peer_open(&b, "f", R | W, &id), IOPMEM_OK);
	assert_status(lease(&b, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	seg = r.seg[0];
	assert_status(peer_open(&b, "f", R | W, &again), IOPMEM_OK);
	assert_status(peer_open(&a, "f", R | W, &mine), IOPMEM_OK);
	start = now_ms();
	args = peer_setattr_path(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_MODE, .mode = 0644 });
	assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_SETATTR,
				   WIRE_XDR(xdr_iopmem_setattr_args), &args), 0);
	assert_true(peer_event(&b, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	/* while the key lives the mode does not change */
	while (!(rc = peer_write(&b, seg.rkey, peer_raddr(&seg, 0), 'b', PAGE))) {
		u_int status = lease(&b, &again, IOPMEM_WIRE_RW, 2 * PAGE, &r);

		/* or it is over this moment */
		assert_true(status == IOPMEM_RECALLCONFLICT || status == IOPMEM_ACCESS);
		assert_true(now_ms() - start < RIG_PATIENCE_MS);
		nap(10);
	}
	assert_int_equal(rc, -EACCES);
	assert_true(now_ms() - start >= RECALL_MS);
	assert_int_equal(wire_recv(&a.rpc, WIRE_XDR(xdr_iopmem_attr_res), &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_attr_res_u.attr.mode, 0644);
	/* b may read what it may read, the owner goes on */
	assert_status(peer_open(&b, "f", R | W, NULL), IOPMEM_ACCESS);
	assert_status(lease(&b, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_ACCESS);
	assert_status(peer_setsize(&b, &id, 0), IOPMEM_ACCESS);
	assert_status(lease(&b, &id, IOPMEM_WIRE_READ, 0, &r), IOPMEM_OK);
	give_back(&b, &r);
	assert_status(peer_chmod(&a, "f", 0), IOPMEM_OK);
	assert_status(lease(&a, &mine, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	give_back(&a, &r);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 4 * PAGE);
}

/* The mode must not have changed before the key was dead: looked at from the side. */
static void mode_changes_after_the_fence(void **state)
{
	iopmem_setattr_args args;
	iopmem_stateid id;
	struct reply r;
	int rc;

	(void)state;
	need_root();
	assert_status(peer_open(&b, "f", R | W, &id), IOPMEM_OK);
	assert_status(lease(&b, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	args = peer_setattr_path(&a, "f", (iopmem_setattr){ .set = IOPMEM_SET_MODE, .mode = 0600 });
	assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_SETATTR,
				   WIRE_XDR(xdr_iopmem_setattr_args), &args), 0);
	do {
		bool changed = (st_of("f").st_mode & 07777) == 0600;

		rc = peer_write(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'b', PAGE);
		assert_false(changed && !rc);
		nap(1);
	} while (!rc);
	assert_int_equal(wire_recv(&a.rpc, NULL, NULL, RIG_PATIENCE_MS), 0);
	assert_int_equal(st_of("f").st_mode & 07777, 0600);
	finish();
}

/* A local chmod has happened when it is noticed: then who lost is recalled and fenced. */
static void local_chmod_is_noticed(void **state)
{
	iopmem_stateid id, mine;
	iopmem_event ev;
	struct reply r, own;
	uint64_t start;

	(void)state;
	need_root();
	assert_status(peer_open(&b, "f", R | W, &id), IOPMEM_OK);
	assert_status(lease(&b, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	assert_status(peer_open(&a, "f", R | W, &mine), IOPMEM_OK);
	assert_status(lease(&a, &mine, IOPMEM_WIRE_RW, 2 * PAGE, &own), IOPMEM_OK);
	start = now_ms();
	local_chmod("f", 0644);
	assert_true(peer_event(&b, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	assert_true(now_ms() - start < RIG_PATIENCE_MS / 2);
	await(peer_write(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'b', PAGE) == -EACCES);
	assert_true(now_ms() - start >= RECALL_MS);
	assert_int_equal(rig_logged(&rig, "lost the right to write"), 1);
	assert_status(lease(&b, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_ACCESS);
	assert_status(lease(&b, &id, IOPMEM_WIRE_READ, 0, &r), IOPMEM_OK);
	/* the owner lost nothing and was not asked */
	assert_int_equal(peer_write(&a, own.seg[0].rkey, peer_raddr(&own.seg[0], 2 * PAGE), 'a', 1), 0);
	assert_false(peer_event(&a, &ev, 20));
	finish();
}

/* Rights come back with the mode, up to what was asked at the open. */
static void rights_return(void **state)
{
	iopmem_stateid id;
	struct reply r;

	(void)state;
	need_root();
	assert_status(peer_open(&b, "f", R | W, &id), IOPMEM_OK);
	local_chmod("f", 0600);
	rig_await_log(&rig, "lost the right to read and write");
	assert_status(lease(&b, &id, IOPMEM_WIRE_READ, 0, &r), IOPMEM_ACCESS);
	assert_status(peer_chmod(&a, "f", 0666), IOPMEM_OK);
	assert_status(lease(&b, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	give_back(&b, &r);
	finish();
}

/* The raw form of POSIX ACLs in xattrs: version 2, then tag, permissions, id. */
struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};
struct acl {
	uint32_t version;
	struct acl_entry e[5];
};

/* An ACL counts as the mode does. */
static void local_acl_is_noticed(void **state)
{
	const struct acl acl = { 2, { { 1, 6, ~0U }, { 2, 6, OTHER_UID }, { 4, 0, ~0U },
				      { 0x10, 6, ~0U }, { 0x20, 0, ~0U } } };
	const char *name = "system.posix_acl_access";
	iopmem_stateid id;
	iopmem_event ev;
	char path[128];
	struct reply r;

	(void)state;
	need_root();
	rig_path(&rig, "f", path);
	if (setxattr(path, name, &acl, sizeof(acl), 0)) {
		print_message("SKIP: no ACLs in /tmp: %s\n", strerror(errno));
		skip();
	}
	assert_status(peer_open(&b, "f", R | W, &id), IOPMEM_OK);
	assert_status(lease(&b, &id, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	assert_int_equal(removexattr(path, name), 0);
	assert_true(peer_event(&b, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	give_back(&b, &r);
	assert_status(lease(&b, &id, IOPMEM_WIRE_READ, 0, &r), IOPMEM_ACCESS);
	finish();
}

/* So does the owner. */
static void local_chown_is_noticed(void **state)
{
	iopmem_stateid mine;
	iopmem_event ev;
	char path[128];
	struct reply r;

	(void)state;
	need_root();
	local_chmod("f", 0600);
	assert_status(peer_open(&a, "f", R | W, &mine), IOPMEM_OK);
	assert_status(lease(&a, &mine, IOPMEM_WIRE_RW, 0, &r), IOPMEM_OK);
	rig_path(&rig, "f", path);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_true(peer_event(&a, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	await(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a', 1) == -EACCES);
	assert_status(lease(&a, &mine, IOPMEM_WIRE_RW, 0, &r), IOPMEM_ACCESS);
	finish();
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(times),
		T(growth_moves_mtime),
		T(argument_laws),
		T(only_who_may),
		T(refused_change_recalls_nobody),
		T(chmod_recalls_and_fences),
		T(mode_changes_after_the_fence),
		T(local_chmod_is_noticed),
		T(rights_return),
		T(local_acl_is_noticed),
		T(local_chown_is_noticed),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("attr", tests, NULL, NULL);
}
