// SPDX-License-Identifier: BSD-3-Clause
#include "gss.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"

#define VERSION 1U
#define SEQ_MAX 0x80000000U
#define CONTEXTS_MAX 4096U		/* idle ones make room, the longest idle first */

enum gss_proc { PROC_DATA, PROC_INIT, PROC_CONTINUE_INIT, PROC_DESTROY };

struct gss_ctx {
	uint8_t handle[GSS_HANDLE];
	gss_ctx_id_t ctx;
	struct caller who;
	unsigned int refs;		/* calls in progress, and being known */
	uint32_t seq;			/* the highest yet */
	uint64_t seen;			/* bit n: seq - n */
	uint64_t expires_ms;
	uint64_t used_ms;
	UT_hash_handle hh;
};

static struct gss_ctx *contexts;	/* hash by handle */
static gss_cred_id_t keys = GSS_C_NO_CREDENTIAL;

/* ---- contexts ---- */

static void ctx_put(struct gss_ctx *c)
{
	OM_uint32 minor;

	if (--c->refs)
		return;
	gss_delete_sec_context(&minor, &c->ctx, GSS_C_NO_BUFFER);
	free(c);
}

static void ctx_forget(struct gss_ctx *c)
{
	HASH_DEL(contexts, c);
	ctx_put(c);
}

void gss_put(struct gss_call *gc)
{
	if (gc->ctx)
		ctx_put(gc->ctx);
	gc->ctx = NULL;
}

static void make_room(void)
{
	struct gss_ctx *c, *tmp, *oldest = NULL;

	if (HASH_COUNT(contexts) < CONTEXTS_MAX)
		return;
	HASH_ITER(hh, contexts, c, tmp)
		if (!oldest || c->used_ms < oldest->used_ms)
			oldest = c;
	ctx_forget(oldest);	/* its client establishes another */
}

bool gss_context_new(gss_ctx_id_t ctx, uint32_t lifetime_s, const struct caller *who,
		     struct gss_call *gc, uint8_t handle[GSS_HANDLE])
{
	struct gss_ctx *c = calloc(1, sizeof(*c));

	if (!c)
		return false;
	make_room();
	c->ctx = ctx;
	c->who = *who;
	c->refs = 2;
	c->used_ms = clock_ms();
	c->expires_ms = lifetime_s == GSS_C_INDEFINITE ? UINT64_MAX :
			c->used_ms + 1000ULL * lifetime_s;
	while (getrandom(c->handle, sizeof(c->handle), 0) != sizeof(c->handle))
		;
	HASH_ADD(hh, contexts, handle, sizeof(c->handle), c);
	memcpy(handle, c->handle, sizeof(c->handle));
	/* The reply's verifier signs the window (section 5.2.3.1). */
	*gc = (struct gss_call){ .ctx = c, .seq = GSS_WINDOW, .service = GSS_SERVICE_NONE };
	return true;
}

/* False: it was there before, or is too old to know. */
static bool take_seq(struct gss_ctx *c, uint32_t seq)
{
	uint32_t ahead = seq - c->seq, behind = c->seq - seq;

	if (seq > c->seq) {
		c->seen = ahead < GSS_WINDOW ? c->seen << ahead : 0;
		c->seq = seq;
		behind = 0;
	}
	if (behind >= GSS_WINDOW || (c->seen & (1ULL << behind)))
		return false;
	c->seen |= 1ULL << behind;
	return true;
}

/* ---- calls ---- */

static uint32_t word(const char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return ntohl(v);
}

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* Opaque bytes with their length in front; moves @at on. */
static bool opaque(const char **at, size_t *left, gss_buffer_t out)
{
	size_t len;

	if (*left < 4)
		return false;
	len = word(*at);
	if (len > *left - 4 || padded(len) > *left - 4)
		return false;
	out->value = (void *)(uintptr_t)(*at + 4);
	out->length = len;
	*at += 4 + padded(len);
	*left -= 4 + padded(len);
	return true;
}

