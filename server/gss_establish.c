// SPDX-License-Identifier: BSD-3-Clause
/*
 * A new GSS context (RFC 2203 section 5.2): the token is accepted and its principal becomes a
 * local user on the fs pool, for both may read files or ask a network.
 */
#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gss.h"

#define TOKEN_MAX 16384
#define PASSWD_BUF 16384

struct establish {
	struct job job;
	struct call *call;
	gss_ctx_id_t ctx;
	gss_buffer_desc token;		/* for the client */
	OM_uint32 major, minor, lifetime_s;
	struct caller who;
	char why[128];			/* no local user; "" */
};

static bool_t xdr_args(XDR *xdrs, struct gss_init_args *a)
{
	return xdr_bytes(xdrs, &a->token, &a->token_len, TOKEN_MAX);
}

static bool_t xdr_res(XDR *xdrs, struct gss_init_res *r)
{
	char *handle = (char *)r->handle;

	if (xdrs->x_op == XDR_FREE)
		return xdr_bytes(xdrs, &r->token, &r->token_len, TOKEN_MAX);
	return xdr_bytes(xdrs, &handle, &r->handle_len, GSS_HANDLE) &&
	       xdr_u_int(xdrs, &r->major) && xdr_u_int(xdrs, &r->minor) &&
	       xdr_u_int(xdrs, &r->window) &&
	       xdr_bytes(xdrs, &r->token, &r->token_len, TOKEN_MAX);
}

static bool name_user(struct establish *e, const char *user)
{
	struct passwd pw, *found = NULL;
	int n = CRED_GROUPS_MAX;
	char *buf = malloc(PASSWD_BUF);

	if (!buf || getpwnam_r(user, &pw, buf, PASSWD_BUF, &found) || !found) {
		free(buf);
		return false;
	}
	e->who.cred.uid = pw.pw_uid;
	e->who.cred.gid = pw.pw_gid;
	if (getgrouplist(user, pw.pw_gid, e->who.cred.groups, &n) < 0) {
		log_warn("user '%s' is in %d groups, the first %d count", user, n, CRED_GROUPS_MAX);
		n = CRED_GROUPS_MAX;
	}
	e->who.cred.nr_groups = (unsigned int)n;
	free(buf);
	return true;
}

/* The local user of a principal: krb5.conf's auth_to_local, then the user database. */
static void map_user(struct establish *e, gss_name_t name)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER, user = GSS_C_EMPTY_BUFFER;
	char local[256] = "";
	OM_uint32 minor;

	if (gss_display_name(&minor, name, &text, NULL) == GSS_S_COMPLETE &&
	    text.length < sizeof(e->who.principal))
		memcpy(e->who.principal, text.value, text.length);
	if (gss_localname(&minor, name, GSS_C_NO_OID, &user) == GSS_S_COMPLETE &&
	    user.length < sizeof(local))
		memcpy(local, user.value, user.length);
	if (!e->who.principal[0] || !local[0] || !name_user(e, local)) {
		snprintf(e->why, sizeof(e->why), "principal '%.80s' is no local user",
			 e->who.principal);
		e->major = GSS_S_UNAUTHORIZED;
	}
	gss_release_buffer(&minor, &text);
	gss_release_buffer(&minor, &user);
}

static void run(struct job *job)
{
	struct establish *e = (struct establish *)job;
	const struct gss_init_args *args = e->call->args;
	gss_buffer_desc token = { args->token_len, args->token };
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 flags = 0, minor;

	e->major = gss_accept_sec_context(&e->minor, &e->ctx, gss_server_keys(), &token,
					  GSS_C_NO_CHANNEL_BINDINGS, &name, NULL, &e->token, &flags,
					  &e->lifetime_s, NULL);
	if (e->major == GSS_S_CONTINUE_NEEDED || (flags & GSS_C_ANON_FLAG))
		e->major = GSS_S_FAILURE;
	if (e->major == GSS_S_COMPLETE)
		map_user(e, name);
	gss_release_name(&minor, &name);
}

static void log_failure(const struct establish *e)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, more = 0;

	if (!e->why[0] && e->minor)
		gss_display_status(&minor, e->minor, GSS_C_MECH_CODE, GSS_C_NO_OID, &more, &text);
	log_warn("krb5 from %s refused: %s%.*s", e->call->peer, e->why, (int)text.length,
		 text.length ? (const char *)text.value : "");
	gss_release_buffer(&minor, &text);
}

static void done(struct job *job)
{
	struct establish *e = (struct establish *)job;
	struct call *call = e->call;
	struct gss_init_res *res = &call->res.gss_init;
	OM_uint32 minor;

	if (e->major == GSS_S_COMPLETE &&
	    !gss_context_new(e->ctx, e->lifetime_s, &e->who, &call->gss, res->handle))
		e->major = GSS_S_FAILURE;
	res->major = e->major;
	res->minor = e->minor;
	if (e->major == GSS_S_COMPLETE) {
		res->handle_len = GSS_HANDLE;
		res->window = GSS_WINDOW;
		log_info("krb5 context of '%s' from %s: uid %u", e->who.principal, call->peer,
			 e->who.cred.uid);
	} else {
		log_failure(e);
		gss_delete_sec_context(&minor, &e->ctx, GSS_C_NO_BUFFER);
	}
	if (e->token.length && e->token.length <= TOKEN_MAX && (res->token = malloc(e->token.length))) {
		memcpy(res->token, e->token.value, e->token.length);
		res->token_len = (u_int)e->token.length;
	}
	gss_release_buffer(&minor, &e->token);
	free(e);
	call_reply(call);
}

static void establish(struct call *call)
{
	struct establish *e = calloc(1, sizeof(*e));

	if (!e) {
		call->res.gss_init.major = GSS_S_FAILURE;
		return call_reply(call);
	}
	e->call = call;
	e->ctx = GSS_C_NO_CONTEXT;
	e->job.run = run;
	e->job.done = done;
	pool_submit(call->srv->fs_pool, &e->job);
}

const struct op gss_init_op = {
	.name = "GSS_INIT",
	.run = establish,
	.xdr_args = (xdrproc_t)(void (*)(void))xdr_args,
	.xdr_res = (xdrproc_t)(void (*)(void))xdr_res,
	.args_size = sizeof(struct gss_init_args),
};
