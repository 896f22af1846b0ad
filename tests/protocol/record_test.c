// SPDX-License-Identifier: BSD-3-Clause
/* RPC records as a peer may well send them: in pieces, in fragments, several at once. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "peer.h"

static struct rig rig;
static struct peer p;

static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	peer_up(&p, &rig, "p");
	return 0;
}

static int down(void **state)
{
	(void)state;
	peer_drop(&p);
	rig_down(&rig);
	return 0;
}

static size_t renew(char *buf, size_t size)
{
	iopmem_client_args args = { p.id };

	return wire_encode(&p.rpc, wire_head(IOPMEM_PROC_RENEW), WIRE_XDR(xdr_iopmem_client_args),
			   &args, buf, size);
}

static void take_status(u_int want)
{
	iopmem_status_res res = { 0 };

	assert_int_equal(wire_recv(&p.rpc, WIRE_XDR(xdr_iopmem_status_res), &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, want);
}

/* Fragments of 1, 2, 3... bytes, the last one marked. */
static void fragments_are_one_record(void **state)
{
	char record[256], out[4096];
	size_t len = renew(record, sizeof(record)) - 4, at = 0, n = 0, size = 1;
	uint32_t mark;

	(void)state;
	while (at < len) {
		size_t part = size < len - at ? size : len - at;

		mark = htonl((uint32_t)part | (at + part == len ? 0x80000000U : 0));
		memcpy(out + n, &mark, 4);
		memcpy(out + n + 4, record + 4 + at, part);
		n += 4 + part;
		at += part;
		size++;
	}
	assert_int_equal(wire_send_bytes(&p.rpc, out, n), 0);
	take_status(IOPMEM_OK);
	/* and the same with another one behind it, byte by byte */
	n += renew(out + n, sizeof(out) - n);
	for (at = 0; at < n; at++)
		assert_int_equal(wire_send_bytes(&p.rpc, out + at, 1), 0);
	p.rpc.xid--;
	take_status(IOPMEM_OK);
	p.rpc.xid++;
	take_status(IOPMEM_OK);
	peer_down(&p);
	rig_stop(&rig);
}

/* What comes behind a call that takes its time is answered after it, in order. */
static void calls_behind_a_parked_one_wait(void **state)
{
	iopmem_event_wait_args wait = { p.id, 0, 300 };
	iopmem_event_wait_res res = { 0 };
	uint32_t first;
	char buf[8192];
	size_t n;
	int i;

	(void)state;
	n = wire_encode(&p.rpc, wire_head(IOPMEM_PROC_EVENT_WAIT),
			WIRE_XDR(xdr_iopmem_event_wait_args), &wait, buf, sizeof(buf));
	first = p.rpc.xid;
	for (i = 0; i < 50; i++)
		n += renew(buf + n, sizeof(buf) - n);
	assert_int_equal(wire_send_bytes(&p.rpc, buf, n), 0);
	p.rpc.xid = first;
	assert_int_equal(wire_recv(&p.rpc, WIRE_XDR(xdr_iopmem_event_wait_res), &res,
				   RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	for (i = 0; i < 50; i++) {
		p.rpc.xid++;
		take_status(IOPMEM_OK);
	}
	peer_down(&p);
	rig_stop(&rig);
}

/* 64 KiB is a record, in one fragment or in many; what is in it is another matter. */
static void the_longest_record(void **state)
{
	static char buf[4 + 64 * 1024];
	uint32_t mark = htonl(0x80000000U | 64 * 1024);
	size_t len = renew(buf, sizeof(buf));

	(void)state;
	assert_true(len < sizeof(buf));
	memcpy(buf, &mark, 4);
	assert_int_equal(wire_send_bytes(&p.rpc, buf, sizeof(buf)), 0);
	take_status(IOPMEM_OK);		/* bytes behind the arguments are nobody's */
	peer_down(&p);
	rig_stop(&rig);
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(fragments_are_one_record),
		T(calls_behind_a_parked_one_wait),
		T(the_longest_record),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