/* Section 5.3.3.4: what is signed or sealed begins with the sequence number. */
static bool unwrap(const struct gss_call *gc, struct rpc_msg_call *msg, char **plain)
{
	gss_buffer_desc body, mic, clear = GSS_C_EMPTY_BUFFER;
	const char *at = msg->args;
	size_t left = msg->args_len;
	OM_uint32 minor;
	int sealed = 0;
	bool ok;

	if (gc->service == GSS_SERVICE_NONE)
		return true;
	if (!opaque(&at, &left, &body))
		return false;
	if (gc->service == GSS_SERVICE_INTEGRITY) {
		ok = opaque(&at, &left, &mic) &&
		     gss_verify_mic(&minor, gc->ctx->ctx, &body, &mic, NULL) == GSS_S_COMPLETE;
	} else {
		ok = gss_unwrap(&minor, gc->ctx->ctx, &body, &clear, &sealed, NULL) == GSS_S_COMPLETE &&
		     sealed;
		body = clear;
	}
	ok = ok && body.length >= 4 && word(body.value) == gc->seq;
	if (ok) {
		msg->args_len = body.length - 4;
		*plain = malloc(msg->args_len ? msg->args_len : 1);
		ok = *plain;
	}
	if (ok) {
		memcpy(*plain, (const char *)body.value + 4, msg->args_len);
		msg->args = *plain;
	}
	gss_release_buffer(&minor, &clear);
	return ok;
}

static enum gss_verdict deny(struct gss_take *t, enum auth_stat why)
{
	t->why = why;
	return GSS_DENY;
}

static struct gss_ctx *find(const char *handle, size_t len)
{
	struct gss_ctx *c = NULL;

	if (len == GSS_HANDLE)
		HASH_FIND(hh, contexts, handle, GSS_HANDLE, c);
	if (c && clock_ms() >= c->expires_ms) {
		ctx_forget(c);
		return NULL;
	}
	return c;
}

static enum gss_verdict take_data(const char *record, struct rpc_msg_call *msg, struct gss_ctx *c,
				  uint32_t proc, struct gss_take *t)
{
	gss_buffer_desc head = { msg->signed_len, (void *)(uintptr_t)record };
	gss_buffer_desc mic = { msg->verf.len, (void *)(uintptr_t)msg->verf.body };
	OM_uint32 minor;

	if (msg->verf.flavor != RPCSEC_GSS ||
	    gss_verify_mic(&minor, c->ctx, &head, &mic, NULL) != GSS_S_COMPLETE)
		return deny(t, RPCSEC_GSS_CREDPROBLEM);
	if (t->call.seq > SEQ_MAX)
		return deny(t, RPCSEC_GSS_CTXPROBLEM);
	if (!take_seq(c, t->call.seq))
		return GSS_DROP;
	c->used_ms = clock_ms();
	c->refs++;
	t->call.ctx = c;
	t->who = c->who;
	t->who.flavor = (enum flavor)(FLAVOR_KRB5 + t->call.service - GSS_SERVICE_NONE);
	if (proc == PROC_DESTROY) {
		ctx_forget(c);
		return GSS_DESTROY;
	}
	return unwrap(&t->call, msg, &t->plain) ? GSS_CALL : GSS_GARBAGE;
}

enum gss_verdict gss_take(const char *record, struct rpc_msg_call *msg, struct gss_take *t)
{
	const char *at = msg->cred.body;
	gss_buffer_desc handle;
	struct gss_ctx *c;
	size_t left;
	uint32_t proc;

	memset(t, 0, sizeof(*t));
	if (keys == GSS_C_NO_CREDENTIAL)
		return deny(t, AUTH_REJECTEDCRED);
	if (msg->cred.len < 20 || word(at) != VERSION)
		return deny(t, AUTH_BADCRED);
	proc = word(at + 4);
	t->call.seq = word(at + 8);
	t->call.service = word(at + 12);
	at += 16;
	left = msg->cred.len - 16;
	if (t->call.service < GSS_SERVICE_NONE || t->call.service > GSS_SERVICE_PRIVACY ||
	    !opaque(&at, &left, &handle))
		return deny(t, AUTH_BADCRED);
	/* Kerberos needs no second round. */
	if (proc == PROC_INIT)
		return msg->proc || handle.length ? deny(t, AUTH_BADCRED) : GSS_INIT;
	if (proc != PROC_DATA && (proc != PROC_DESTROY || msg->proc))
		return deny(t, AUTH_BADCRED);
	c = find(handle.value, handle.length);
	return c ? take_data(record, msg, c, proc, t) : deny(t, RPCSEC_GSS_CREDPROBLEM);
}

