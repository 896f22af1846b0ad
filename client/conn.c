// SPDX-License-Identifier: BSD-3-Clause
/* Making and ending the fabric connection; conn_io.c moves bytes over it. */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client.h"
#include "conn_io.h"

int conn_init(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	struct epoll_event ev = { .events = EPOLLIN };

	pthread_mutex_init(&c->lock, NULL);
	client_cond_init(&c->cond);
	c->io_align = 1;
	c->granule = 4096;
	c->scratch.client = c->any.client = client;
	c->any.len = SIZE_MAX;
	c->scratch.len = CONN_SCRATCH;
	c->scratch.addr = aligned_alloc(4096, CONN_SCRATCH);
	c->ring_size = client->depth + CONN_RESERVE;
	c->ring = calloc(c->ring_size, sizeof(*c->ring));
	c->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!c->scratch.addr || !c->ring)
		return -ENOMEM;
	memset(c->scratch.addr, 0, CONN_SCRATCH);
	ev.data.fd = c->wake_fd;
	if (c->poll_fd < 0 || c->wake_fd < 0 ||
	    epoll_ctl(c->poll_fd, EPOLL_CTL_ADD, c->wake_fd, &ev))
		return -errno;
	return 0;
}

void conn_disconnect(struct iopmem_client *client, int status)
{
	struct conn *c = &client->conn;
	struct iopmem_buf *b;
	int i;

	for (i = 0; i < c->nr_fds; i++)
		epoll_ctl(c->poll_fd, EPOLL_CTL_DEL, c->fds[i], NULL);
	c->nr_fds = 0;
	for (b = c->bufs; b; b = b->next) {
		fabric_buf_dereg(b->fb);
		b->fb = NULL;
	}
	fabric_buf_dereg(c->scratch.fb);
	fabric_buf_dereg(c->any.fb);
	c->scratch.fb = c->any.fb = NULL;
	fabric_disconnect(c->fc);
	c->fc = NULL;
	/* Only now: nothing writes into the caller's memory any more. */
	while (c->reaped < c->posted)
		conn_done(client, status);
	if (c->backlog)
		conn_run_backlog(client);
	pthread_cond_broadcast(&c->cond);
	eventfd_write(c->wake_fd, 1);
}

void conn_fini(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	struct iopmem_buf *b;

	if (c->fc)
		conn_disconnect(client, -ECANCELED);
	/* Buffers that the caller has not unregistered lose their client. */
	for (b = c->bufs; b; b = b->next)
		b->client = NULL;
	free(c->scratch.addr);
	free(c->ring);
	if (c->poll_fd >= 0)
		close(c->poll_fd);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->cond);
}

void conn_lock(struct iopmem_client *client)
{
	client->conn.contenders++;
	pthread_mutex_lock(&client->conn.lock);
	client->conn.contenders--;
}

void conn_unlock(struct iopmem_client *client)
{
	pthread_mutex_unlock(&client->conn.lock);
}

static int register_bufs(struct conn *c, struct iopmem_err *err)
{
	struct iopmem_buf *b;
	int ret;

	ret = fabric_buf_reg(c->fc, c->scratch.addr, c->scratch.len, &c->scratch.fb, err);
	if (!ret && fabric_buf_is_free(c->fc))
		ret = fabric_buf_reg(c->fc, NULL, SIZE_MAX, &c->any.fb, err);
	for (b = c->bufs; b && !ret; b = b->next)
		ret = fabric_buf_reg(c->fc, b->addr, b->len, &b->fb, err);
	return ret;
}

static bool info_sane(const iopmem_deviceinfo *info)
{
	return info->granule && !(info->granule & (info->granule - 1)) &&
	       info->io_align && !(info->io_align & (info->io_align - 1)) &&
	       info->io_align <= info->granule && info->io_align <= CONN_FLUSH_AT &&
	       info->port <= 65535;
}

static int watch(struct conn *c)
{
	struct epoll_event ev;
	int i;

	c->nr_fds = fabric_fds(c->fc, c->fds, c->events);
	for (i = 0; i < c->nr_fds; i++) {
		ev = (struct epoll_event){ .events = (uint32_t)c->events[i],
					   .data.fd = c->fds[i] };
		if (epoll_ctl(c->poll_fd, EPOLL_CTL_ADD, c->fds[i], &ev))
			return -errno;
	}
	return 0;
}

/* Takes over @fc.  Assumes: the lock. */
static int adopt(struct iopmem_client *client, struct fabric_conn *fc,
		 const iopmem_deviceinfo *info, struct iopmem_err *err)
{
	struct conn *c = &client->conn;
	int ret;

	c->fc = fc;
	ret = register_bufs(c, err);
	if (!ret) {
		ret = watch(c);
		if (ret)
			err_set(err, -ret, "fabric %s: epoll", info->fabric);
	}
	if (ret) {
		conn_disconnect(client, ret);
		return ret;
	}
	c->io_align = info->io_align;
	c->granule = info->granule;
	c->durable = info->durable != 0;
	snprintf(c->fabric, sizeof(c->fabric), "%s", info->fabric);
	c->dead = false;
	return 0;
}

/* Drops and takes the lock. */
static int make(struct iopmem_client *client, struct rpc_channel *ch, struct iopmem_err *err)
{
	struct conn *c = &client->conn;
	iopmem_getdeviceinfo_args args = { .export_name = client->export_name };
	iopmem_getdeviceinfo_res res;
	const iopmem_deviceinfo *info = &res.iopmem_getdeviceinfo_res_u.ok;
	struct session_op op = SESSION_OP(GETDEVICEINFO, getdeviceinfo_args, getdeviceinfo_res,
					  &args, &res, 0, SESSION_FRESH);
	struct fabric_conn *fc = NULL;
	int ret;

	conn_unlock(client);
	ret = session_do(client, ch, &op, err, "export '%s'", client->export_name);
	if (!ret) {
		struct fabric_conn_attr attr = {
			.provider = info->fabric,
			.address = *info->address ? info->address : ch->peer,
			.port = (uint16_t)info->port,
			.token = (const uint8_t *)info->token,
			.depth = c->ring_size,
			.timeout_ms = client->timeout_ms,
			.min_path_mtu = info->min_path_mtu,
		};

		ret = info_sane(info) ? fabric_connect(&attr, &fc, err) :
			err_msg(err, EPROTO, "export '%s': senseless device info",
				client->export_name);
	}
	conn_lock(client);
	if (fc) {
		c->generation = op.generation;
		ret = adopt(client, fc, info, err);
	}
	session_free(&op);
	return ret;
}

bool conn_is_ready(const struct iopmem_client *client)
{
	const struct conn *c = &client->conn;

	return c->fc && !c->dead && c->generation == client->session.generation;
}

int conn_ensure(struct iopmem_client *client, struct rpc_channel *ch, struct iopmem_err *err)
{
	struct conn *c = &client->conn;
	int ret;

	for (;;) {
		if (conn_is_ready(client))
			return 0;
		if (c->connecting)
			pthread_cond_wait(&c->cond, &c->lock);
		else if (c->fc && c->dead && c->reaped < c->posted)
			conn_step(client);	/* they fail soon */
		else
			break;
	}
	if (c->fc)
		conn_disconnect(client, -ECONNRESET);
	c->connecting = true;
	ret = make(client, ch, err);
	c->connecting = false;
	pthread_cond_broadcast(&c->cond);
	return ret;
}
