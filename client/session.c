// SPDX-License-Identifier: BSD-3-Clause
#include "session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "client.h"
#include "cover.h"

/* DELAY to a retransmission means "still at it", unless it is the cached reply. */
#define REPLAY_DELAYS_MAX 120
#define UNREACHABLE_MS 2000

void session_init(struct session *s)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
}

void session_fini(struct session *s)
{
	pthread_mutex_destroy(&s->lock);
}

bool status_is_retry(unsigned int status)
{
	return status == IOPMEM_RECALLCONFLICT || status == IOPMEM_RETURNCONFLICT ||
	       status == IOPMEM_LAYOUTTRYLATER || status == IOPMEM_DELAY;
}

bool status_is_lost(unsigned int status)
{
	return status == IOPMEM_STALE_CLIENTID || status == IOPMEM_EXPIRED ||
	       status == IOPMEM_BADSESSION;
}

void backoff_sleep(struct backoff *b)
{
	struct timespec ts;

	b->ms = b->ms ? b->ms * 2 : 5;
	if (b->ms > 250)
		b->ms = 250;
	ts = (struct timespec){ .tv_nsec = (long)b->ms * 1000000L };
	nanosleep(&ts, NULL);
}

/* May another connection bring the answer? */
static bool is_transport(int ret)
{
	switch (-ret) {
	case ECONNREFUSED: case ECONNRESET: case ETIMEDOUT: case EPIPE:
	case EHOSTUNREACH: case ENETUNREACH: case EAGAIN:
		return true;
	default:
		return false;
	}
}

/* ---- identity ---- */

static int exchange_id(struct iopmem_client *client, struct rpc_channel *ch,
		       uint32_t timeout_ms, bool once, struct iopmem_err *err)
{
	iopmem_exchange_id_args args = {
		.owner = { (u_int)strlen(client->owner), client->owner },
	};
	iopmem_exchange_id_res res;
	const iopmem_exchange_id_ok *ok = &res.iopmem_exchange_id_res_u.ok;
	struct session *s = &client->session;
	uint64_t until = clock_ms() + timeout_ms, sent;
	struct backoff backoff = { 0 };
	unsigned int status, tries = 0;
	struct iopmem_err cause;
	bool again;
	int ret;

	/* A new verifier each time: what the server may still hold of the last is dead. */
	if (getrandom(args.verifier, sizeof(args.verifier), 0) != sizeof(args.verifier))
		return err_set(err, EIO, "getrandom");
	for (;;) {
		cause = (struct iopmem_err){ 0 };
		memset(&res, 0, sizeof(res));
		sent = clock_ms();
		ret = channel_call(ch, IOPMEM_PROC_EXCHANGE_ID,
			       SESSION_XDR(xdr_iopmem_exchange_id_args), &args,
			       SESSION_XDR(xdr_iopmem_exchange_id_res), &res, timeout_ms, &cause);
		status = ret ? 0 : res.status;
		/* The connection may be one to the server that was there before: a second try has its own. */
		again = ret ? is_transport(ret) && (!once || !tries++) : status == IOPMEM_DELAY;
		if (!again || clock_ms() >= until)
			break;
		backoff_sleep(&backoff);
	}
	if (ret) {
		if (err && !err->code)
			*err = cause;
		return ret;
	}
	if (status)
		return err_msg(err, -status_to_errno(status), "identify '%s': %s",
			       client->owner, status_text(status));
	s->clientid = ok->clientid;
	s->lease_ms = ok->lease_ms;
	s->slots = ok->slots;
	s->next_slot = 0;
	s->renewed_ms = sent;
	client->restarted = s->known && memcmp(s->instance, ok->instance, sizeof(s->instance));
	memcpy(s->instance, ok->instance, sizeof(s->instance));
	return 0;
}

