/* SPDX-License-Identifier: BSD-3-Clause */
/* ONC RPC over a stream, by hand: so that a test can also say what no library would. */
#ifndef IOPMEM_TESTS_PROTOCOL_WIRE_H
#define IOPMEM_TESTS_PROTOCOL_WIRE_H

#include <rpc/rpc.h>

#include "iopmem_rpc.h"
#include "rig.h"

#define WIRE_BUF (256 * 1024)

struct wire {
	int fd;
	uint32_t xid;			/* of the last call */
	uint32_t uid, gid;
};

/* What a record says besides its arguments; wire_head() fills in the usual. */
struct wire_head {
	uint32_t prog, vers, proc, flavor;
};

void wire_open(struct wire *rpc, const struct rig *rig, uint32_t uid);
void wire_close(struct wire *rpc);
struct wire_head wire_head(uint32_t proc);

/*
 * A record with its mark in @buf; returns its length.  @args may be NULL.
 */
size_t wire_encode(struct wire *rpc, struct wire_head head, xdrproc_t xdr, const void *args,
		  char *buf, size_t size);
/* 0 or -errno. */
int wire_send_bytes(struct wire *rpc, const void *buf, size_t len);
int wire_send(struct wire *rpc, uint32_t proc, xdrproc_t xdr, const void *args);

/*
 * The next reply.  0; -ETIMEDOUT; -ECONNRESET: closed; a positive accept_stat; or
 * 100 + auth_stat.  @res may be NULL; it must be zeroed.
 */
int wire_recv(struct wire *rpc, xdrproc_t xdr, void *res, int timeout_ms);
/* Its bytes instead, behind the record mark and the xid: returns how many. */
size_t wire_recv_bytes(struct wire *rpc, char *buf, size_t size);

int wire_call(struct wire *rpc, uint32_t proc, xdrproc_t xdr_args, const void *args,
	     xdrproc_t xdr_res, void *res);
int wire_null(struct wire *rpc, int timeout_ms);
/* The server has read all that was sent.  Assumes: it has answered on this connection before. */
void wire_await_taken(const struct wire *rpc, struct rig *rig);
/* Nothing has come, not even the end.  Behind rig_rest() that is for sure. */
bool wire_is_quiet(const struct wire *rpc);
/* The server closes the connection within patience; replies before that are dropped. */
void wire_await_close(struct wire *rpc);

#define WIRE_XDR(fn) ((xdrproc_t)(void (*)(void))(fn))

#endif
