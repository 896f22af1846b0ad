// SPDX-License-Identifier: BSD-3-Clause
/* Regions of the verbs server: one MR in the peer's protection domain. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	uint64_t iova = src->file_offset;
	struct ibv_pd *pd;
	/*
	 * Not RELAXED_ORDERING: a read of the last bytes must push the writes before it.
	 * LOCAL_WRITE is what verbs demands for REMOTE_WRITE, and makes the pin writable.
	 */
	int ret, access = 0;

	if (!src->addr && src->kind != MEMSRC_DMABUF)
		return err_msg(err, EINVAL, "fabric verbs: a region needs mapped memory or a dma-buf");
	if (rights & FABRIC_READ)
		access |= IBV_ACCESS_REMOTE_READ;
	if (rights & FABRIC_WRITE)
		access |= IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_LOCAL_WRITE;
	if (src->kind == MEMSRC_ON_DEMAND)
		access |= IBV_ACCESS_ON_DEMAND;
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
	/* The remote address of a byte is its file offset, where the device can. */
	if (src->kind == MEMSRC_ON_DEMAND && peer->server->demand.own_addr)
		iova = (uintptr_t)src->addr;
	mr->mr = src->kind == MEMSRC_DMABUF ?
		 ibv_reg_dmabuf_mr(pd, 0, src->length, iova, src->dmabuf, access) :
		 ibv_reg_mr_iova2(pd, src->addr, src->length, iova, (unsigned int)access);
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
	mr->base.raddr = iova;
	mr->peer = peer;
	*out = &mr->base;
	return 0;
err_count:
	count(peer, -1);
err_free:
	free(mr);
	return ret;
}

/*
 * Drivers that import nothing say so before they look at the descriptor.  Those that pin what
 * they import look at it, and only a dma-buf that can be taken back tells.
 */
static int try_dmabuf(struct ibv_context *ctx, int fd, uint64_t length, struct iopmem_err *err)
{
	const char *name = ibv_get_device_name(ctx->device);
	struct ibv_pd *pd = ibv_alloc_pd(ctx);
	struct ibv_mr *mr;
	int code, ret = 0;

	if (!pd)
		return err_set(err, errno, "%s: protection domain", name);
	mr = ibv_reg_dmabuf_mr(pd, 0, length, 0, fd, IBV_ACCESS_LOCAL_WRITE |
			       IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE);
	code = mr ? 0 : errno;
	if (code && (code != EBADF || fd >= 0))
		ret = err_msg(err, EOPNOTSUPP, "%s imports no dma-buf that can be taken back: %s",
			      name, strerror(code));
	if (mr && ibv_dereg_mr(mr))
		ret = err_set(err, errno, "%s: deregister a dma-buf", name);
	ibv_dealloc_pd(pd);
	return ret;
}

int verbs_dmabuf(int fd, uint64_t length, struct iopmem_err *err)
{
	struct ibv_context **list;
	int n = 0, ret = 0;

	list = rdma_get_devices(&n);
	if (!list || !n)
		ret = err_msg(err, ENODEV, "fabric verbs: there is no RDMA device");
	for (int i = 0; i < n && !ret; i++)
		ret = try_dmabuf(list[i], fd, length, err);
	if (list)
		rdma_free_devices(list);
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