int session_identify(struct iopmem_client *client, struct rpc_channel *ch,
		     uint32_t timeout_ms, bool once, uint64_t *generation,
		     uint64_t *clientid, struct iopmem_err *err)
{
	struct session *s = &client->session;
	bool again = false;
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	if (!s->identified) {
		ret = exchange_id(client, ch, timeout_ms, once, err);
		if (!ret) {
			again = s->known;
			s->identified = true;
			s->known = true;
			s->generation++;
		}
	}
	if (!ret) {
		*generation = s->generation;
		*clientid = s->clientid;
	}
	pthread_mutex_unlock(&s->lock);
	if (again) {
		cover_tell(client, IOPMEM_COVER_NONE, 0, (struct range){ 0, UINT64_MAX });
		client_event(client, client->restarted ? IOPMEM_CLIENT_SERVER_RESTARTED :
							 IOPMEM_CLIENT_EXPIRED, "", 0, UINT64_MAX);
	}
	return ret;
}

void session_lost(struct iopmem_client *client, uint64_t generation)
{
	struct session *s = &client->session;
	bool mine;

	pthread_mutex_lock(&s->lock);
	mine = s->identified && s->generation == generation;
	if (mine)
		s->identified = false;
	pthread_mutex_unlock(&s->lock);
	if (mine)
		client_state_lost(client, generation);
}

/* ---- calls ---- */

struct attempt {
	uint64_t generation;
	uint64_t until;
	unsigned int replays;
	bool resent, once;
	struct backoff backoff;
};

/*
 * A call that was never answered leaves its slot unusable: nobody knows whether
 * the server has taken it, and a reply to the next call could be the late call's.
 * The channel goes on with another slot.
 */
static int take_slot(struct iopmem_client *client, struct rpc_channel *ch,
		     uint64_t generation)
{
	struct session *s = &client->session;
	int ret = 0;

	if (ch->generation == generation && !ch->uncertain)
		return 0;
	pthread_mutex_lock(&s->lock);
	if (s->next_slot >= s->slots)
		ret = -EBUSY;
	else
		ch->slot = s->next_slot++;
	pthread_mutex_unlock(&s->lock);
	ch->generation = generation;
	ch->sequence = 0;
	ch->uncertain = ret != 0;
	return ret;
}

static int put_header(struct iopmem_client *client, struct rpc_channel *ch,
		      struct session_op *op, uint64_t clientid, uint64_t generation)
{
	iopmem_seq *seq = op->args;

	memcpy(op->args, &clientid, sizeof(clientid));	/* first member in all of them */
	if (!(op->flags & SESSION_ONCE))
		return 0;
	if (take_slot(client, ch, generation))
		return -EBUSY;
	seq->slot = ch->slot;
	seq->sequence = ch->sequence + 1;
	return 0;
}

static uint32_t remaining(uint64_t until)
{
	uint64_t now = clock_ms();

	return now >= until ? 1 : (uint32_t)(until - now);
}

/* Sends until there is a reply.  Assumes: header in place. */
static int send_until(struct iopmem_client *client, struct rpc_channel *ch,
		      struct session_op *op, struct attempt *at, struct iopmem_err *err)
{
	struct iopmem_err cause;
	uint64_t sent;
	int ret;

	for (;;) {
		cause = (struct iopmem_err){ 0 };
		memset(op->res, 0, op->res_size);
		sent = clock_ms();
		ret = channel_call(ch, op->proc, op->xargs, op->args, op->xres, op->res,
			       remaining(at->until), &cause);
		if (!ret) {
			if (!status_is_lost(*(u_int *)op->res) &&
			    at->generation == client->session.generation)
				client->session.renewed_ms = sent;
			client->unreachable = false;
			return 0;
		}
		if (!is_transport(ret) || at->once || clock_ms() >= at->until)
			break;
		at->resent = true;
		backoff_sleep(&at->backoff);
	}
	/* The event thread's calls are short: its failures say less. */
	if (is_transport(ret) && ch != &client->events.ch)
		client->unreachable = true;
	if (op->flags & SESSION_ONCE)
		ch->uncertain = true;
	if (err && !err->code)
		*err = cause;
	return ret;
}

