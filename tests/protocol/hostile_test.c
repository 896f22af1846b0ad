// SPDX-License-Identifier: BSD-3-Clause
/* Peers that break the rules: they lose their connection, nobody else notices (I20, T19). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

static struct rig rig;

/* Time stands still: nothing below is settled by a timer. */
static const struct rig_opts held = { .held = true };

static int up(void **state)
{
	(void)state;
	rig_up(&rig, &held);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

/* What svc errors look like to wire_recv(). */
enum { PROG_UNAVAIL_ = 1, PROG_MISMATCH_, PROC_UNAVAIL_, GARBAGE_ARGS_ };

struct raw {
	const void *data;
	u_int len;
};

static bool_t xdr_raw(XDR *xdrs, struct raw *raw)
{
	return xdr_opaque(xdrs, (char *)(uintptr_t)raw->data, raw->len);
}

static int call_raw(struct wire *rpc, uint32_t proc, const void *data, u_int len)
{
	struct raw raw = { data, len };

	return wire_call(rpc, proc, WIRE_XDR(xdr_raw), &raw, NULL, NULL);
}

/*
 * An honest client gets twenty answers.  That nobody stalls it is a matter of order: the
 * others are then still where they were.
 */
static void assert_served(struct peer *p)
{
	int i;

	for (i = 0; i < 20; i++)
		assert_status(peer_renew(p), IOPMEM_OK);
}

/* A call whose record stops after @cut bytes. */
struct half {
	struct wire rpc;
	char buf[256];
	size_t cut, len;
};

static void half_begin(struct half *h, size_t cut)
{
	wire_open(&h->rpc, &rig, PEER_UID);
	h->cut = cut;
	h->len = wire_encode(&h->rpc, wire_head(IOPMEM_PROC_NULL), NULL, NULL, h->buf,
			     sizeof(h->buf));
	assert_int_equal(wire_send_bytes(&h->rpc, h->buf, cut), 0);
}

/* Nobody has given it up meanwhile: the rest of it makes the answer. */
static void half_finish(struct half *h)
{
	assert_true(wire_is_quiet(&h->rpc));
	assert_int_equal(wire_send_bytes(&h->rpc, h->buf + h->cut, h->len - h->cut), 0);
	assert_int_equal(wire_recv(&h->rpc, NULL, NULL, RIG_PATIENCE_MS), 0);
	wire_close(&h->rpc);
}

static void half_a_record_stalls_nobody(void **state)
{
	static const size_t cuts[] = { 1, 4, 6 };
	struct half half[3], gone;
	struct peer honest;
	struct wire two;
	size_t i;

	(void)state;
	peer_up(&honest, &rig, "honest");
	for (i = 0; i < 3; i++) {
		half_begin(&half[i], cuts[i]);
		assert_served(&honest);
	}
	/* The first fragment of two, the second never comes. */
	wire_open(&two, &rig, PEER_UID);
	assert_int_equal(wire_send_bytes(&two, "\0\0\0\4\1\2\3\4", 8), 0);
	assert_served(&honest);
	half_begin(&gone, 6);
	wire_close(&gone.rpc);
	assert_served(&honest);
	for (i = 0; i < 3; i++)
		half_finish(&half[i]);
	wire_close(&two);
	assert_served(&honest);
	peer_down(&honest);
	rig_stop(&rig);
}

/* A record that comes byte by byte is a record all the same. */
static void slow_record_is_served(void **state)
{
	struct wire rpc;
	char buf[256];
	size_t len, i;

	(void)state;
	wire_open(&rpc, &rig, PEER_UID);
	len = wire_encode(&rpc, wire_head(IOPMEM_PROC_NULL), NULL, NULL, buf, sizeof(buf));
	for (i = 0; i < len; i++) {
		assert_int_equal(wire_send_bytes(&rpc, buf + i, 1), 0);
		nap(1);
	}
	assert_int_equal(wire_recv(&rpc, NULL, NULL, RIG_PATIENCE_MS), 0);
	wire_close(&rpc);
	rig_stop(&rig);
}

static void truncated_arguments(void **state)
{
	char args[512];
	struct peer honest;
	struct wire rpc;
	uint32_t proc;
	u_int len;
	int rc;

	(void)state;
	peer_up(&honest, &rig, "honest");
	memset(args, 0, sizeof(args));
	wire_open(&rpc, &rig, PEER_UID);
	for (proc = IOPMEM_PROC_EXCHANGE_ID; proc <= IOPMEM_PROC_EVENT_WAIT; proc++) {
		for (len = 0; len < 8; len += 4) {	/* all need 12 bytes or more */
			rc = call_raw(&rpc, proc, args, len);
			if (rc == -ECONNRESET) {
				wire_close(&rpc);
				wire_open(&rpc, &rig, PEER_UID);
			} else if (proc == IOPMEM_PROC_RENEW ||
				   proc == IOPMEM_PROC_DESTROY_CLIENTID) {
				assert_int_equal(rc, GARBAGE_ARGS_);	/* need 8 */
			} else {
				assert_int_equal(rc, GARBAGE_ARGS_);
			}
		}
	}
	wire_close(&rpc);
	assert_served(&honest);
	peer_down(&honest);
	rig_stop(&rig);
}

/* Every prefix of good LAYOUTCOMMIT and LAYOUTRETURN arguments: arrays inside. */
static void truncated_arrays(void **state)
{
	iopmem_wire_range ranges[2] = { { 0, PAGE }, { PAGE, PAGE } };
	iopmem_layoutcommit_args args = { .commit = { { 2, ranges }, 0 } };
	char buf[256];
	struct wire rpc;
	u_int len, cut;
	XDR xdrs;

	(void)state;
	xdrmem_create(&xdrs, buf, sizeof(buf), XDR_ENCODE);
	assert_true(xdr_iopmem_layoutcommit_args(&xdrs, &args));
	len = xdr_getpos(&xdrs);
	wire_open(&rpc, &rig, PEER_UID);
	for (cut = 0; cut < len; cut += 4)
		assert_int_equal(call_raw(&rpc, IOPMEM_PROC_LAYOUTCOMMIT, buf, cut),
				 GARBAGE_ARGS_);
	assert_int_equal(call_raw(&rpc, IOPMEM_PROC_LAYOUTCOMMIT, buf, len), 0);
	wire_close(&rpc);
	rig_stop(&rig);
}

static void absurd_counts(void **state)
{
	static const uint32_t counts[] = { 257, 4097, 65536, 0x40000000, 0x7fffffff,
					   0x80000000, 0xfffffffc, 0xffffffff };
	struct peer honest;
	struct wire rpc;
	uint32_t words[64];
	size_t i;

	(void)state;
	peer_up(&honest, &rig, "honest");
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		wire_open(&rpc, &rig, PEER_UID);
		memset(words, 0, sizeof(words));
		words[0] = htonl(counts[i]);		/* EXCHANGE_ID: owner */
		assert_int_equal(call_raw(&rpc, IOPMEM_PROC_EXCHANGE_ID, words, sizeof(words)),
				 GARBAGE_ARGS_);
		memset(words, 0, sizeof(words));
		words[4] = htonl(counts[i]);		/* LOOKUP: export name */
		assert_int_equal(call_raw(&rpc, IOPMEM_PROC_LOOKUP, words, sizeof(words)),
				 GARBAGE_ARGS_);
		words[4] = 0;
		words[5] = htonl(counts[i]);		/* LOOKUP: path */
		assert_int_equal(call_raw(&rpc, IOPMEM_PROC_LOOKUP, words, sizeof(words)),
				 GARBAGE_ARGS_);
		memset(words, 0, sizeof(words));
		words[8] = htonl(counts[i]);		/* LAYOUTCOMMIT: ranges */
		assert_int_equal(call_raw(&rpc, IOPMEM_PROC_LAYOUTCOMMIT, words, sizeof(words)),
				 GARBAGE_ARGS_);
		wire_close(&rpc);
	}
	assert_served(&honest);
	peer_down(&honest);
	rig_stop(&rig);
}

