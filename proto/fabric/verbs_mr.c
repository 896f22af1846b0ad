// SPDX-License-Identifier: BSD-3-Clause
/* Regions of the verbs server: one MR in the peer's protection domain. */
#include <errno.h>
#include <stdlib.h>

#include "fabric/verbs.h"

struct verbs_mr {
	struct fabric_mr base;
	struct verbs_peer *peer;
	struct ibv_mr *mr;
};

static void count(struct verbs_peer *peer, int by)
{
	pthread_mutex_lock(&peer->server->lock);
	peer->nr_mrs += (unsigned int)by;
	pthread_mutex_unlock(&peer->server->lock);
}

int verbs_mr_reg(struct fabric_peer *base, const struct memsrc *src, uint32_t rights,
		 struct fabric_mr **out, struct iopmem_err *err)
{
	struct verbs_peer *peer = (struct verbs_peer *)base;
	struct verbs_mr *mr;
	struct ibv_pd *pd;
	/*
	 * Not RELAXED_ORDERING: a read of the last bytes must push the writes before it.
	 * LOCAL_WRITE is what verbs demands for REMOTE_WRITE, and makes the pin writable.
	 */
	int ret, access = 0;

	if (!src->addr)
		return err_msg(err, EINVAL, "fabric verbs: a region needs mapped memory");
	if (rights & FABRIC_READ)
		access |= IBV_ACCESS_REMOTE_READ;
	if (rights & FABRIC_WRITE)
		access |= IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_LOCAL_WRITE;
	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return err_set(err, ENOMEM, "register memory region");

	pthread_mutex_lock(&peer->server->lock);
	pd = peer->pd;
	if (pd)
		peer->nr_mrs++;		/* holds the domain */
	pthread_mutex_unlock(&peer->server->lock);
	if (!pd) {
		ret = err_msg(err, ENOTCONN,
			      "fabric verbs: the client has not connected yet: its device is unknown");
		goto err_free;
	}
	/* The remote address of a byte is its file offset. */
	mr->mr = ibv_reg_mr_iova2(pd, src->addr, src->length, src->file_offset,
				  (unsigned int)access);
	if (!mr->mr) {
		ret = err_set(err, errno, "%s: register %llu bytes at file offset %#llx%s",
			      ibv_get_device_name(pd->context->device),
			      (unsigned long long)src->length,
			      (unsigned long long)src->file_offset,
			      errno == ENOMEM ? " (RLIMIT_MEMLOCK, or the device's limits)" : "");
		goto err_count;
	}
	mr->base.ops = &fabric_verbs;
	mr->base.rkey = mr->mr->rkey;
	mr->base.raddr = src->file_offset;
	mr->peer = peer;
	*out = &mr->base;
	return 0;
err_count:
	count(peer, -1);
err_free:
	free(mr);
	return ret;
}

int verbs_mr_dereg(struct fabric_mr *base)
{
	struct verbs_mr *mr = (struct verbs_mr *)base;
	int ret;

	do
		ret = ibv_dereg_mr(mr->mr);
	while (ret == EINTR);
	if (ret)
		return ret > 0 ? -ret : -EIO;
	count(mr->peer, -1);
	free(mr);
	return 0;
}
