// SPDX-License-Identifier: BSD-3-Clause
/*
 * Regions over dma-bufs: verbs_mr.c alone, on devices that are made up here.  No software NIC imports dma-bufs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fabric/verbs.h"

#define MIB		(1ULL << 20)
#define DMABUF		77
#define RKEY		0xabcd

const struct fabric_provider fabric_verbs;

/* What the devices do. */
static struct ibv_device devices[2] = { { .name = "good0" }, { .name = "other0" } };
static struct ibv_context contexts[2] = { { .device = &devices[0] }, { .device = &devices[1] } };
static struct ibv_context *list[] = { &contexts[0], &contexts[1], NULL };
static struct ibv_pd pds[2] = { { .context = &contexts[0] }, { .context = &contexts[1] } };
static int nr_devices, reg_errno[2], dereg_ret, pds_alive, mrs_alive;

/* The last registration. */
static struct {
	struct ibv_pd *pd;
	uint64_t offset, length, iova;
	int fd, access, calls;
} reg;

struct ibv_context **rdma_get_devices(int *n)
{
	*n = nr_devices;
	return nr_devices ? list : NULL;
}

void rdma_free_devices(struct ibv_context **l)
{
	assert_ptr_equal(l, list);
}

struct ibv_pd *ibv_alloc_pd(struct ibv_context *context)
{
	pds_alive++;
	return &pds[context - contexts];
}

int ibv_dealloc_pd(struct ibv_pd *pd)
{
	(void)pd;
	pds_alive--;
	return 0;
}

const char *ibv_get_device_name(struct ibv_device *device)
{
	return device->name;
}

struct ibv_mr *ibv_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova, int fd, int access)
{
	static struct ibv_mr mr = { .rkey = RKEY };

	reg.pd = pd;
	reg.offset = offset;
	reg.length = length;
	reg.iova = iova;
	reg.fd = fd;
	reg.access = access;
	reg.calls++;
	errno = reg_errno[pd - pds];
	if (errno)
		return NULL;
	mrs_alive++;
	return &mr;
}

struct ibv_mr *ibv_reg_mr_iova2(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova, unsigned int access)
{
	(void)pd;
	(void)addr;
	(void)length;
	(void)iova;
	(void)access;
	fail_msg("an ordinary registration");
	return NULL;
}

int ibv_dereg_mr(struct ibv_mr *mr)
{
	int ret = dereg_ret;

	(void)mr;
	dereg_ret = 0;
	if (!ret)
		mrs_alive--;
	return ret;
}

static int setup(void **state)
{
	(void)state;
	nr_devices = 2;
	reg_errno[0] = reg_errno[1] = 0;
	dereg_ret = pds_alive = mrs_alive = 0;
	memset(&reg, 0, sizeof(reg));
	return 0;
}

static struct verbs_server server = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .demand = { .able = true, .own_addr = true },
};
static struct verbs_peer peer = { .server = &server, .pd = &pds[0] };

static const struct memsrc source = {
	.fd = 5, .file_offset = 3 * MIB, .length = MIB, .kind = MEMSRC_DMABUF, .dmabuf = DMABUF,
};

/* All of the dma-buf, and the remote address of a byte is its file offset, whatever on-demand regions have. */
static void registers(void **state)
{
	struct iopmem_err err = { 0 };
	struct fabric_mr *mr;

	(void)state;
	assert_int_equal(verbs_mr_reg(&peer.base, &source, FABRIC_READ | FABRIC_WRITE, &mr, &err), 0);
	assert_ptr_equal(reg.pd, &pds[0]);
	assert_int_equal(reg.offset, 0);
	assert_int_equal(reg.length, MIB);
	assert_int_equal(reg.iova, 3 * MIB);
	assert_int_equal(reg.fd, DMABUF);
	assert_int_equal(reg.access, IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_LOCAL_WRITE);
	assert_int_equal(mr->rkey, RKEY);
	assert_int_equal(mr->raddr, 3 * MIB);
	assert_int_equal(peer.nr_mrs, 1);
	dereg_ret = EBUSY;
	assert_int_equal(verbs_mr_dereg(mr), -EBUSY);
	assert_int_equal(peer.nr_mrs, 1);
	dereg_ret = EINTR;
	assert_int_equal(verbs_mr_dereg(mr), 0);
	assert_int_equal(peer.nr_mrs, 0);
	assert_int_equal(mrs_alive, 0);

	assert_int_equal(verbs_mr_reg(&peer.base, &source, FABRIC_READ, &mr, &err), 0);
	assert_int_equal(reg.access, IBV_ACCESS_REMOTE_READ);
	assert_int_equal(verbs_mr_dereg(mr), 0);
}

static void register_fails(void **state)
{
	struct iopmem_err err = { 0 };
	struct fabric_mr *mr = NULL;

	(void)state;
	reg_errno[0] = EOPNOTSUPP;
	assert_int_equal(verbs_mr_reg(&peer.base, &source, FABRIC_READ, &mr, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "good0"));
	assert_null(mr);
	assert_int_equal(peer.nr_mrs, 0);
}

static int ask(int fd, struct iopmem_err *err)
{
	int ret = verbs_dmabuf(fd, MIB, err);

	assert_int_equal(pds_alive, 0);
	assert_int_equal(mrs_alive, 0);
	return ret;
}

/* Without a dma-buf only the drivers are asked: EBADF comes from one that looks for it. */
static void asks_drivers(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	reg_errno[0] = reg_errno[1] = EBADF;
	assert_int_equal(ask(-1, &err), 0);
	assert_int_equal(reg.calls, 2);
	reg_errno[1] = EOPNOTSUPP;
	assert_int_equal(ask(-1, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "other0"));
	reg_errno[1] = ENOSYS;
	assert_int_equal(ask(-1, &err), -EOPNOTSUPP);
	nr_devices = 0;
	assert_int_equal(ask(-1, &err), -ENODEV);
}

/* A driver that pins looks for the dma-buf, and the exporter refuses it. */
static void tries_a_dmabuf(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	assert_int_equal(ask(DMABUF, &err), 0);
	assert_int_equal(reg.fd, DMABUF);
	assert_int_equal(reg.length, MIB);
	assert_int_equal(reg.calls, 2);
	reg_errno[1] = EOPNOTSUPP;
	assert_int_equal(ask(DMABUF, &err), -EOPNOTSUPP);
	reg_errno[1] = EBADF;
	assert_int_equal(ask(DMABUF, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "other0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(registers, setup),
		cmocka_unit_test_setup(register_fails, setup),
		cmocka_unit_test_setup(asks_drivers, setup),
		cmocka_unit_test_setup(tries_a_dmabuf, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
