// SPDX-License-Identifier: BSD-3-Clause
/*
 * The probe before serving: NICs that do not reach the card, each in its way, with each step
 * failing.  Backing and fabric are fakes that count what is alive; the card is an array.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "export.h"
#include "probe.h"
#include "reach.h"

#define SIZE	65536U
#define GRANULE	4096U

enum nic {
	WORKS, LOSES_WRITES, WRONG_BYTE, WRITES_ELSEWHERE, READS_OLD, NEVER_DONE, REFUSED,
};

static struct server srv;
static struct export exports[2];
static enum nic nic;			/* of port 2, port 1 works */
static uint8_t card[SIZE], elsewhere[SIZE];
static bool by_fd;			/* the card is a file, nothing is mapped */
static FILE *card_file;
static const char *verdict;		/* of port 2 */
static int alive, steps, fail_at, fail_with, nr_ports, nr_connects, connected_to, nr_warnings;

static int may_fail(void)
{
	return ++steps == fail_at ? fail_with : 0;
}

static int step(struct iopmem_err *err, const char *what, int by)
{
	int rc = may_fail();

	if (rc)
		return err_msg(err, -rc, "%s failed", what);
	alive += by;
	return 0;
}

/* ---- backing ---- */

static int fake_file_open(struct backing_export *exp, int fd, void *cookie,
			  struct backing_file **file, struct iopmem_err *err)
{
	(void)exp;
	(void)fd;
	assert_null(cookie);
	*file = NULL;
	int rc = step(err, "open", 1);

	if (!rc)
		*file = (struct backing_file *)card;
	return rc;
}

static void fake_file_close(struct backing_file *file)
{
	assert_non_null(file);
	alive--;
}

static int fake_set_size(struct backing_file *file, uint64_t size, struct iopmem_err *err)
{
	(void)file;
	assert_int_equal(size, SIZE);
	return step(err, "size", 0);
}

static int fake_layout_open(struct backing_file *file, struct iopmem_err *err)
{
	(void)file;
	return step(err, "layout", 1);
}

static void fake_layout_close(struct backing_file *file)
{
	(void)file;
	alive--;
}

static int fake_map(struct backing_file *file, struct range range, enum backing_iomode mode,
		    struct backing_extent *ext, size_t *n, uint64_t *size,
		    struct iopmem_err *err)
{
	(void)file;
	assert_int_equal(mode, BACKING_RW);
	*ext = (struct backing_extent){ .range = range, .state = BACKING_RW_DATA };
	*n = 1;
	*size = SIZE;
	return step(err, "map", 1);
}

static int fake_unmap(struct backing_file *file, struct range range, struct iopmem_err *err)
{
	(void)file;
	(void)range;
	(void)err;
	alive--;
	return 0;
}

static int fake_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
			struct memsrc *src, struct iopmem_err *err)
{
	(void)file;
	(void)mode;
	*src = (struct memsrc){ by_fd ? NULL : card, by_fd ? fileno(card_file) : -1, 0,
				range_len(range), MEMSRC_PLAIN, -1 };
	return step(err, "memory", 1);
}

static void fake_mem_put(struct backing_file *file, struct memsrc *src)
{
	(void)file;
	(void)src;
	alive--;
}

static const struct backing_ops ops = {
	.file_open = fake_file_open, .file_close = fake_file_close, .set_size = fake_set_size,
	.layout_open = fake_layout_open, .layout_close = fake_layout_close, .map = fake_map,
	.unmap = fake_unmap, .mem_get = fake_mem_get, .mem_put = fake_mem_put,
};

bool reach_verdict(const char *path, const char *rdma, char *line, size_t size)
{
	(void)path;
	if (!verdict || strcmp(rdma, "nic2"))
		return false;
	snprintf(line, size, "%s", verdict);
	return true;
}

/* ---- fabric ---- */

int fabric_server_ports(const struct fabric_server *server, struct fabric_port *ports,
			size_t room, struct iopmem_err *err)
{
	int rc = step(err, "ports", 0);

	(void)server;
	assert_true(room >= 2);
	ports[0] = (struct fabric_port){ "nic1", 1, "10.0.0.1" };
	ports[1] = (struct fabric_port){ "nic2", 3, "10.0.0.2" };
	return rc ? rc : nr_ports;
}

int fabric_peer_new(struct fabric_server *server, uint64_t clientid, struct fabric_peer **peer,
		    struct iopmem_err *err)
{
	(void)server;
	assert_int_equal(clientid, PROBE_CLIENTID);
	int rc = step(err, "peer", 1);

	*peer = rc ? NULL : (struct fabric_peer *)card;
	return rc;
}

int fabric_peer_token(struct fabric_peer *peer, uint8_t token[FABRIC_TOKEN_SIZE])
{
	(void)peer;
	memset(token, 7, FABRIC_TOKEN_SIZE);
	return may_fail();
}

