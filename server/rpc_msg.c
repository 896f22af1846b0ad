// SPDX-License-Identifier: BSD-3-Clause
#include "rpc_msg.h"

#include <arpa/inet.h>
#include <string.h>

#define WORD 4U
#define MACHINE_NAME_MAX 255U
#define GROUPS_MAX 16U

struct reader {
	const char *at;
	size_t left;
	bool bad;
};

static uint32_t get(struct reader *r)
{
	uint32_t v;

	if (r->left < WORD) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->at, WORD);
	r->at += WORD;
	r->left -= WORD;
	return ntohl(v);
}

/* Opaque bytes, padded. */
static const char *get_bytes(struct reader *r, uint32_t len, uint32_t max)
{
	const char *at = r->at;
	size_t padded = ((size_t)len + WORD - 1) & ~(size_t)(WORD - 1);

	if (len > max || r->left < padded) {
		r->bad = true;
		return NULL;
	}
	r->at += padded;
	r->left -= padded;
	return at;
}

static struct rpc_msg_auth get_auth(struct reader *r)
{
	struct rpc_msg_auth auth = { .flavor = get(r) };

	auth.len = get(r);
	auth.body = get_bytes(r, auth.len, MAX_AUTH_BYTES);
	return auth;
}

bool rpc_msg_parse(const char *data, size_t len, struct rpc_msg_call *msg)
{
	struct reader r = { data, len, false };
	uint32_t direction, version;

	msg->xid = get(&r);
	direction = get(&r);
	version = get(&r);
	msg->prog = get(&r);
	msg->vers = get(&r);
	msg->proc = get(&r);
	msg->cred = get_auth(&r);
	msg->signed_len = len - r.left;
	msg->verf = get_auth(&r);
	msg->args = r.at;
	msg->args_len = r.left;
	return !r.bad && direction == CALL && version == RPC_MSG_VERSION;
}

bool rpc_msg_auth_sys(const struct rpc_msg_auth *auth, struct cred *cred)
{
	struct reader r = { auth->body, auth->len, false };
	uint32_t i, n;

	memset(cred, 0, sizeof(*cred));
	get(&r);		/* stamp */
	n = get(&r);
	get_bytes(&r, n, MACHINE_NAME_MAX);
	cred->uid = get(&r);
	cred->gid = get(&r);
	n = get(&r);
	if (n > GROUPS_MAX)
		return false;
	for (i = 0; i < n; i++)
		cred->groups[i] = get(&r);
	cred->nr_groups = n;
	return !r.bad;
}

static char *put(char *out, uint32_t v)
{
	v = htonl(v);
	memcpy(out, &v, WORD);
	return out + WORD;
}

static char *put_accepted(uint32_t xid, const struct rpc_msg_auth *verf, enum accept_stat stat,
			  char *out)
{
	uint32_t len = verf ? verf->len : 0;

	out = put(out, xid);
	out = put(out, REPLY);
	out = put(out, MSG_ACCEPTED);
	out = put(out, verf ? verf->flavor : AUTH_NONE);
	out = put(out, len);
	while (len % WORD)
		len++;
	memset(out, 0, len);
	if (verf)
		memcpy(out, verf->body, verf->len);
	return put(out + len, stat);
}

size_t rpc_msg_success(uint32_t xid, const struct rpc_msg_auth *verf, char *out)
{
	return (size_t)(put_accepted(xid, verf, SUCCESS, out) - out);
}

size_t rpc_msg_refusal(uint32_t xid, enum accept_stat stat, uint32_t version, char *out)
{
	char *end = put_accepted(xid, NULL, stat, out);

	if (stat == PROG_MISMATCH) {		/* the lowest and the highest there is */
		end = put(end, version);
		end = put(end, version);
	}
	return (size_t)(end - out);
}

size_t rpc_msg_denial(uint32_t xid, enum auth_stat why, char *out)
{
	char *end = put(out, xid);

	end = put(end, REPLY);
	end = put(end, MSG_DENIED);
	end = put(end, AUTH_ERROR);
	end = put(end, why);
	return (size_t)(end - out);
}
