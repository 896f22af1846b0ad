// SPDX-License-Identifier: BSD-3-Clause
/* Exactly once: I16, T19. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

static struct rig rig;

static int up(void **state)
{
	(void)state;
	rig_up(&rig, NULL);
	rig_fill(&rig, "f", 'o', 8 * PAGE);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

struct answer {
	char bytes[2048];
	size_t len;
};

static void ask(struct peer *p, uint32_t proc, xdrproc_t xdr, const void *args,
		struct answer *a)
{
	assert_int_equal(wire_send(&p->rpc, proc, xdr, args), 0);
	a->len = wire_recv_bytes(&p->rpc, a->bytes, sizeof(a->bytes));
}

/* The same call three times: twice on one connection, once after it broke. */
static void assert_once_as(struct peer *p, uint32_t proc, xdrproc_t xdr, const void *args,
			   u_int want)
{
	struct answer first, again;
	uint32_t status;

	ask(p, proc, xdr, args, &first);
	/* behind xid: REPLY, accepted, verifier, SUCCESS */
	memcpy(&status, first.bytes + 20, sizeof(status));
	assert_status(ntohl(status), want);
	ask(p, proc, xdr, args, &again);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.bytes, again.bytes, first.len);
	peer_reconnect(p);
	ask(p, proc, xdr, args, &again);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.bytes, again.bytes, first.len);
}

static void assert_once(struct peer *p, uint32_t proc, xdrproc_t xdr, const void *args)
{
	assert_once_as(p, proc, xdr, args, IOPMEM_OK);
}

static void T19_retransmitted_layoutget(void **state)
{
	iopmem_layoutget_args args;
	iopmem_stateid open_id, id;
	struct reply r;
	struct peer p;
	uint32_t rkey;

	(void)state;
	peer_up(&p, &rig, "client");
	assert_status(peer_open(&p, "f", 3, &open_id), IOPMEM_OK);
	args = peer_get_args(&p, &open_id, IOPMEM_WIRE_RW, 0, PAGE);
	assert_once(&p, IOPMEM_PROC_LAYOUTGET, WIRE_XDR(xdr_iopmem_layoutget_args), &args);
	peer_layoutget_with(&p, &args, &r);		/* once more, decoded */
	assert_status(r.status, IOPMEM_OK);
	assert_int_equal(r.stateid.seqid, 1);
	id = r.stateid;
	rkey = r.seg[0].rkey;
	/* one grant, one key, one bump */
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(id.seqid, 2);
	assert_int_not_equal(r.seg[0].rkey, rkey);
	assert_int_equal(peer_write(&p, rkey, 0, 'a', 16), 0);
	peer_down(&p);
	rig_stop(&rig);
}

static void T19_retransmitted_layoutreturn(void **state)
{
	iopmem_layoutreturn_args args;
	iopmem_stateid id;
	struct reply r;
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "client");
	assert_status(peer_open(&p, "f", 3, &id), IOPMEM_OK);
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, 4 * PAGE, &r), IOPMEM_OK);
	args = peer_return_args(&p, &id, 0, PAGE);
	assert_once(&p, IOPMEM_PROC_LAYOUTRETURN, WIRE_XDR(xdr_iopmem_layoutreturn_args), &args);
	peer_layoutreturn_with(&p, &args, &r);
	assert_status(r.status, IOPMEM_OK);
	assert_int_equal(r.stateid.seqid, 2);
	assert_int_equal(r.n, 1);
	/* the replacement is what the first answer said: nothing was replaced twice */
	assert_int_equal(peer_write(&p, r.seg[0].rkey, peer_raddr(&r.seg[0], PAGE), 'a', 16), 0);
	id = r.stateid;
	/* a last return, repeated, is no BAD_STATEID */
	args = peer_return_args(&p, &id, 0, TO_END);
	assert_once(&p, IOPMEM_PROC_LAYOUTRETURN, WIRE_XDR(xdr_iopmem_layoutreturn_args), &args);
	peer_down(&p);
	rig_stop(&rig);
}

static void T19_retransmitted_layoutcommit(void **state)
{
	iopmem_wire_range range = { 8 * PAGE, PAGE };
	iopmem_layoutcommit_args args;
	iopmem_stateid open_id, id;
	iopmem_attr attr;
	struct reply r;
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "client");
	assert_status(peer_open(&p, "f", 3, &open_id), IOPMEM_OK);
	id = open_id;
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 8 * PAGE, 4 * PAGE, &r), IOPMEM_OK);
	args = (iopmem_layoutcommit_args){ peer_seq(&p, 3), id, { { 1, &range }, 9 * PAGE } };
	assert_once(&p, IOPMEM_PROC_LAYOUTCOMMIT, WIRE_XDR(xdr_iopmem_layoutcommit_args), &args);
	assert_status(peer_commit(&p, &id, 9 * PAGE, PAGE, 10 * PAGE, NULL), IOPMEM_OK);
	/* a late repetition on its own slot answers as it did then */
	assert_once(&p, IOPMEM_PROC_LAYOUTCOMMIT, WIRE_XDR(xdr_iopmem_layoutcommit_args), &args);
	assert_status(peer_getattr(&p, &open_id, &attr), IOPMEM_OK);
	assert_int_equal(attr.size, 10 * PAGE);
	peer_down(&p);
	rig_stop(&rig);
}

