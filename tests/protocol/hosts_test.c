// SPDX-License-Identifier: BSD-3-Clause
/* Host rules of an export, from several addresses of the loopback network. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer_names.h"

#define R IOPMEM_ACCESS_READ
#define W IOPMEM_ACCESS_WRITE
#define RULES ",hosts=127.0.0.2:ro 127.0.0.3:no_root_squash 127.0.0.4/31:secure localhost:ro:all_squash"

static struct rig rig;

static int up(void **state)
{
	struct rig_opts o = { .export_opts = RULES };

	(void)state;
	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', PAGE);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

static void need_root(void)
{
	if (geteuid()) {
		print_message("SKIP: needs root, to be several users\n");
		skip();
	}
}

static void come_from(struct peer *p, const char *owner, uint32_t uid, const char *address,
		      uint16_t port)
{
	memset(p, 0, sizeof(*p));
	p->rig = &rig;
	strcpy(p->owner, owner);
	p->events.fd = -1;
	wire_open_from(&p->rpc, &rig, uid, address, port);
	assert_status(peer_exchange_id(p, 1), IOPMEM_OK);
}

static u_int list(struct peer *p)
{
	iopmem_readdir_args args = { { p->id, 0, 0 }, (char[]){ "d" }, (char[]){ "" }, 0, 8 };
	iopmem_readdir_res res = { 0 };
	u_int status;

	assert_int_equal(wire_call(&p->rpc, IOPMEM_PROC_READDIR, WIRE_XDR(xdr_iopmem_readdir_args),
				   &args, WIRE_XDR(xdr_iopmem_readdir_res), &res), 0);
	status = res.status;
	xdr_free(WIRE_XDR(xdr_iopmem_readdir_res), &res);
	return status;
}

static void strangers_see_nothing(void **state)
{
	iopmem_deviceinfo info;
	iopmem_statfs fs;
	struct peer p;

	(void)state;
	come_from(&p, "stranger", PEER_UID, "127.0.0.9", 0);
	assert_status(peer_lookup(&p, "f", NULL), IOPMEM_ACCESS);
	assert_status(peer_lookup(&p, "none", NULL), IOPMEM_ACCESS);
	assert_status(peer_open(&p, "f", R, NULL), IOPMEM_ACCESS);
	assert_status(peer_create(&p, "new", 0644, true, NULL), IOPMEM_ACCESS);
	assert_status(peer_mkdir(&p, "new"), IOPMEM_ACCESS);
	assert_status(peer_rename(&p, "f", "g", 0), IOPMEM_ACCESS);
	assert_status(peer_remove(&p, "f"), IOPMEM_ACCESS);
	assert_status(peer_chmod(&p, "f", 0777), IOPMEM_ACCESS);
	assert_status(peer_statfs(&p, "d", &fs), IOPMEM_ACCESS);
	assert_status(peer_deviceinfo(&p, "d", &info), IOPMEM_ACCESS);
	assert_status(list(&p), IOPMEM_ACCESS);
	assert_true(rig_logged(&rig, "127.0.0.9 matches none of its hosts"));
	peer_down(&p);
	rig_stop(&rig);
}

static void read_only_hosts(void **state)
{
	iopmem_deviceinfo info;
	iopmem_stateid id;
	iopmem_statfs fs;
	struct peer p;
	struct reply r;

	(void)state;
	come_from(&p, "reader", PEER_UID, "127.0.0.2", 0);
	assert_status(peer_deviceinfo(&p, "d", &info), IOPMEM_OK);
	assert_status(peer_statfs(&p, "d", &fs), IOPMEM_OK);
	assert_true(fs.read_only);
	assert_status(peer_open(&p, "f", R | W, NULL), IOPMEM_ROFS);
	assert_status(peer_create(&p, "new", 0644, true, NULL), IOPMEM_ROFS);
	assert_status(peer_mkdir(&p, "new"), IOPMEM_ROFS);
	assert_status(peer_remove(&p, "f"), IOPMEM_ROFS);
	assert_status(peer_rename(&p, "f", "g", 0), IOPMEM_ROFS);
	assert_status(peer_chmod(&p, "f", 0600), IOPMEM_ROFS);
	assert_status(peer_open(&p, "f", R, &id), IOPMEM_OK);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OPENMODE);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	assert_status(list(&p), IOPMEM_OK);
	peer_down(&p);
	rig_stop(&rig);
}

/* Names match what they resolve to, and each rule has a squash of its own. */
static void squash_by_host(void **state)
{
	iopmem_attr attr;
	struct peer p;

	(void)state;
	need_root();
	come_from(&p, "root", 0, "127.0.0.3", 0);
	assert_status(peer_create(&p, "by-root", 0600, true, NULL), IOPMEM_OK);
	assert_status(peer_lookup(&p, "by-root", &attr), IOPMEM_OK);
	assert_int_equal(attr.uid, 0);
	assert_status(peer_open(&p, "by-root", R, NULL), IOPMEM_OK);
	peer_down(&p);
	come_from(&p, "anybody", 0, "127.0.0.1", 0);
	assert_status(peer_open(&p, "by-root", R, NULL), IOPMEM_ACCESS);
	assert_status(peer_open(&p, "f", R, NULL), IOPMEM_OK);
	assert_status(peer_open(&p, "f", W, NULL), IOPMEM_ROFS);
	peer_down(&p);
	rig_stop(&rig);
}

