/* SPDX-License-Identifier: BSD-3-Clause */
/* Heads of ONC RPC messages (RFC 5531 section 9) and the caller an AUTH_SYS one names. */
#ifndef IOPMEM_SERVER_RPC_MSG_H
#define IOPMEM_SERVER_RPC_MSG_H

#include <rpc/rpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cred.h"

#define RPC_MSG_HEAD_MAX 512		/* of a reply, its verifier included */

struct rpc_msg_auth {
	uint32_t flavor;
	const char *body;		/* in the record */
	uint32_t len;
};

struct rpc_msg_call {
	uint32_t xid, prog, vers, proc;
	struct rpc_msg_auth cred, verf;
	size_t signed_len;		/* from the record's start to the end of cred */
	const char *args;		/* in the record */
	size_t args_len;
};

/* False: it is no call of RPC version 2, or ends before its arguments begin. */
bool rpc_msg_parse(const char *data, size_t len, struct rpc_msg_call *msg);

/* AUTH_SYS (section 8.2, appendix A).  False: the body is not that. */
bool rpc_msg_auth_sys(const struct rpc_msg_auth *auth, struct cred *cred);

/*
 * Heads of replies, in @out of RPC_MSG_HEAD_MAX bytes; they return how many.  Behind that of
 * a success comes the result.  @verf may be NULL: an empty verifier.
 */
size_t rpc_msg_success(uint32_t xid, const struct rpc_msg_auth *verf, char *out);
size_t rpc_msg_refusal(uint32_t xid, enum accept_stat stat, uint32_t version, char *out);
size_t rpc_msg_denial(uint32_t xid, enum auth_stat why, char *out);

#endif
