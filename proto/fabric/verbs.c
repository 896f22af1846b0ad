// SPDX-License-Identifier: BSD-3-Clause
/* The verbs provider: opening a server, and why one cannot be opened. */
#include "fabric/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fabric/sockaddr.h"

#define BACKLOG		128
#define RXE_VENDOR_ID	0xffffff
#define RXE_PAGE	4096
#define MEMLOCK_MIN	(64ULL << 20)	/* below it not even a few segments fit */

int verbs_fd_setup(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return 0;
}

uint32_t verbs_path_mtu(struct ibv_qp *qp)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	if (ibv_query_qp(qp, &attr, IBV_QP_PATH_MTU, &init) || attr.path_mtu < IBV_MTU_256 ||
	    attr.path_mtu > IBV_MTU_4096)
		return 0;
	return 128U << attr.path_mtu;
}

static int check_device(struct iopmem_err *err)
{
	struct ibv_device **list;
	int n = 0;

	list = ibv_get_device_list(&n);
	if (list)
		ibv_free_device_list(list);
	if (!n)
		return err_msg(err, ENODEV,
			       "fabric verbs: there is no RDMA device (ibv_devices lists none): load the driver of the NIC, or rdma_rxe and 'rdma link add rxe0 type rxe netdev ...'");
	if (access("/dev/infiniband/rdma_cm", F_OK))
		return err_msg(err, ENODEV,
			       "fabric verbs: there is no /dev/infiniband/rdma_cm: load the module rdma_ucm");
	return 0;
}

static bool may_lock_memory(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK);
}

static int check_memlock(struct iopmem_err *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return err_set(err, errno, "fabric verbs: RLIMIT_MEMLOCK");
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= MEMLOCK_MIN ||
	    may_lock_memory())
		return 0;
	return err_msg(err, ENOMEM,
		       "fabric verbs: RLIMIT_MEMLOCK is %llu KiB, and registered memory is locked memory: set LimitMEMLOCK=infinity, 'ulimit -l unlimited', or give CAP_IPC_LOCK",
		       (unsigned long long)limit.rlim_cur >> 10);
}

static int bind_to(struct verbs_server *server, const struct fabric_server_attr *attr,
		   struct iopmem_err *err)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int ret;

	if (attr->address) {
		ret = sockaddr_parse(attr->address, attr->port, &ss, &len, err);
		if (ret)
			return ret;
		snprintf(server->address, sizeof(server->address), "%s", attr->address);
	} else {
		sockaddr_any(AF_INET6, attr->port, &ss, &len);
	}
	ret = rdma_bind_addr(server->listen, (struct sockaddr *)&ss);
	if (ret && !attr->address) {		/* a kernel without IPv6 */
		sockaddr_any(AF_INET, attr->port, &ss, &len);
		ret = rdma_bind_addr(server->listen, (struct sockaddr *)&ss);
	}
	if (ret && attr->address && (errno == ENODEV || errno == EADDRNOTAVAIL))
		return err_msg(err, errno, "fabric verbs: no RDMA device has the address %s",
			       attr->address);
	if (ret || rdma_listen(server->listen, BACKLOG))
		return err_set(err, errno, "fabric verbs: listen on %s port %u",
			       attr->address ? attr->address : "all addresses", attr->port);
	server->port = ntohs(rdma_get_src_port(server->listen));
	return 0;
}

static int server_open(const struct fabric_server_attr *attr, struct fabric_server **out,
		       struct iopmem_err *err)
{
	struct verbs_server *server;
	int ret = check_device(err);