static void secure_ports(void **state)
{
	struct peer p;

	(void)state;
	come_from(&p, "high", PEER_UID, "127.0.0.4", 0);
	assert_status(peer_lookup(&p, "f", NULL), IOPMEM_ACCESS);
	assert_true(rig_logged(&rig, "not below 1024"));
	peer_down(&p);
	need_root();
	come_from(&p, "low", PEER_UID, "127.0.0.5", 1001);
	assert_status(peer_lookup(&p, "f", NULL), IOPMEM_OK);
	assert_status(peer_create(&p, "new", 0644, true, NULL), IOPMEM_OK);
	peer_down(&p);
	rig_stop(&rig);
}

/* An open made from one host is no way in for another. */
static void a_client_that_moves(void **state)
{
	iopmem_stateid id;
	struct peer p;

	(void)state;
	come_from(&p, "mover", PEER_UID, "127.0.0.3", 0);
	assert_status(peer_open(&p, "f", R | W, &id), IOPMEM_OK);
	wire_close(&p.rpc);
	wire_open_from(&p.rpc, &rig, PEER_UID, "127.0.0.9", 0);
	assert_status(peer_getattr(&p, &id, &(iopmem_attr){ 0 }), IOPMEM_ACCESS);
	assert_status(peer_renew(&p), IOPMEM_ACCESS);
	wire_close(&p.rpc);
	wire_open_from(&p.rpc, &rig, PEER_UID, "127.0.0.2", 0);
	assert_status(peer_setsize(&p, &id, 0), IOPMEM_ROFS);
	wire_close(&p.rpc);
	wire_open_from(&p.rpc, &rig, PEER_UID, "127.0.0.3", 0);
	assert_status(peer_getattr(&p, &id, &(iopmem_attr){ 0 }), IOPMEM_OK);
	assert_int_equal(rig_size(&rig, "f"), PAGE);
	peer_down(&p);
	rig_stop(&rig);
}

/* ---- rules that change ---- */

static char conf[] = "/tmp/iopmem-hosts-XXXXXX";	/* a directory, with the file in it */
static char conf_file[64];

static void write_rules(const char *hosts)
{
	FILE *f = fopen(conf_file, "we");

	assert_non_null(f);
	fprintf(f, "[export d]\nhosts = %s\n", hosts);
	assert_int_equal(fclose(f), 0);
}

