/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RPCSEC_GSS version 1 (RFC 2203) with Kerberos 5: contexts, and what they do to calls and
 * replies.  Loop thread only; establishing a context reads the keytab and the user
 * database, on the fs pool.
 */
#ifndef IOPMEM_SERVER_GSS_H
#define IOPMEM_SERVER_GSS_H

#include <gssapi/gssapi.h>

#include "call.h"
#include "rpc_msg.h"

#define GSS_OVERHEAD_MAX 1024		/* of a reply: lengths, checksum, padding */

/* Takes the server's keys; @keytab "" is the system's.  Without it every record is denied. */
int gss_open(const char *keytab, struct iopmem_err *err);
/* Assumes: no call is in progress. */
void gss_close(void);

enum gss_verdict {
	GSS_CALL,		/* a call of @who; msg->args are in clear now */
	GSS_INIT,		/* msg->args are the token of gss_establish() */
	GSS_DESTROY,		/* the context is gone with this call: answer it with nothing */
	GSS_GARBAGE,		/* its arguments are not what was signed or sealed */
	GSS_DROP,		/* seen before: no answer (section 5.3.3.1) */
	GSS_DENY,		/* *why */
};

struct gss_take {
	struct gss_call call;		/* holds its context until gss_put() */
	struct caller who;
	char *plain;			/* msg->args may lie in it: free() */
	enum auth_stat why;
};

/* Looks at a record of flavor RPCSEC_GSS; fills @t from zero. */
enum gss_verdict gss_take(const char *record, struct rpc_msg_call *msg, struct gss_take *t);
void gss_put(struct gss_call *gc);

/* The reply's verifier, in @buf of MAX_AUTH_BYTES.  False: the context has expired. */
bool gss_verifier(const struct gss_call *gc, char *buf, struct rpc_msg_auth *verf);
/* The result as it goes out.  Returns its length; 0: expired, or longer than @size. */
size_t gss_wrap_result(const struct gss_call *gc, const void *result, size_t len, char *out,
		       size_t size);

/* ---- for gss_establish.c ---- */

#define GSS_WINDOW 64			/* sequence numbers that may overtake each other */

/* A new context, which takes @ctx over and has the reference of @gc. */
bool gss_context_new(gss_ctx_id_t ctx, uint32_t lifetime_s, const struct caller *who,
		     struct gss_call *gc, uint8_t handle[GSS_HANDLE]);
gss_cred_id_t gss_server_keys(void);

/* The operation of a GSS_INIT record. */
extern const struct op gss_init_op;

#endif