	if (!ret)
		ret = check_memlock(err);
	if (ret)
		return ret;
	server = calloc(1, sizeof(*server));
	if (!server)
		return err_set(err, ENOMEM, "fabric verbs: open");
	server->base.ops = &fabric_verbs;
	server->attr.event = attr->event;
	server->attr.arg = attr->arg;
	if (attr->demand)
		server->demand = *attr->demand;
	TAILQ_INIT(&server->peers);
	TAILQ_INIT(&server->conns);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);

	server->channel = rdma_create_event_channel();
	if (!server->channel) {
		ret = err_set(err, errno, "fabric verbs: /dev/infiniband/rdma_cm");
		goto err_channel;
	}
	ret = verbs_fd_setup(server->channel->fd);
	if (ret) {
		err_set(err, -ret, "fabric verbs: event channel");
		goto err_id;
	}
	if (rdma_create_id(server->channel, &server->listen, NULL, RDMA_PS_TCP)) {
		ret = err_set(err, errno, "fabric verbs: rdma_create_id");
		goto err_id;
	}
	ret = bind_to(server, attr, err);
	if (ret)
		goto err_bind;
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->wake_fd < 0) {
		ret = err_set(err, errno, "fabric verbs: eventfd");
		goto err_bind;
	}
	ret = pthread_create(&server->thread, NULL, verbs_cm_main, server);
	if (ret) {
		ret = err_set(err, ret, "fabric verbs: event thread");
		goto err_thread;
	}
	*out = &server->base;
	return 0;
err_thread:
	close(server->wake_fd);
err_bind:
	rdma_destroy_id(server->listen);
err_id:
	rdma_destroy_event_channel(server->channel);
err_channel:
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server);
	return ret;
}

static bool device_can_demand(struct ibv_context *ctx, bool *rxe)
{
	const uint32_t want = IBV_ODP_SUPPORT_READ | IBV_ODP_SUPPORT_WRITE;
	struct ibv_device_attr_ex attr;

	if (ibv_query_device_ex(ctx, NULL, &attr))
		return false;
	*rxe = attr.orig_attr.vendor_id == RXE_VENDOR_ID;
	return (attr.odp_caps.general_caps & IBV_ODP_SUPPORT) &&
	       (attr.odp_caps.per_transport_caps.rc_odp_caps & want) == want;
}

static int demand(struct fabric_demand *out, struct iopmem_err *err)
{
	struct ibv_context **list;
	int n = 0, ret = check_device(err);

	if (ret)
		return ret;
	list = rdma_get_devices(&n);
	if (!list)
		return err_set(err, errno, "fabric verbs: open the RDMA devices");
	*out = (struct fabric_demand){ .able = n > 0, .nic = true, .io_align = 1 };
	for (int i = 0; i < n; i++) {
		bool rxe = false;

		out->able = out->able && device_can_demand(list[i], &rxe);
		if (rxe) {
			out->own_addr = true;
			out->io_align = RXE_PAGE;
			out->min_path_mtu = RXE_PAGE;
		}
	}
	rdma_free_devices(list);
	return 0;
}

static void server_info(const struct fabric_server *base, struct fabric_info *info)
{
	const struct verbs_server *server = (const struct verbs_server *)base;

	memcpy(info->address, server->address, sizeof(info->address));
	info->port = server->port;
	info->needs_addr = 1;
	if (server->demand.able) {
		info->io_align = server->demand.io_align;
		info->min_path_mtu = server->demand.min_path_mtu;
	}
}

static void server_close(struct fabric_server *base)
{
	struct verbs_server *server = (struct verbs_server *)base;

	pthread_mutex_lock(&server->lock);
	server->stop = true;
	pthread_mutex_unlock(&server->lock);
	verbs_wake(server);
	pthread_join(server->thread, NULL);
	rdma_destroy_id(server->listen);
	rdma_destroy_event_channel(server->channel);
	close(server->wake_fd);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const struct fabric_provider fabric_verbs = {
	.name = "verbs",
	.server_open = server_open,
	.demand = demand,
	.dmabuf = verbs_dmabuf,
	.server_info = server_info,
	.server_close = server_close,
	.server_ports = verbs_ports,
	.peer_new = verbs_peer_new,
	.peer_token = verbs_peer_token,
	.peer_disconnect = verbs_peer_disconnect,
	.peer_free = verbs_peer_free,
	.mr_reg = verbs_mr_reg,
	.mr_dereg = verbs_mr_dereg,
	.connect = verbs_connect,
	.disconnect = verbs_disconnect,
	.buf_reg = verbs_buf_reg,
	.buf_dereg = verbs_buf_dereg,
	.post = verbs_post,
	.kick = verbs_kick,
	.poll = verbs_poll,
	.fds = verbs_fds,
	.arm = verbs_arm,
};