/* One fs thread: what it works on holds up what comes behind. */
static int up_reload(void **state)
{
	const char *const more[] = { "--config", conf_file, "--fs-threads", "1", NULL };
	struct rig_opts o = { .more = more };

	(void)state;
	strcpy(conf + strlen(conf) - 6, "XXXXXX");
	assert_non_null(mkdtemp(conf));
	snprintf(conf_file, sizeof(conf_file), "%s/iopmem.ini", conf);
	write_rules("127.0.0.0/8");
	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', PAGE);
	return 0;
}

static int down_reload(void **state)
{
	unlink(conf_file);
	rmdir(conf);
	return down(state);
}

/* An open of a host that may nothing any more is no way to ask or change, either. */
static void withdrawn_from_an_open(void **state)
{
	iopmem_setattr_args args;
	iopmem_stateid id;
	struct peer p;

	(void)state;
	come_from(&p, "outcast", PEER_UID, "127.0.0.3", 0);
	assert_status(peer_create(&p, "mine", 0600, true, &id), IOPMEM_OK);
	assert_status(peer_getattr(&p, &id, &(iopmem_attr){ 0 }), IOPMEM_OK);
	write_rules("192.0.2.1");
	assert_int_equal(kill(rig.pid, SIGHUP), 0);
	rig_await_log(&rig, "the configuration was read again, 1 option(s) changed");
	assert_status(peer_getattr(&p, &id, &(iopmem_attr){ 0 }), IOPMEM_ACCESS);
	args = peer_setattr_open(&p, &id, (iopmem_setattr){ .set = IOPMEM_SET_MODE, .mode = 0666 });
	assert_status(peer_setattr_with(&p, &args, NULL), IOPMEM_ACCESS);
	assert_status(peer_close(&p, &id), IOPMEM_OK);
	peer_down(&p);
	rig_stop(&rig);
}

/* An OPEN that was let in by the old rules and is under way when the new ones come. */
static void withdrawn_from_an_open_in_progress(void **state)
{
	iopmem_open_res res = { 0 };
	iopmem_open_args args;
	struct peer p, other;
	int fifo = -1;

	(void)state;
	come_from(&p, "opener", PEER_UID, "127.0.0.3", 0);
	come_from(&other, "other", PEER_UID, "127.0.0.2", 0);
	assert_int_equal(unlink(conf_file), 0);
	assert_int_equal(mkfifo(conf_file, 0600), 0);
	assert_int_equal(kill(rig.pid, SIGHUP), 0);
	await((fifo = open(conf_file, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
	args = (iopmem_open_args){ .seq = peer_seq(&p, 0), .export_name = (char[]){ "d" },
				   .path = (char[]){ "f" }, .access = R | W };
	assert_int_equal(wire_send(&p.rpc, IOPMEM_PROC_OPEN, WIRE_XDR(xdr_iopmem_open_args), &args), 0);
	/* The second answer is of a round in which the OPEN had its turn. */
	assert_status(peer_renew(&other), IOPMEM_OK);
	assert_status(peer_renew(&other), IOPMEM_OK);
	assert_int_equal(wire_recv(&p.rpc, NULL, NULL, 50), -ETIMEDOUT);
	assert_true(dprintf(fifo, "[export d]\nhosts = 127.0.0.3:ro 127.0.0.0/8\n") > 0);
	close(fifo);
	assert_int_equal(wire_recv(&p.rpc, WIRE_XDR(xdr_iopmem_open_res), &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_ACCESS);
	xdr_free(WIRE_XDR(xdr_iopmem_open_res), &res);
	assert_status(peer_open(&other, "f", R | W, NULL), IOPMEM_OK);
	peer_down(&other);
	peer_down(&p);
	rig_stop(&rig);
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
#define RELOAD(fn) cmocka_unit_test_setup_teardown(fn, up_reload, down_reload)
	const struct CMUnitTest tests[] = {
		T(strangers_see_nothing),
		T(read_only_hosts),
		T(squash_by_host),
		T(secure_ports),
		T(a_client_that_moves),
		RELOAD(withdrawn_from_an_open),
		RELOAD(withdrawn_from_an_open_in_progress),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