/* ---- replies ---- */

static size_t put_opaque(char *out, const gss_buffer_t in)
{
	uint32_t len = htonl((uint32_t)in->length);

	memcpy(out, &len, 4);
	memset(out + 4, 0, padded(in->length));
	memcpy(out + 4, in->value, in->length);
	return 4 + padded(in->length);
}

bool gss_verifier(const struct gss_call *gc, char *buf, struct rpc_msg_auth *verf)
{
	uint32_t seq = htonl(gc->seq);
	gss_buffer_desc in = { sizeof(seq), &seq }, mic;
	OM_uint32 minor;
	bool ok;

	if (gss_get_mic(&minor, gc->ctx->ctx, GSS_C_QOP_DEFAULT, &in, &mic) != GSS_S_COMPLETE)
		return false;
	ok = mic.length <= MAX_AUTH_BYTES;
	if (ok) {
		memcpy(buf, mic.value, mic.length);
		*verf = (struct rpc_msg_auth){ RPCSEC_GSS, buf, (uint32_t)mic.length };
	}
	gss_release_buffer(&minor, &mic);
	return ok;
}

static size_t sign_or_seal(const struct gss_call *gc, gss_buffer_t body, char *out, size_t size)
{
	bool seal = gc->service == GSS_SERVICE_PRIVACY;
	gss_buffer_desc made = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major;
	size_t n = 0;
	int sealed = 0;

	major = seal ? gss_wrap(&minor, gc->ctx->ctx, 1, GSS_C_QOP_DEFAULT, body, &sealed, &made) :
		gss_get_mic(&minor, gc->ctx->ctx, GSS_C_QOP_DEFAULT, body, &made);
	if (major == GSS_S_COMPLETE && (sealed || !seal) &&
	    made.length + body->length + 16 <= size) {
		if (!seal)
			n = put_opaque(out, body);
		n += put_opaque(out + n, &made);
	}
	gss_release_buffer(&minor, &made);
	return n;
}

size_t gss_wrap_result(const struct gss_call *gc, const void *result, size_t len, char *out,
		       size_t size)
{
	gss_buffer_desc body = { len + 4, malloc(len + 4) };
	uint32_t seq = htonl(gc->seq);
	size_t n;

	if (!body.value)
		return 0;
	memcpy(body.value, &seq, 4);
	memcpy((char *)body.value + 4, result, len);
	n = sign_or_seal(gc, &body, out, size);
	free(body.value);
	return n;
}

/* ---- keys ---- */

gss_cred_id_t gss_server_keys(void)
{
	return keys;
}

int gss_open(const char *keytab, struct iopmem_err *err)
{
	gss_key_value_element_desc element = { "keytab", keytab };
	gss_key_value_set_desc store = { 1, &element };
	gss_OID_set_desc krb5 = { 1, (gss_OID)(uintptr_t)gss_mech_krb5 };
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 major, minor, ignored, more = 0;

	major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &krb5, GSS_C_ACCEPT,
				      *keytab ? &store : GSS_C_NO_CRED_STORE, &keys, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		return 0;
	keys = GSS_C_NO_CREDENTIAL;
	gss_display_status(&ignored, minor, GSS_C_MECH_CODE, (gss_OID)(uintptr_t)gss_mech_krb5,
			   &more, &text);
	err_msg(err, EACCES, "keytab '%s': %.*s", *keytab ? keytab : "(the system's)",
		(int)text.length, (const char *)text.value);
	gss_release_buffer(&ignored, &text);
	return -EACCES;
}

void gss_close(void)
{
	struct gss_ctx *c, *tmp;
	OM_uint32 minor;

	HASH_ITER(hh, contexts, c, tmp)
		ctx_forget(c);
	gss_release_cred(&minor, &keys);
}
