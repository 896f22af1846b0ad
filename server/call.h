/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One RPC call in progress: decoded arguments, caller, result.  An operation
 * answers with call_reply() or call_status(), at once or later; exactly once.
 */
#ifndef IOPMEM_SERVER_CALL_H
#define IOPMEM_SERVER_CALL_H

#include <rpc/rpc.h>
#include <sys/types.h>

#include "cred.h"
#include "iopmem_rpc.h"
#include "server.h"
#include "status.h"

struct conn;
struct call;

enum op_flags {
	OP_CLIENT = 1,		/* arguments begin with iopmem_seq or a client id */
	OP_SEQ = 2,		/* changes state: once per (slot, sequence) */
};

struct op {
	const char *name;
	void (*run)(struct call *call);
	xdrproc_t xdr_args;
	xdrproc_t xdr_res;
	size_t args_size;
	unsigned int flags;
};

struct call {
	struct server *srv;
	struct conn *conn;		/* NULL once the connection is gone */
	const struct op *op;
	struct client *client;		/* OP_CLIENT */
	uint32_t slot;			/* OP_SEQ */
	struct cred cred;
	char peer[64];			/* numeric address of the caller */
	void *args;
	void (*lost)(struct call *call); /* the connection of a parked call is gone; may be NULL */
	void *priv;			/* of the operation */
	union {
		u_int status;		/* every result begins with it */
		iopmem_status_res plain;
		iopmem_exchange_id_res exchange_id;
		iopmem_getdeviceinfo_res getdeviceinfo;
		iopmem_attr_res attr;
		iopmem_open_res open;
		iopmem_readdir_res readdir;
		iopmem_layoutget_res layoutget;
		iopmem_layoutcommit_res layoutcommit;
		iopmem_layoutreturn_res layoutreturn;
		iopmem_event_wait_res event_wait;
	} res;
};

/* Sends call->res (status already set), frees it with xdr_free, ends the call. */
void call_reply(struct call *call);
/* The same with a bare status; what the result holds besides is dropped. */
void call_status(struct call *call, enum iopmem_status status);
/* call_status() for a negative errno, logged with @err's text when it has one. */
void call_errno(struct call *call, int rc, const struct iopmem_err *err);

/* The operations, one file each (op_*.c). */
void op_null(struct call *call);
void op_exchange_id(struct call *call);
void op_renew(struct call *call);
void op_destroy_clientid(struct call *call);
void op_getdeviceinfo(struct call *call);
void op_lookup(struct call *call);
void op_open(struct call *call);
void op_create(struct call *call);
void op_close(struct call *call);
void op_getattr(struct call *call);
void op_setsize(struct call *call);
void op_remove(struct call *call);
void op_readdir(struct call *call);
void op_mkdir(struct call *call);
void op_layoutget(struct call *call);
void op_layoutcommit(struct call *call);
void op_layoutreturn(struct call *call);
void op_event_wait(struct call *call);

#endif