/* What the reply says about the slot.  True: the same call again. */
static bool settle_slot(struct rpc_channel *ch, struct session_op *op, struct attempt *at,
			unsigned int status)
{
	const iopmem_seq *seq = op->args;

	if (!(op->flags & SESSION_ONCE))
		return false;
	if (status == IOPMEM_DELAY && at->resent && at->replays++ < REPLAY_DELAYS_MAX &&
	    clock_ms() < at->until) {
		backoff_sleep(&at->backoff);
		return true;
	}
	if (status_is_lost(status) || status == IOPMEM_SEQ_MISORDERED || status == IOPMEM_BADSLOT)
		return false;
	if (status == IOPMEM_BADXDR)	/* perhaps before the slot was looked at */
		ch->uncertain = true;
	else
		ch->sequence = seq->sequence;
	return false;
}

static int call_locked(struct iopmem_client *client, struct rpc_channel *ch,
		       struct session_op *op, unsigned int *status, struct iopmem_err *err)
{
	uint32_t timeout_ms = op->timeout_ms ? op->timeout_ms : client->timeout_ms;
	/* After one call in vain the next ones only look whether the server is back. */
	bool brief = client->unreachable || client->closing;
	struct attempt at = {
		.until = clock_ms() + (client->unreachable ? UNREACHABLE_MS : timeout_ms),
		.once = brief,
	};
	unsigned int identities = 0;
	uint64_t clientid;
	int ret;

again:
	ret = session_identify(client, ch, remaining(at.until), at.once, &at.generation, &clientid, err);
	if (ret)
		return ret;
	if (!(op->flags & SESSION_FRESH) && op->generation != at.generation)
		return err_msg(err, ESTALE, "the server has forgotten this client's state");
	op->generation = at.generation;
	if (put_header(client, ch, op, clientid, at.generation)) {
		session_lost(client, at.generation);
		return err_msg(err, ESTALE, "too many calls without an answer");
	}
	do {
		ret = send_until(client, ch, op, &at, err);
		if (ret)
			return ret;
		*status = *(u_int *)op->res;
	} while (settle_slot(ch, op, &at, *status) && (session_free(op), true));
	if (!status_is_lost(*status) && *status != IOPMEM_SEQ_MISORDERED)
		return 0;
	session_lost(client, at.generation);
	if ((op->flags & SESSION_FRESH) && !identities++)
		goto again;
	return err_msg(err, ESTALE, "the server has forgotten this client's state: %s",
		       status_text(*status));
}

int session_call(struct iopmem_client *client, struct rpc_channel *ch,
		 struct session_op *op, unsigned int *status, struct iopmem_err *err)
{
	int ret;

	pthread_mutex_lock(&ch->lock);
	ret = call_locked(client, ch, op, status, err);
	pthread_mutex_unlock(&ch->lock);
	return ret;
}

void session_free(struct session_op *op)
{
	xdr_free(op->xres, op->res);
	memset(op->res, 0, op->res_size);
}

int session_do(struct iopmem_client *client, struct rpc_channel *ch,
	       struct session_op *op, struct iopmem_err *err, const char *what_fmt, ...)
{
	struct iopmem_err cause = { 0 };
	unsigned int status = 0;
	char what[300];
	va_list ap;
	int ret;

	va_start(ap, what_fmt);
	vsnprintf(what, sizeof(what), what_fmt, ap);
	va_end(ap);
	ret = session_call(client, ch, op, &status, &cause);
	if (ret)
		return err_msg(err, -ret, "%s: %.190s", what, cause.text);
	if (!status)
		return 0;
	session_free(op);
	return err_msg(err, -status_to_errno(status), "%s: %s", what, status_text(status));
}

bool session_is_fresh(const struct iopmem_client *client)
{
	const struct session *s = &client->session;

	return s->identified && clock_ms() - s->renewed_ms < s->lease_ms;
}

int session_validate(struct iopmem_client *client, struct iopmem_err *err)
{
	struct session *s = &client->session;
	iopmem_client_args args = { 0 };
	iopmem_status_res res;
	struct session_op op = SESSION_OP(RENEW, client_args, status_res, &args, &res,
					  s->generation, 0);

	if (session_is_fresh(client))
		return 0;
	return session_do(client, &client->main, &op, err, "renew the lease");
}