void fabric_peer_free(struct fabric_peer *peer)
{
	alive -= peer ? 1 : 0;
}

int fabric_connect(const struct fabric_conn_attr *attr, struct fabric_conn **conn,
		   struct iopmem_err *err)
{
	int rc = step(err, "connect", 1);

	assert_int_equal(attr->token[0], 7);
	nr_connects++;
	connected_to = strcmp(attr->address, "10.0.0.2") ? 1 : 2;
	if (!rc)
		*conn = (struct fabric_conn *)card;
	return rc;
}

void fabric_disconnect(struct fabric_conn *conn)
{
	(void)conn;
	alive--;
}

int fabric_mr_reg(struct fabric_peer *peer, const struct memsrc *src, uint32_t rights,
		  struct fabric_mr **mr, struct iopmem_err *err)
{
	(void)peer;
	assert_int_equal(src->length, SIZE);
	assert_int_equal(rights, FABRIC_READ | FABRIC_WRITE);
	int rc = step(err, "register", 1);

	if (!rc)
		*mr = (struct fabric_mr *)card;
	return rc;
}

int fabric_mr_dereg(struct fabric_mr *mr)
{
	int rc = may_fail();

	(void)mr;
	alive -= rc ? 0 : 1;
	return rc;
}

uint32_t fabric_mr_rkey(const struct fabric_mr *mr)
{
	(void)mr;
	return 42;
}

uint64_t fabric_mr_addr(const struct fabric_mr *mr)
{
	(void)mr;
	return 1 << 20;
}

int fabric_buf_reg(struct fabric_conn *conn, void *addr, size_t len, struct fabric_buf **buf,
		   struct iopmem_err *err)
{
	(void)conn;
	(void)addr;
	(void)len;
	int rc = step(err, "buffer", 1);

	if (!rc)
		*buf = (struct fabric_buf *)card;
	return rc;
}

void fabric_buf_dereg(struct fabric_buf *buf)
{
	(void)buf;
	alive--;
}

static void card_io(bool to_card, uint8_t *addr, size_t offset, size_t len)
{
	if (!by_fd) {
		memcpy(to_card ? card + offset : addr, to_card ? addr : card + offset, len);
		return;
	}
	fseek(card_file, (long)offset, SEEK_SET);
	if (to_card)
		assert_int_equal(fwrite(addr, 1, len, card_file), len);
	else
		assert_int_equal(fread(addr, 1, len, card_file), len);
	fflush(card_file);
}

static void move(enum nic what, enum fabric_op op, uint8_t *addr, size_t offset, size_t len)
{
	bool write = op == FABRIC_OP_WRITE;

	if (what == LOSES_WRITES && write)
		return;
	if (what == WRITES_ELSEWHERE || (what == READS_OLD && !write && len == SIZE)) {
		memcpy(write ? elsewhere + offset : addr, write ? addr : elsewhere + offset, len);
		return;
	}
	if (what == READS_OLD && write)
		memcpy(elsewhere + offset, addr, len);
	card_io(write, addr, offset, len);
	if (what == WRONG_BYTE && write)
		card[12345] ^= 1;
}

int fabric_post(struct fabric_conn *conn, enum fabric_op op, struct fabric_buf *buf, void *addr,
		uint32_t len, uint32_t rkey, uint64_t raddr, void *ctx)
{
	size_t offset = raddr - (1 << 20);
	int rc = may_fail();

	(void)conn;
	(void)buf;
	(void)ctx;
	assert_int_equal(rkey, 42);
	assert_true(offset + len <= SIZE && offset % GRANULE == 0 && len % GRANULE == 0);
	if (!rc)
		move(connected_to == 2 ? nic : WORKS, op, addr, offset, len);
	return rc;
}

int fabric_poll(struct fabric_conn *conn, struct fabric_wc *wc, int n, int timeout_ms)
{
	int rc = may_fail();

	(void)conn;
	assert_int_equal(n, 1);
	assert_in_range(timeout_ms, 1, 60000);
	wc->status = connected_to == 2 && nic == REFUSED ? -EACCES : 0;
	if (rc)
		return rc;
	return connected_to == 2 && nic == NEVER_DONE ? 0 : 1;
}

/* ---- tests ---- */

static void on_log(enum log_level level, const char *line, const struct log_about *about,
		   void *arg)
{
	(void)about;
	(void)arg;
	(void)line;
	nr_warnings += level == LOG_LEVEL_WARN;
}

static int up(void **state)
{
	(void)state;
	nic = WORKS;
	by_fd = false;
	verdict = NULL;
	alive = steps = fail_at = nr_connects = nr_warnings = 0;
	nr_ports = 2;
	memset(card, 0, sizeof(card));
	memset(elsewhere, 0, sizeof(elsewhere));
	memset(&srv.cfg, 0, sizeof(srv.cfg));
	srv.cfg.nr_exports = 2;
	srv.exports = exports;
	for (int i = 0; i < 2; i++) {
		snprintf(srv.cfg.exports[i].name, sizeof(srv.cfg.exports[i].name), "e%d", i);
		strcpy(srv.cfg.exports[i].path, "/tmp");
		exports[i] = (struct export){ .srv = &srv, .cfg = &srv.cfg.exports[i],
					      .ops = &ops, .info.granule = GRANULE };
	}
	log_set_sink(on_log, NULL);
	return 0;
}