static void oversized_records(void **state)
{
	/* 64 KiB + 4, 2 GiB - 1, an empty fragment; then a sum that is too large */
	static const uint32_t marks[] = { 0x80010004, 0xffffffff, 0x80000000, 0x00000000 };
	struct peer honest;
	struct wire rpc;
	char *fragment;
	uint32_t mark;
	size_t i;

	(void)state;
	peer_up(&honest, &rig, "honest");
	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		mark = htonl(marks[i]);
		wire_open(&rpc, &rig, PEER_UID);
		assert_int_equal(wire_send_bytes(&rpc, &mark, 4), 0);
		wire_send_bytes(&rpc, "\0\0\0\0\0\0\0\0", 8);
		wire_await_close(&rpc);
		wire_close(&rpc);
		assert_served(&honest);
	}
	fragment = calloc(1, 40000);
	assert_non_null(fragment);
	mark = htonl(40000 - 4);
	memcpy(fragment, &mark, 4);
	wire_open(&rpc, &rig, PEER_UID);
	for (i = 0; i < 4; i++)
		wire_send_bytes(&rpc, fragment, 40000);
	free(fragment);
	wire_await_close(&rpc);
	wire_close(&rpc);
	assert_served(&honest);
	peer_down(&honest);
	rig_stop(&rig);
}

