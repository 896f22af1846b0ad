// SPDX-License-Identifier: BSD-3-Clause
/* A peer of the verbs server: its protection domain and its token. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "fabric/verbs.h"

void verbs_wake(struct verbs_server *server)
{
	eventfd_write(server->wake_fd, 1);
}

int verbs_peer_new(struct fabric_server *base, uint64_t clientid, struct fabric_peer **out,
		   struct iopmem_err *err)
{
	struct verbs_server *server = (struct verbs_server *)base;
	struct verbs_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return err_set(err, ENOMEM, "fabric verbs: peer of client %#llx",
			       (unsigned long long)clientid);
	peer->base.ops = &fabric_verbs;
	peer->server = server;
	peer->clientid = clientid;
	pthread_mutex_lock(&server->lock);
	TAILQ_INSERT_TAIL(&server->peers, peer, link);
	pthread_mutex_unlock(&server->lock);
	*out = &peer->base;
	return 0;
}

int verbs_peer_token(struct fabric_peer *base, uint8_t token[FABRIC_TOKEN_SIZE])
{
	struct verbs_peer *peer = (struct verbs_peer *)base;
	int ret;

	pthread_mutex_lock(&peer->server->lock);
	ret = token_issue(&peer->token, token);
	pthread_mutex_unlock(&peer->server->lock);
	return ret;
}

static void domain_free(struct ibv_pd *pd, struct ibv_cq *cq)
{
	int ret = cq ? ibv_destroy_cq(cq) : 0;

	if (!ret && pd)
		ret = ibv_dealloc_pd(pd);
	if (ret)
		log_error("fabric verbs: a protection domain is left behind: error %d", ret);
}

int verbs_peer_use(struct verbs_peer *peer, struct ibv_context *device)
{
	struct verbs_server *server = peer->server;
	struct ibv_pd *pd, *old_pd = NULL;
	struct ibv_cq *cq, *old_cq = NULL;
	bool kept, busy;
	int ret;

	/* Keys must outlive a connection: no other device while there are any. */
	pthread_mutex_lock(&server->lock);
	kept = peer->pd && peer->pd->context == device;
	busy = peer->pd && (peer->nr_mrs || peer->nr_conns > 1);
	pthread_mutex_unlock(&server->lock);
	if (kept || busy)
		return kept ? 0 : -EXDEV;

	pd = ibv_alloc_pd(device);
	if (!pd)
		return -errno;
	cq = ibv_create_cq(device, 1, NULL, NULL, 0);
	if (!cq) {
		ret = -errno;
		ibv_dealloc_pd(pd);
		return ret;
	}
	pthread_mutex_lock(&server->lock);
	busy = peer->nr_mrs;	/* registered meanwhile on the old one */
	if (!busy) {
		old_pd = peer->pd;
		old_cq = peer->cq;
		peer->pd = pd;
		peer->cq = cq;
	}
	pthread_mutex_unlock(&server->lock);
	domain_free(busy ? pd : old_pd, busy ? cq : old_cq);
	return busy ? -EXDEV : 0;
}

void verbs_peer_disconnect(struct fabric_peer *base)
{
	struct verbs_peer *peer = (struct verbs_peer *)base;
	struct verbs_server *server = peer->server;
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };
	struct verbs_conn *conn;

	pthread_mutex_lock(&server->lock);
	token_void(&peer->token);
	TAILQ_FOREACH(conn, &server->conns, link) {
		if (conn->peer != peer)
			continue;
		conn->cut = true;
		if (conn->qp)
			ibv_modify_qp(conn->qp, &attr, IBV_QP_STATE);
	}
	verbs_wake(server);
	while (peer->nr_conns)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

void verbs_peer_free(struct fabric_peer *base)
{
	struct verbs_peer *peer = (struct verbs_peer *)base;
	struct verbs_server *server = peer->server;

	verbs_peer_disconnect(base);
	pthread_mutex_lock(&server->lock);
	TAILQ_REMOVE(&server->peers, peer, link);
	pthread_mutex_unlock(&server->lock);
	domain_free(peer->pd, peer->cq);
	free(peer);
}
