/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One RPC call in progress: decoded arguments, caller, result.  An operation
 * answers with call_reply() or call_status(), at once or later; exactly once.
 */
#ifndef IOPMEM_SERVER_CALL_H
#define IOPMEM_SERVER_CALL_H

#include <rpc/rpc.h>
#include <sys/socket.h>
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
	OP_PARKS = 4,		/* answered when there is something to say */
};

struct op {
	const char *name;
	unsigned int proc;		/* 0: none of its own */
	void (*run)(struct call *call);
	xdrproc_t xdr_args;
	xdrproc_t xdr_res;
	size_t args_size;
	unsigned int flags;
};

#define GSS_HANDLE 16
#define GSS_SERVICE_NONE 1U		/* RFC 2203 section 5.2.2 */
#define GSS_SERVICE_INTEGRITY 2U
#define GSS_SERVICE_PRIVACY 3U

/* What the reply to a call of flavor RPCSEC_GSS needs. */
struct gss_call {
	struct gss_ctx *ctx;		/* NULL: another flavor */
	uint32_t seq;
	uint32_t service;
};

struct gss_init_args {
	u_int token_len;
	char *token;
};

/* RFC 2203 section 5.2.3.1 */
struct gss_init_res {
	u_int unused;			/* where other results have their status */
	uint8_t handle[GSS_HANDLE];
	u_int handle_len;
	u_int major, minor, window;
	u_int token_len;
	char *token;
};

struct call {
	struct server *srv;
	struct conn *conn;		/* NULL once the connection is gone */
	const struct op *op;
	struct client *client;		/* OP_CLIENT */
	uint32_t slot;			/* OP_SEQ */
	uint32_t xid;
	struct caller who;
	struct gss_call gss;
	struct sockaddr_storage addr;
	char peer[64];			/* numeric address of the caller */
	void *args;
	void (*lost)(struct call *call); /* the connection of a parked call is gone; may be NULL */
	void *priv;			/* of the operation */
	const struct export *exp;	/* that it works on, once that is known */
	const char *path;		/* for messages, or NULL */
	struct wait wait;
	uint64_t started_us;
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
		iopmem_read_res read;
		iopmem_write_res write;
		iopmem_statfs_res statfs;
		iopmem_readlink_res readlink;
		struct gss_init_res gss_init;
	} res;
};

/* From the first look at a call to its end. */
void call_wait_begin(struct call *call);
void call_wait_end(struct call *call);
/* Calls in progress that change the state of @exp. */
unsigned int call_count_changing(const struct server *srv, const struct export *exp);

/* Sends call->res (status already set), frees it with xdr_free, ends the call. */
void call_reply(struct call *call);
/* The same with a bare status; what the result holds besides is dropped. */
void call_status(struct call *call, enum iopmem_status status);
/* call_status() for a negative errno, logged with @err's text when it has one. */
void call_errno(struct call *call, int rc, const struct iopmem_err *err);

/* NULL: there is no such procedure, or it is NULL. */
const struct op *op_find(uint32_t proc);
/* Its name, for reports. */
const char *op_name(uint32_t proc);

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
void op_read(struct call *call);
void op_write(struct call *call);
void op_open_handle(struct call *call);
void op_deallocate(struct call *call);
void op_allocate(struct call *call);
void op_rename(struct call *call);
void op_setattr(struct call *call);
void op_statfs(struct call *call);
void op_link(struct call *call);
void op_symlink(struct call *call);
void op_readlink(struct call *call);

#endif