static int call_head(struct wire *rpc, struct wire_head head)
{
	char buf[256], args[64] = { 0 };
	struct raw raw = { args, sizeof(args) };
	size_t len = wire_encode(rpc, head, WIRE_XDR(xdr_raw), &raw, buf, sizeof(buf));

	assert_int_equal(wire_send_bytes(rpc, buf, len), 0);
	return wire_recv(rpc, NULL, NULL, RIG_PATIENCE_MS);
}

static void unknown_calls(void **state)
{
	struct wire_head head;
	struct peer honest;
	uint32_t flavor;
	struct wire rpc;
	int rc;

	(void)state;
	peer_up(&honest, &rig, "honest");
	wire_open(&rpc, &rig, PEER_UID);
	assert_int_equal(call_head(&rpc, wire_head(IOPMEM_PROC_EVENT_WAIT + 1)), PROC_UNAVAIL_);
	assert_int_equal(call_head(&rpc, wire_head(0xffffffff)), PROC_UNAVAIL_);
	head = wire_head(IOPMEM_PROC_RENEW);
	head.vers = 2;
	assert_int_equal(call_head(&rpc, head), PROG_MISMATCH_);
	head.vers = IOPMEM_V1;
	head.prog++;
	assert_int_equal(call_head(&rpc, head), PROG_UNAVAIL_);
	head = wire_head(IOPMEM_PROC_RENEW);
	head.flavor = AUTH_NONE;
	assert_int_equal(call_head(&rpc, head), 100 + AUTH_TOOWEAK);
	assert_int_equal(wire_null(&rpc, RIG_PATIENCE_MS), 0);	/* the same connection lives */
	wire_close(&rpc);
	/* Flavors libtirpc may know, with a body that is none of theirs. */
	for (flavor = 2; flavor <= 7; flavor++) {
		head.flavor = flavor;
		wire_open(&rpc, &rig, PEER_UID);
		rc = call_head(&rpc, head);
		assert_true(rc >= 100 || rc == -ECONNRESET);
		wire_close(&rpc);
		assert_served(&honest);
	}
	peer_down(&honest);
	rig_stop(&rig);
}

/* Bytes that look like records: seeded, so that a failure can be repeated. */
static void random_records(void **state)
{
	unsigned int seed = getenv("SEED") ? (unsigned int)atoi(getenv("SEED")) :
			    getenv("IOPMEM_LONG") ? (unsigned int)time(NULL) : 20490;
	struct peer honest;
	int i;

	(void)state;
	print_message("SEED=%u\n", seed);
	srandom(seed);
	peer_up(&honest, &rig, "honest");
	for (i = 0; i < 2000; i++) {
		u_int len = (u_int)(random() % 200) & ~3U;
		struct wire rpc;
		char args[200];
		u_int j;

		for (j = 0; j < len; j++)
			args[j] = random() % 3 ? 0 : (char)random();
		if (len >= 8 && random() % 2)	/* half of them know a client id */
			for (j = 0; j < 8; j++)
				args[j] = (char)(honest.id >> (56 - 8 * j));
		wire_open(&rpc, &rig, PEER_UID);
		struct raw raw = { args, len };
		uint32_t proc = (uint32_t)(random() % 18);

		if (proc == IOPMEM_PROC_DESTROY_CLIENTID)
			proc = IOPMEM_PROC_OPEN;
		wire_send(&rpc, proc, WIRE_XDR(xdr_raw), &raw);
		if (random() % 2)
			wire_recv(&rpc, NULL, NULL, proc == IOPMEM_PROC_EVENT_WAIT ? 1 : 1000);
		wire_close(&rpc);
	}
	assert_served(&honest);
	peer_down(&honest);
	rig_stop(&rig);
}