static void every_port_and_export(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	assert_int_equal(probe_exports(&srv, &err), 0);
	assert_int_equal(nr_connects, 4);
	assert_int_equal(alive, 0);
	assert_int_equal(nr_warnings, 0);
	nr_ports = 0;
	assert_int_equal(probe_exports(&srv, &err), 0);
	assert_int_equal(nr_connects, 4);
}

static void without_a_mapping(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	by_fd = true;
	card_file = tmpfile();
	assert_non_null(card_file);
	assert_int_equal(probe_exports(&srv, &err), 0);
	assert_int_equal(alive, 0);
	nic = LOSES_WRITES;
	assert_int_equal(probe_exports(&srv, &err), -EREMOTEIO);
	fclose(card_file);
}

static void broken_nics(void **state)
{
	static const struct {
		enum nic nic;
		int rc;
		const char *says;
	} t[] = {
		{ LOSES_WRITES, -EREMOTEIO, "the NIC reads what it wrote into the card: " },
		{ WRONG_BYTE, -EREMOTEIO, "what the NIC wrote into the card: 1 of 65536 bytes are others, the first at 12345" },
		{ WRITES_ELSEWHERE, -EREMOTEIO, "the CPU reads what the NIC wrote into the card: " },
		{ READS_OLD, -EREMOTEIO, "the NIC reads what the CPU wrote into the card: " },
		{ NEVER_DONE, -ETIMEDOUT, "the NIC's write into the card is not done after 10 s" },
		{ REFUSED, -EACCES, "the NIC's write into the card fails: Permission denied" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct iopmem_err err = { 0 };

		up(state);
		nic = t[i].nic;
		assert_int_equal(probe_exports(&srv, &err), t[i].rc);
		print_message("%s\n", err.text);
		assert_non_null(strstr(err.text, "export 'e0': probe through nic2 port 3 (10.0.0.2): "));
		assert_non_null(strstr(err.text, t[i].says));
		assert_int_equal(alive, 0);
		/* warn: says so of each export, and serves; off: does not ask. */
		up(state);
		nic = t[i].nic;
		srv.cfg.probe = PROBE_WARN;
		assert_int_equal(probe_exports(&srv, &err), 0);
		assert_int_equal(nr_warnings, 2);
		assert_int_equal(alive, 0);
		srv.cfg.probe = PROBE_OFF;
		assert_int_equal(probe_exports(&srv, &err), 0);
		assert_int_equal(nr_connects, 4);
	}
}

/* Where requests would go somewhere else not one is made. */
static void bad_verdict(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	verdict = "bad 0000:04:00.0 nic2 blocked: the BAR has another address";
	assert_int_equal(probe_exports(&srv, &err), -EHOSTUNREACH);
	assert_non_null(strstr(err.text, verdict));
	assert_int_equal(connected_to, 1);
	verdict = "doubtful 0000:04:00.0 nic2 root-port: ask the probe";
	assert_int_equal(probe_exports(&srv, &err), 0);
}

/* Each step fails once: the error comes out, nothing is left. */
static void each_step(void **state)
{
	int n = 0, rc;

	do {
		struct iopmem_err err = { 0 };

		up(state);
		srv.cfg.nr_exports = 1;
		nr_ports = 1;
		fail_with = -EIO;
		fail_at = ++n;
		rc = probe_exports(&srv, &err);
		if (steps < fail_at)
			break;
		assert_int_equal(rc, -EIO);
		assert_true(err.text[0]);
		/* A NIC that keeps the memory: memory, region, peer, layout and file stay. */
		assert_true(!alive || alive == 6);
	} while (n < 100);
	assert_int_equal(rc, 0);
	assert_int_equal(n - 1, 18);
}

/* A full disk says nothing about the NIC. */
static void no_room(void **state)
{
	static const int codes[] = { -ENOSPC, -EDQUOT, -EROFS };

	for (int i = 0; i < 3; i++) {
		struct iopmem_err err = { 0 };

		up(state);
		fail_with = codes[i];
		fail_at = 2;
		assert_int_equal(probe_exports(&srv, &err), 0);
		assert_int_equal(nr_warnings, 1);
		assert_int_equal(alive, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_port_and_export, up),
		cmocka_unit_test_setup(without_a_mapping, up),
		cmocka_unit_test_setup(broken_nics, up),
		cmocka_unit_test_setup(bad_verdict, up),
		cmocka_unit_test_setup(each_step, up),
		cmocka_unit_test_setup(no_room, up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
