// SPDX-License-Identifier: BSD-3-Clause
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client.h"

#define CONNECT_TRIES 5		/* each with fresh device info */

int conn_init(struct iopmem_client *client)
{
	struct conn *c = &client->conn;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	c->io_align = 1;
	c->granule = 4096;
	c->scratch.client = client;
	c->scratch.len = CONN_SCRATCH;
	c->scratch.addr = aligned_alloc(4096, CONN_SCRATCH);
	if (!c->scratch.addr)
		return -ENOMEM;
	memset(c->scratch.addr, 0, CONN_SCRATCH);
	return 0;
}

static void disconnect(struct conn *c)
{
	struct iopmem_buf *b;

	for (b = c->bufs; b; b = b->next) {
		fabric_buf_dereg(b->fb);
		b->fb = NULL;
	}
	fabric_buf_dereg(c->scratch.fb);
	c->scratch.fb = NULL;
	fabric_disconnect(c->fc);
	c->fc = NULL;
	c->inflight = 0;
}

void conn_fini(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	struct iopmem_buf *b;

	if (c->fc)
		disconnect(c);
	/* Buffers that the caller has not unregistered lose their client. */
	for (b = c->bufs; b; b = b->next)
		b->client = NULL;
	free(c->scratch.addr);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->cond);
}

void conn_lock(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	uint64_t ticket;

	pthread_mutex_lock(&c->lock);
	ticket = c->next++;
	while (c->serving != ticket)
		pthread_cond_wait(&c->cond, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void conn_unlock(struct iopmem_client *client)
{
	struct conn *c = &client->conn;

	pthread_mutex_lock(&c->lock);
	c->serving++;
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

static int register_bufs(struct conn *c, struct iopmem_err *err)
{
	struct iopmem_buf *b;
	int ret;

	ret = fabric_buf_reg(c->fc, c->scratch.addr, c->scratch.len, &c->scratch.fb, err);
	for (b = c->bufs; b && !ret; b = b->next)
		ret = fabric_buf_reg(c->fc, b->addr, b->len, &b->fb, err);
	return ret;
}

static bool info_sane(const iopmem_deviceinfo *info)
{
	return info->granule && !(info->granule & (info->granule - 1)) &&
	       info->io_align && !(info->io_align & (info->io_align - 1)) &&
	       info->io_align <= info->granule && info->io_align <= CONN_SCRATCH &&
	       info->port <= 65535;
}

static int make(struct iopmem_client *client, struct rpc_channel *ch,
		const iopmem_deviceinfo *info, struct iopmem_err *err)
{
	struct conn *c = &client->conn;
	struct fabric_conn_attr attr = {
		.provider = info->fabric,
		.address = *info->address ? info->address : ch->peer,
		.port = (uint16_t)info->port,
		.token = (const uint8_t *)info->token,
		.depth = client->depth,
		.timeout_ms = client->timeout_ms,
		.min_path_mtu = info->min_path_mtu,
	};
	int ret;

	if (!info_sane(info))
		return err_msg(err, EPROTO, "export '%s': senseless device info",
			       client->export_name);
	ret = fabric_connect(&attr, &c->fc, err);
	if (ret)
		return ret;
	ret = register_bufs(c, err);
	if (ret) {
		disconnect(c);
		return ret;
	}
	c->io_align = info->io_align;
	c->granule = info->granule;
	c->durable = info->durable != 0;
	c->dead = false;
	return 0;
}

/*
 * Device info grows old: the token is void once the server has ended this client (a process
 * that was stopped for a lease) or has given out another, the port once it has restarted.
 */
static bool is_outdated(int ret)
{
	return ret == -EACCES || ret == -ECONNREFUSED || ret == -ECONNRESET || ret == -ETIMEDOUT;
}

/* Fetches device info, which identifies anew when that is needed, and connects with it. */
static int connect_fresh(struct iopmem_client *client, struct rpc_channel *ch, bool *outdated,
			 struct iopmem_err *err)
{
	struct conn *c = &client->conn;
	iopmem_getdeviceinfo_args args = { .export_name = client->export_name };
	iopmem_getdeviceinfo_res res;
	struct session_op op = SESSION_OP(GETDEVICEINFO, getdeviceinfo_args, getdeviceinfo_res,
					  &args, &res, 0, SESSION_FRESH);
	int ret;

	*outdated = false;
	ret = session_do(client, ch, &op, err, "export '%s'", client->export_name);
	if (ret)
		return ret;
	c->generation = op.generation;
	ret = make(client, ch, &res.iopmem_getdeviceinfo_res_u.ok, err);
	*outdated = is_outdated(ret);
	session_free(&op);
	return ret;
}

int conn_ensure(struct iopmem_client *client, struct rpc_channel *ch, struct iopmem_err *err)
{
	struct conn *c = &client->conn;
	uint64_t until = clock_ms() + client->timeout_ms;
	struct backoff backoff = { 0 };
	struct iopmem_err cause;
	unsigned int tries = 0;
	bool outdated;
	int ret;

	if (c->fc && !c->dead && c->generation == client->session.generation)
		return 0;
	if (c->fc)
		disconnect(c);
	for (;;) {
		cause = (struct iopmem_err){ 0 };
		ret = connect_fresh(client, ch, &outdated, &cause);
		/* A refused token says that the server is there, however long it took to hear that. */
		if (!outdated || ++tries == CONNECT_TRIES || client->closing ||
		    (ret != -EACCES && clock_ms() >= until))
			break;
		backoff_sleep(&backoff);
	}
	if (ret && err && !err->code)
		*err = cause;
	return ret;
}

/* ---- a batch of operations ---- */

static void note(struct conn *c, int status)
{
	/* The offender's own status says more than what was queued behind it. */
	if (status && (!c->error || (c->error == -ECONNRESET && status == -EACCES)))
		c->error = status;
	if (status)
		c->dead = true;
}

static void reap(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	struct fabric_wc wc[16];
	int i, n;

	n = fabric_poll(c->fc, wc, 16, (int)client->timeout_ms);
	if (n <= 0) {
		/* Dead, or silent: what is in flight will never be known. */
		note(c, n ? n : -ETIMEDOUT);
		c->inflight = 0;
		return;
	}
	for (i = 0; i < n; i++)
		note(c, wc[i].status);
	c->inflight -= (unsigned int)n <= c->inflight ? (unsigned int)n : c->inflight;
}

void conn_post(struct iopmem_client *client, enum fabric_op op, struct iopmem_buf *buf,
	       void *addr, uint32_t len, uint32_t rkey, uint64_t raddr)
{
	struct conn *c = &client->conn;
	int ret;

	while (!c->error) {
		ret = buf->fb ? fabric_post(c->fc, op, buf->fb, addr, len, rkey, raddr, NULL) :
				-ECONNRESET;
		if (!ret) {
			c->inflight++;
			return;
		}
		if (ret == -EAGAIN && c->inflight)
			reap(client);
		else if (ret == -EINVAL)	/* the caller's; the connection lives */
			c->error = ret;
		else
			note(c, ret);
	}
}

int conn_drain(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	int error;

	while (c->inflight)
		reap(client);
	error = c->error;
	c->error = 0;
	/* Nothing may write into the caller's memory after we have returned. */
	if (c->dead && c->fc)
		disconnect(c);
	return error;
}