/*
 * A second call while one is in progress: it waits, or the connection goes.  The
 * parked call must not get the other's answer, and nobody else suffers.
 */
static void pipelined_calls(void **state)
{
	iopmem_client_args renew;
	iopmem_event_wait_res res;
	struct peer honest, p;
	char buf[512];
	size_t len;
	int rc;

	(void)state;
	peer_up(&honest, &rig, "honest");
	peer_up(&p, &rig, "pipeliner");
	renew.clientid = p.id;
	peer_event_park(&p, 60000);
	len = wire_encode(&p.events, wire_head(IOPMEM_PROC_RENEW), WIRE_XDR(xdr_iopmem_client_args),
			 &renew, buf, sizeof(buf));
	assert_int_equal(wire_send_bytes(&p.events, buf, len), 0);
	assert_served(&honest);
	wire_await_taken(&p.events, &rig);
	rig_step(&rig, 60001);
	p.events.xid--;		/* of the EVENT_WAIT, which is to be answered first */
	rc = peer_event_reply(&p, &res, RIG_PATIENCE_MS);
	if (!rc) {
		assert_status(res.status, IOPMEM_OK);
		p.events.xid++;
		assert_int_equal(wire_recv(&p.events, NULL, NULL, RIG_PATIENCE_MS), 0);
	} else {
		assert_int_equal(rc, -ECONNRESET);
	}

	/* Two in one segment. */
	peer_reconnect(&p);
	len = wire_encode(&p.rpc, wire_head(IOPMEM_PROC_RENEW), WIRE_XDR(xdr_iopmem_client_args),
			 &renew, buf, sizeof(buf));
	len += wire_encode(&p.rpc, wire_head(IOPMEM_PROC_RENEW), WIRE_XDR(xdr_iopmem_client_args),
			  &renew, buf + len, sizeof(buf) - len);
	assert_int_equal(wire_send_bytes(&p.rpc, buf, len), 0);
	p.rpc.xid--;
	rc = wire_recv(&p.rpc, NULL, NULL, RIG_PATIENCE_MS);
	p.rpc.xid++;
	if (!rc)
		rc = wire_recv(&p.rpc, NULL, NULL, RIG_PATIENCE_MS);
	assert_true(rc == 0 || rc == -ECONNRESET);
	assert_served(&honest);
	peer_drop(&p);
	peer_down(&honest);
	rig_stop(&rig);
}

