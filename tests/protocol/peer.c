// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

void assert_status_at(u_int got, u_int want, const char *what, const char *file, int line)
{
	if (got == want)
		return;
	print_error("%s:%d: %s is %s (%u), not %s\n", file, line, what, status_name(got), got,
		    status_name(want));
	_fail(file, line);
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;	/* rpcgen knows no const */
}

static void call(struct peer *p, uint32_t proc, void *xdr_args, const void *args,
		 void *xdr_res, void *res)
{
	assert_int_equal(wire_call(&p->rpc, proc, (xdrproc_t)xdr_args, args,
				  (xdrproc_t)xdr_res, res), 0);
}

#define CALL_OP(p, PROC, ARGS, args, RES, res) \
	call(p, IOPMEM_PROC_##PROC, (void *)xdr_iopmem_##ARGS##_args, args, \
	     (void *)xdr_iopmem_##RES##_res, res)

void peer_connect(struct peer *p, struct rig *rig, const char *owner, uint32_t uid)
{
	memset(p, 0, sizeof(*p));
	p->rig = rig;
	strncpy(p->owner, owner, sizeof(p->owner) - 1);
	p->events.fd = -1;
	wire_open(&p->rpc, rig, uid);
}

void peer_reconnect(struct peer *p)
{
	uint32_t uid = p->rpc.uid;

	wire_close(&p->rpc);
	wire_open(&p->rpc, p->rig, uid);
}

u_int peer_exchange_id(struct peer *p, uint64_t verifier)
{
	iopmem_exchange_id_args args = { .owner = { (u_int)strlen(p->owner), p->owner } };
	iopmem_exchange_id_res res = { 0 };

	memcpy(args.verifier, &verifier, sizeof(args.verifier));
	CALL_OP(p, EXCHANGE_ID, exchange_id, &args, exchange_id, &res);
	if (res.status)
		return res.status;
	p->verifier = verifier;
	if (p->id != res.iopmem_exchange_id_res_u.ok.clientid) {
		memset(p->sequence, 0, sizeof(p->sequence));
		p->acked = 0;
	}
	p->id = res.iopmem_exchange_id_res_u.ok.clientid;
	p->lease_ms = res.iopmem_exchange_id_res_u.ok.lease_ms;
	memcpy(p->instance, res.iopmem_exchange_id_res_u.ok.instance, sizeof(p->instance));
	assert_true(p->id);
	assert_int_equal(res.iopmem_exchange_id_res_u.ok.slots, PEER_SLOTS);
	return 0;
}

void peer_up(struct peer *p, struct rig *rig, const char *owner)
{
	iopmem_deviceinfo info;

	peer_connect(p, rig, owner, PEER_UID);
	assert_status(peer_exchange_id(p, 1), IOPMEM_OK);
	assert_status(peer_deviceinfo(p, "d", &info), IOPMEM_OK);
}

void peer_drop(struct peer *p)
{
	if (p->fabric)
		fabric_disconnect(p->fabric);
	p->fabric = NULL;
	wire_close(&p->events);
	wire_close(&p->rpc);
}

void peer_down(struct peer *p)
{
	assert_status(peer_destroy(p), IOPMEM_OK);
	peer_drop(p);
}

iopmem_seq peer_same_seq(const struct peer *p, uint32_t slot)
{
	return (iopmem_seq){ p->id, slot, p->sequence[slot] };
}

iopmem_seq peer_seq(struct peer *p, uint32_t slot)
{
	p->sequence[slot]++;
	return peer_same_seq(p, slot);
}

u_int peer_renew(struct peer *p)
{
	iopmem_client_args args = { p->id };
	iopmem_status_res res = { 0 };

	CALL_OP(p, RENEW, client, &args, status, &res);
	return res.status;
}

u_int peer_destroy(struct peer *p)
{
	iopmem_client_args args = { p->id };
	iopmem_status_res res = { 0 };

	CALL_OP(p, DESTROY_CLIENTID, client, &args, status, &res);
	return res.status;
}

/* The strings are dropped, but for emptiness of the address: loopback it is. */
u_int peer_deviceinfo(struct peer *p, const char *export, iopmem_deviceinfo *info)
{
	iopmem_getdeviceinfo_args args = { { p->id, 0, 0 }, text(export) };
	iopmem_getdeviceinfo_res res = { 0 };
	u_int status;

	CALL_OP(p, GETDEVICEINFO, getdeviceinfo, &args, getdeviceinfo, &res);
	status = res.status;
	if (!status) {
		*info = res.iopmem_getdeviceinfo_res_u.ok;
		assert_string_equal(info->fabric, "tcp");
		info->fabric = NULL;
		info->address = NULL;
	}
	xdr_free(WIRE_XDR(xdr_iopmem_getdeviceinfo_res), &res);
	return status;
}

u_int peer_lookup(struct peer *p, const char *path, iopmem_attr *attr)
{
	iopmem_path_args args = { { p->id, 0, 0 }, text("d"), text(path) };
	iopmem_attr_res res = { 0 };

	CALL_OP(p, LOOKUP, path, &args, attr, &res);
	if (!res.status && attr)
		*attr = res.iopmem_attr_res_u.attr;
	return res.status;
}

u_int peer_open(struct peer *p, const char *path, u_int access, iopmem_stateid *id)
{
	iopmem_open_args args = { peer_seq(p, 0), text("d"), text(path), access };
	iopmem_open_res res = { 0 };

	CALL_OP(p, OPEN, open, &args, open, &res);
	if (!res.status && id)
		*id = res.iopmem_open_res_u.ok.stateid;
	return res.status;
}

u_int peer_create(struct peer *p, const char *path, u_int mode, bool guarded,
		  iopmem_stateid *id)
{
	iopmem_create_args args = { peer_seq(p, 0), text("d"), text(path),
				    IOPMEM_ACCESS_READ | IOPMEM_ACCESS_WRITE, mode, guarded };
	iopmem_open_res res = { 0 };

	CALL_OP(p, CREATE, create, &args, open, &res);
	if (!res.status && id)
		*id = res.iopmem_open_res_u.ok.stateid;
	return res.status;
}

u_int peer_close(struct peer *p, const iopmem_stateid *id)
{
	iopmem_stateid_args args = { peer_seq(p, 0), *id };
	iopmem_status_res res = { 0 };

	CALL_OP(p, CLOSE, stateid, &args, status, &res);
	return res.status;
}

u_int peer_getattr(struct peer *p, const iopmem_stateid *id, iopmem_attr *attr)
{
	iopmem_stateid_args args = { { p->id, 0, 0 }, *id };
	iopmem_attr_res res = { 0 };

	CALL_OP(p, GETATTR, stateid, &args, attr, &res);
	if (!res.status && attr)
		*attr = res.iopmem_attr_res_u.attr;
	return res.status;
}

u_int peer_setsize(struct peer *p, const iopmem_stateid *id, uint64_t size)
{
	iopmem_setsize_args args = { peer_seq(p, 1), *id, size };
	iopmem_attr_res res = { 0 };

	CALL_OP(p, SETSIZE, setsize, &args, attr, &res);
	return res.status;
}

u_int peer_remove(struct peer *p, const char *path)
{
	iopmem_path_args args = { peer_seq(p, 0), text("d"), text(path) };
	iopmem_status_res res = { 0 };

	CALL_OP(p, REMOVE, path, &args, status, &res);
	return res.status;
}

u_int peer_mkdir(struct peer *p, const char *path)
{
	iopmem_mkdir_args args = { peer_seq(p, 0), text("d"), text(path), 0755 };
	iopmem_attr_res res = { 0 };

	CALL_OP(p, MKDIR, mkdir, &args, attr, &res);
	return res.status;
}

/* ---- layouts ---- */

iopmem_layoutget_args peer_get_args(struct peer *p, const iopmem_stateid *id,
				    iopmem_iomode mode, uint64_t offset, uint64_t length)
{
	return (iopmem_layoutget_args){
		.seq = peer_seq(p, 0), .stateid = *id, .iomode = mode, .offset = offset,
		.length = length, .minlength = 1, .maxcount = 65536,
	};
}

static void copy_segments(struct reply *r, u_int n, const iopmem_segment *seg)
{
	assert_true(n <= PEER_SEGMENTS);
	r->n = n;
	if (n)
		memcpy(r->seg, seg, n * sizeof(*seg));
}

void peer_layoutget_with(struct peer *p, const iopmem_layoutget_args *args, struct reply *r)
{
	iopmem_layoutget_res res = { 0 };
	const iopmem_layoutget_ok *ok = &res.iopmem_layoutget_res_u.ok;

	memset(r, 0, sizeof(*r));
	CALL_OP(p, LAYOUTGET, layoutget, args, layoutget, &res);
	r->status = res.status;
	if (!res.status) {
		r->stateid = ok->stateid;
		r->size = ok->size;
		copy_segments(r, ok->segments.segments_len, ok->segments.segments_val);
	}
	xdr_free(WIRE_XDR(xdr_iopmem_layoutget_res), &res);
}

u_int peer_layoutget(struct peer *p, iopmem_stateid *id, iopmem_iomode mode,
		     uint64_t offset, uint64_t length, struct reply *r)
{
	iopmem_layoutget_args args = peer_get_args(p, id, mode, offset, length);

	peer_layoutget_with(p, &args, r);
	if (!r->status)
		*id = r->stateid;
	return r->status;
}

iopmem_layoutreturn_args peer_return_args(struct peer *p, const iopmem_stateid *id,
					  uint64_t offset, uint64_t length)
{
	return (iopmem_layoutreturn_args){
		.seq = peer_seq(p, 0), .type = IOPMEM_RETURN_FILE, .iomode = IOPMEM_WIRE_ANY,
		.stateid = *id, .export_name = text("d"), .offset = offset, .length = length,
	};
}

void peer_layoutreturn_with(struct peer *p, const iopmem_layoutreturn_args *args,
			    struct reply *r)
{
	iopmem_layoutreturn_res res = { 0 };
	const iopmem_layoutreturn_ok *ok = &res.iopmem_layoutreturn_res_u.ok;

	memset(r, 0, sizeof(*r));
	CALL_OP(p, LAYOUTRETURN, layoutreturn, args, layoutreturn, &res);
	r->status = res.status;
	if (!res.status) {
		r->stateid = ok->stateid;
		r->size = ok->size;
		r->present = ok->present;
		r->commit_status = ok->commit_status;
		copy_segments(r, ok->segments.segments_len, ok->segments.segments_val);
	}
	xdr_free(WIRE_XDR(xdr_iopmem_layoutreturn_res), &res);
}

u_int peer_layoutreturn(struct peer *p, iopmem_stateid *id, uint64_t offset,
			uint64_t length, struct reply *r)
{
	iopmem_layoutreturn_args args = peer_return_args(p, id, offset, length);

	peer_layoutreturn_with(p, &args, r);
	if (!r->status)
		*id = r->stateid;
	return r->status;
}

u_int peer_commit_ranges(struct peer *p, const iopmem_stateid *id,
			 iopmem_wire_range *ranges, u_int n, uint64_t new_size,
			 uint64_t *size)
{
	iopmem_layoutcommit_args args = { peer_seq(p, 0), *id,
					  { { n, ranges }, new_size } };
	iopmem_layoutcommit_res res = { 0 };

	CALL_OP(p, LAYOUTCOMMIT, layoutcommit, &args, layoutcommit, &res);
	if (!res.status && size)
		*size = res.iopmem_layoutcommit_res_u.ok.size;
	return res.status;
}

u_int peer_commit(struct peer *p, const iopmem_stateid *id, uint64_t offset,
		  uint64_t length, uint64_t new_size, uint64_t *size)
{
	iopmem_wire_range range = { offset, length };

	return peer_commit_ranges(p, id, &range, length ? 1 : 0, new_size, size);
}

/* ---- events ---- */

void peer_event_park(struct peer *p, uint32_t timeout_ms)
{
	iopmem_event_wait_args args = { p->id, p->acked, timeout_ms };

	if (p->events.fd < 0) {
		wire_open(&p->events, p->rig, p->rpc.uid);
		assert_int_equal(wire_null(&p->events, RIG_PATIENCE_MS), 0);
	}
	assert_int_equal(wire_send(&p->events, IOPMEM_PROC_EVENT_WAIT,
				  WIRE_XDR(xdr_iopmem_event_wait_args), &args), 0);
}

int peer_event_reply(struct peer *p, iopmem_event_wait_res *res, int timeout_ms)
{
	memset(res, 0, sizeof(*res));
	return wire_recv(&p->events, WIRE_XDR(xdr_iopmem_event_wait_res), res, timeout_ms);
}

bool peer_event(struct peer *p, iopmem_event *ev, int timeout_ms)
{
	uint64_t until = now_ms() + (uint64_t)timeout_ms;
	iopmem_event_wait_res res;
	bool got = false;

	do {
		uint64_t now = now_ms();

		peer_event_park(p, now < until ? (uint32_t)(until - now) : 0);
		assert_int_equal(peer_event_reply(p, &res, RIG_PATIENCE_MS), 0);
		assert_status(res.status, IOPMEM_OK);
		if (res.iopmem_event_wait_res_u.ok.events.events_len) {
			*ev = res.iopmem_event_wait_res_u.ok.events.events_val[0];
			/* numbered without gaps, the unacknowledged first */
			assert_int_equal(ev->number, p->acked + 1);
			p->acked = ev->number;
			got = true;
		}
		xdr_free(WIRE_XDR(xdr_iopmem_event_wait_res), &res);
	} while (!got && now_ms() < until);
	return got;
}

/* ---- one-sided I/O ---- */

static void connect_fabric(struct peer *p)
{
	struct fabric_conn_attr attr = { .provider = "tcp", .address = "127.0.0.1",
					 .depth = 4, .timeout_ms = RIG_PATIENCE_MS };
	struct iopmem_err err = { 0 };
	iopmem_deviceinfo info;

	assert_status(peer_deviceinfo(p, "d", &info), IOPMEM_OK);
	attr.port = (uint16_t)info.port;
	attr.token = (const uint8_t *)info.token;
	if (fabric_connect(&attr, &p->fabric, &err))
		fail_msg("fabric_connect: %s", err.text);
}

static int one_sided(struct peer *p, enum fabric_op op, void *buf, uint32_t len,
		     uint32_t rkey, uint64_t raddr)
{
	struct iopmem_err err = { 0 };
	struct fabric_buf *fb;
	struct fabric_wc wc;
	int rc;

	if (!p->fabric)
		connect_fabric(p);
	assert_int_equal(fabric_buf_reg(p->fabric, buf, len, &fb, &err), 0);
	rc = fabric_post(p->fabric, op, fb, buf, len, rkey, raddr, NULL);
	if (!rc) {
		rc = fabric_poll(p->fabric, &wc, 1, RIG_PATIENCE_MS);
		assert_int_not_equal(rc, 0);
		rc = rc > 0 ? wc.status : rc;
	}
	fabric_buf_dereg(fb);
	if (rc) {
		fabric_disconnect(p->fabric);
		p->fabric = NULL;
	}
	return rc;
}

int peer_write(struct peer *p, uint32_t rkey, uint64_t raddr, char byte, uint32_t len)
{
	char *buf = malloc(len);
	int rc;

	assert_non_null(buf);
	memset(buf, byte, len);
	rc = one_sided(p, FABRIC_OP_WRITE, buf, len, rkey, raddr);
	free(buf);
	return rc;
}

int peer_read(struct peer *p, uint32_t rkey, uint64_t raddr, void *buf, uint32_t len)
{
	return one_sided(p, FABRIC_OP_READ, buf, len, rkey, raddr);
}

uint64_t peer_raddr(const iopmem_segment *seg, uint64_t x)
{
	return seg->addr + (x - seg->offset);
}