static void T19_retransmitted_create_and_remove(void **state)
{
	iopmem_create_args create;
	iopmem_path_args rem;
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "client");
	create = (iopmem_create_args){ peer_seq(&p, 5), (char[]){ "d" }, (char[]){ "new" }, 3,
				       0644, TRUE };
	assert_once(&p, IOPMEM_PROC_CREATE, WIRE_XDR(xdr_iopmem_create_args), &create);
	rem = (iopmem_path_args){ peer_seq(&p, 6), (char[]){ "d" }, (char[]){ "new" } };
	assert_once(&p, IOPMEM_PROC_REMOVE, WIRE_XDR(xdr_iopmem_path_args), &rem);
	/* failures are remembered as well */
	rem.seq = peer_seq(&p, 6);
	assert_once_as(&p, IOPMEM_PROC_REMOVE, WIRE_XDR(xdr_iopmem_path_args), &rem,
		       IOPMEM_NOENT);
	assert_status(peer_lookup(&p, "new", NULL), IOPMEM_NOENT);
	peer_down(&p);
	rig_stop(&rig);
}

static u_int mkdir_with(struct peer *p, uint32_t slot, uint32_t sequence)
{
	iopmem_mkdir_args args = { { p->id, slot, sequence }, (char[]){ "d" },
				   (char[]){ "dir" }, 0755 };
	iopmem_attr_res res = { 0 };

	assert_int_equal(wire_call(&p->rpc, IOPMEM_PROC_MKDIR,
				   WIRE_XDR(xdr_iopmem_mkdir_args), &args,
				   WIRE_XDR(xdr_iopmem_attr_res), &res), 0);
	return res.status;
}

static void misordered(void **state)
{
	struct peer p;

	(void)state;
	peer_up(&p, &rig, "client");
	assert_status(mkdir_with(&p, 2, 0), IOPMEM_SEQ_MISORDERED);	/* nothing to repeat */
	assert_status(mkdir_with(&p, 2, 2), IOPMEM_SEQ_MISORDERED);
	assert_status(mkdir_with(&p, 2, 0xffffffff), IOPMEM_SEQ_MISORDERED);
	assert_status(mkdir_with(&p, PEER_SLOTS, 1), IOPMEM_BADSLOT);
	assert_status(mkdir_with(&p, 0xffffffff, 1), IOPMEM_BADSLOT);
	assert_status(peer_lookup(&p, "dir", NULL), IOPMEM_NOENT);	/* none was executed */
	assert_status(mkdir_with(&p, 2, 1), IOPMEM_OK);
	assert_status(mkdir_with(&p, 2, 1), IOPMEM_OK);			/* repeated */
	assert_status(mkdir_with(&p, 2, 3), IOPMEM_SEQ_MISORDERED);
	assert_status(mkdir_with(&p, 2, 2), IOPMEM_EXIST);		/* executed */
	assert_status(mkdir_with(&p, 2, 1), IOPMEM_SEQ_MISORDERED);
	assert_status(mkdir_with(&p, 3, 1), IOPMEM_EXIST);		/* slots are separate */
	assert_status(mkdir_with(&p, PEER_SLOTS - 1, 1), IOPMEM_EXIST);
	peer_down(&p);
	rig_stop(&rig);
}

/* The first is still waiting for another client: it is not executed beside itself. */
static void retransmitted_while_in_progress(void **state)
{
	iopmem_setsize_args args;
	iopmem_attr_res res = { 0 };
	struct peer holder, p, again;
	iopmem_stateid holder_id, id;
	struct reply r;

	(void)state;
	peer_up(&holder, &rig, "holder");
	peer_up(&p, &rig, "client");
	assert_status(peer_open(&holder, "f", 3, &holder_id), IOPMEM_OK);
	assert_status(peer_layoutget(&holder, &holder_id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_open(&p, "f", 3, &id), IOPMEM_OK);
	args = (iopmem_setsize_args){ peer_seq(&p, 1), id, PAGE };
	assert_int_equal(wire_send(&p.rpc, IOPMEM_PROC_SETSIZE,
				   WIRE_XDR(xdr_iopmem_setsize_args), &args), 0);
	rig_await_log(&rig, "size change by a client");
	again = p;
	wire_open(&again.rpc, &rig, PEER_UID);
	assert_int_equal(wire_call(&again.rpc, IOPMEM_PROC_SETSIZE,
				   WIRE_XDR(xdr_iopmem_setsize_args), &args,
				   WIRE_XDR(xdr_iopmem_attr_res), &res), 0);
	assert_status(res.status, IOPMEM_DELAY);
	assert_status(peer_layoutreturn(&holder, &holder_id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(wire_recv(&p.rpc, WIRE_XDR(xdr_iopmem_attr_res), &res,
				   RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	/* now the repetition gets that answer */
	assert_int_equal(wire_call(&again.rpc, IOPMEM_PROC_SETSIZE,
				   WIRE_XDR(xdr_iopmem_setsize_args), &args,
				   WIRE_XDR(xdr_iopmem_attr_res), &res), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_attr_res_u.attr.size, PAGE);
	wire_close(&again.rpc);
	peer_down(&p);
	peer_down(&holder);
	rig_stop(&rig);
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(T19_retransmitted_layoutget),
		T(T19_retransmitted_layoutreturn),
		T(T19_retransmitted_layoutcommit),
		T(T19_retransmitted_create_and_remove),
		T(misordered),
		T(retransmitted_while_in_progress),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