/* READDIR replies pile up: the peer is dropped before write() would stall the loop. */
static void peer_that_never_reads(void **state)
{
	iopmem_readdir_args args = { .path = (char[]){ "" }, .export_name = (char[]){ "d" },
				     .count = IOPMEM_DIRENTS_MAX };
	uint64_t until = now_ms() + RIG_PATIENCE_MS;
	struct peer honest, p;
	int size = 4096, rc = 0, i;
	char name[32], buf[256];

	(void)state;
	for (i = 0; i < IOPMEM_DIRENTS_MAX; i++) {
		snprintf(name, sizeof(name), "a-long-enough-name-%d", i);
		rig_fill(&rig, name, 'x', 1);
	}
	peer_up(&honest, &rig, "honest");
	peer_up(&p, &rig, "deaf");
	peer_reconnect(&p);
	setsockopt(p.rpc.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	args.seq.clientid = p.id;
	while (!rig_logged(&rig, "does not read its replies")) {
		struct pollfd pfd = { .fd = p.rpc.fd, .events = POLLOUT };
		size_t len = wire_encode(&p.rpc, wire_head(IOPMEM_PROC_READDIR),
					WIRE_XDR(xdr_iopmem_readdir_args), &args, buf,
					sizeof(buf));

		assert_true(now_ms() < until);
		if (!rc && poll(&pfd, 1, 1) == 1)
			rc = wire_send_bytes(&p.rpc, buf, len);
		assert_served(&honest);
		/* a write() that stalled the loop until it gave up would end it without a word */
		pfd.events = POLLRDHUP;
		if (poll(&pfd, 1, 0) == 1)
			assert_true(rig_logged(&rig, "does not read its replies"));
	}
	assert_served(&honest);
	peer_drop(&p);
	peer_down(&honest);
	rig_stop(&rig);
}

static void connection_flood(void **state)
{
	struct rig_opts o = { .max_connections = 16, .held = true };
	uint64_t until = now_ms() + RIG_PATIENCE_MS;
	struct wire flood[64];
	struct peer honest, late;
	int i;

	(void)state;
	rig_stop(&rig);
	rig_start(&rig, &o);
	peer_up(&honest, &rig, "honest");
	for (i = 0; i < 64; i++)
		wire_open(&flood[i], &rig, PEER_UID);
	rig_await_log(&rig, "max-connections (16) reached");
	assert_served(&honest);
	wire_await_close(&flood[63]);	/* refused, not left hanging */
	for (i = 0; i < 64; i++)
		wire_close(&flood[i]);
	assert_served(&honest);
	/* There is room again; until the server has noticed it may refuse once more. */
	for (;;) {
		assert_true(now_ms() < until);
		peer_connect(&late, &rig, "late", PEER_UID);
		if (!wire_null(&late.rpc, RIG_PATIENCE_MS))
			break;
		peer_drop(&late);
		nap(10);
	}
	assert_status(peer_exchange_id(&late, 1), IOPMEM_OK);
	peer_down(&late);
	peer_down(&honest);
	rig_stop(&rig);
}

/* The connection goes while its call waits for somebody: SETSIZE, and EVENT_WAIT. */
static void closed_with_a_call_in_progress(void **state)
{
	iopmem_event_wait_res res;
	iopmem_setsize_args args;
	iopmem_stateid holder_id, id;
	struct peer holder, p;
	iopmem_event ev;
	struct reply r;

	(void)state;
	rig_fill(&rig, "f", 'o', 4 * PAGE);
	peer_up(&holder, &rig, "holder");
	peer_up(&p, &rig, "leaver");
	assert_status(peer_open(&holder, "f", 3, &holder_id), IOPMEM_OK);
	assert_status(peer_layoutget(&holder, &holder_id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_open(&p, "f", 3, &id), IOPMEM_OK);

	args = (iopmem_setsize_args){ peer_seq(&p, 1), id, PAGE };
	assert_int_equal(wire_send(&p.rpc, IOPMEM_PROC_SETSIZE,
				  WIRE_XDR(xdr_iopmem_setsize_args), &args), 0);
	assert_true(peer_event(&holder, &ev, RIG_PATIENCE_MS));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	peer_reconnect(&p);		/* closes; the call goes on */
	assert_served(&p);
	assert_int_equal(rig_size(&rig, "f"), 4 * PAGE);
	assert_status(peer_layoutreturn(&holder, &holder_id, 0, TO_END, &r), IOPMEM_OK);
	await(rig_size(&rig, "f") == PAGE);

	peer_event_park(&p, 3000);
	wire_await_taken(&p.events, &rig);
	assert_served(&p);
	assert_true(wire_is_quiet(&p.events));
	wire_close(&p.events);
	assert_served(&p);
	peer_event_park(&p, 3000);	/* and a new one is parked all right */
	wire_await_taken(&p.events, &rig);
	assert_true(wire_is_quiet(&p.events));
	rig_step(&rig, 3001);
	assert_int_equal(peer_event_reply(&p, &res, RIG_PATIENCE_MS), 0);
	assert_int_equal(res.iopmem_event_wait_res_u.ok.events.events_len, 0);
	peer_down(&p);
	peer_down(&holder);
	rig_stop(&rig);
}

/* A newer EVENT_WAIT takes the place of one whose connection only looks alive. */
static void second_event_wait(void **state)
{
	iopmem_event_wait_res res;
	struct peer p, again;

	(void)state;
	peer_up(&p, &rig, "waiter");
	peer_event_park(&p, 3000);
	wire_await_taken(&p.events, &rig);
	assert_served(&p);
	assert_true(wire_is_quiet(&p.events));
	again = p;
	again.events.fd = -1;
	peer_event_park(&again, 3000);
	assert_int_equal(peer_event_reply(&p, &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_event_wait_res_u.ok.events.events_len, 0);
	wire_close(&again.events);
	peer_down(&p);
	rig_stop(&rig);
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(half_a_record_stalls_nobody),
		T(slow_record_is_served),
		T(truncated_arguments),
		T(truncated_arrays),
		T(absurd_counts),
		T(oversized_records),
		T(unknown_calls),
		T(random_records),
		T(pipelined_calls),
		T(peer_that_never_reads),
		T(connection_flood),
		T(closed_with_a_call_in_progress),
		T(second_event_wait),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
