// SPDX-License-Identifier: BSD-3-Clause
/* Regions of the tcp server, and the revoke. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "fabric/tcp_server.h"

/* An operation that is nearly done may finish; then its connection is cut. */
#define DRAIN_MS 100

int tcp_mr_reg(struct fabric_peer *base, const struct memsrc *src, uint32_t rights,
	       struct fabric_mr **out, struct iopmem_err *err)
{
	struct tcp_peer *peer = (struct tcp_peer *)base;
	struct tcp_server *server = peer->server;
	struct tcp_mr *mr = calloc(1, sizeof(*mr));
	int ret;

	if (!mr)
		return err_set(err, ENOMEM, "register memory region");
	mr->base.ops = &fabric_tcp;
	mr->base.raddr = src->file_offset;
	mr->peer = peer;
	mr->src = *src;
	mr->rights = rights;
	pthread_mutex_lock(&server->lock);
	ret = key_new(&server->keys, mr, &mr->key);
	if (!ret)
		mr->base.rkey = key_value(mr->key);
	pthread_mutex_unlock(&server->lock);
	if (ret) {
		free(mr);
		return err_set(err, -ret, "key for a memory region");
	}
	*out = &mr->base;
	return 0;
}

static bool is_inside(const struct tcp_conn *conn, const void *mr)
{
	return conn->mr == mr;
}

int tcp_mr_dereg(struct fabric_mr *base)
{
	struct tcp_mr *mr = (struct tcp_mr *)base;
	struct tcp_server *server = mr->peer->server;
	struct timespec until;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += DRAIN_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&server->lock);
	key_retire(&server->keys, mr->key);	/* nobody enters any more */
	while (mr->refs && ret != ETIMEDOUT)
		ret = pthread_cond_timedwait(&server->changed, &server->lock, &until);
	if (mr->refs)
		tcp_conns_cut(server, is_inside, mr);
	while (mr->refs)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
	free(mr);
	return 0;
}

int tcp_mr_enter(struct tcp_conn *conn, uint32_t rkey, uint64_t raddr, uint32_t len,
		 uint32_t right)
{
	struct tcp_server *server = conn->server;
	int ret = -EACCES;
	struct tcp_mr *mr;
	uint64_t skip;

	pthread_mutex_lock(&server->lock);
	mr = key_find(&server->keys, rkey);
	if (!mr || mr->peer != conn->peer || !(mr->rights & right))
		goto out;
	/* Subtractions only: a sum of what the peer sent could wrap. */
	if (raddr < mr->src.file_offset)
		goto out;
	skip = raddr - mr->src.file_offset;
	if (skip > mr->src.length || len > mr->src.length - skip)
		goto out;
	mr->refs++;
	conn->mr = mr;
	ret = 0;
out:
	pthread_mutex_unlock(&server->lock);
	return ret;
}

void tcp_mr_leave(struct tcp_conn *conn)
{
	struct tcp_server *server = conn->server;

	pthread_mutex_lock(&server->lock);
	if (!--conn->mr->refs)
		pthread_cond_broadcast(&server->changed);
	conn->mr = NULL;
	pthread_mutex_unlock(&server->lock);
}
