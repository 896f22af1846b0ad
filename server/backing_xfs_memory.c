// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which memory kind an export has: dmabuf, odp or pin, in this order; and dmabuf's memory.
 *
 * A dma-buf is made for each segment.  The NIC's driver imports it and gives it up when the
 * module says so; nothing is pinned, and no page is involved.  The descriptor may be closed
 * when the region is dead: then, at the latest, the module forgets it.
 */
#include "backing_xfs.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kmod/uapi/iopmem.h"
#include "base/log.h"

/* Returns a descriptor or -errno. */
static int dmabuf_ioctl(int layout_fd, struct range r, uint32_t iomode)
{
	struct iopmem_dmabuf arg = { .size = sizeof(arg), .offset = r.offset,
				     .length = range_len(r), .iomode = iomode };

	while (ioctl(layout_fd, IOPMEM_IOC_DMABUF, &arg))
		if (errno != EINTR)
			return -errno;
	return arg.fd;
}

int xfs_dmabuf_mem_get(struct backing_file *file, struct range range, enum backing_iomode mode,
		       struct memsrc *src, struct iopmem_err *err)
{
	int fd = dmabuf_ioctl(file->layout_fd, range, mode == BACKING_RW ? IOPMEM_IOMODE_RW :
			      IOPMEM_IOMODE_READ);

	if (fd == -EAGAIN)
		return err_msg(err, EAGAIN, "'%s': the layout is broken", file->path);
	if (fd < 0)
		return err_set(err, -fd, "'%s': dma-buf of [%llu, %llu)", file->path,
			       (unsigned long long)range.offset, (unsigned long long)range.end);
	*src = (struct memsrc){ NULL, file->layout_fd, range.offset, range_len(range),
				MEMSRC_DMABUF, fd };
	return 0;
}

/* One that the NICs can try: the first page of an empty file. */
static int sample(const struct backing_export *exp, int layout_fd, struct iopmem_err *err)
{
	struct range page = { 0, exp->granule };
	struct iopmem_extent extent;
	struct iopmem_map map = { .size = sizeof(map), .length = exp->granule,
				  .iomode = IOPMEM_IOMODE_RW, .nr_extents = 1,
				  .extents = (uintptr_t)&extent };
	int fd;

	while (ioctl(layout_fd, IOPMEM_IOC_MAP, &map))
		if (errno != EINTR)
			return err_set(err, errno, "map a page to try a dma-buf");
	fd = dmabuf_ioctl(layout_fd, page, IOPMEM_IOMODE_RW);
	return fd >= 0 ? fd : err_set(err, -fd, "make a dma-buf");
}

static int try_dmabuf(const struct backing_export *exp, int layout_fd, struct iopmem_err *err)
{
	int fd = -1, ret;

	if (!(exp->caps & IOPMEM_CAP_DMABUF))
		return err_msg(err, EOPNOTSUPP, "the module offers none (kernel without"
			       " CONFIG_DMA_SHARED_BUFFER)");
	if (!exp->attr.import)
		return err_msg(err, EOPNOTSUPP, "no NIC is to be used");
	if (layout_fd >= 0)
		fd = sample(exp, layout_fd, err);
	if (layout_fd >= 0 && fd < 0)
		return fd;
	ret = exp->attr.import(fd, exp->granule, err);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int no_pins(const struct backing_export *exp, struct iopmem_err *err)
{
	if (!(exp->caps & IOPMEM_CAP_BUSY_HOOK))
		return err_msg(err, EOPNOTSUPP, "iopmem module %s: memory of a card cannot be"
			       " pinned: kprobes are off, so a local truncate would hang"
			       " (see the kernel log)", exp->module);
	return err_msg(err, EOPNOTSUPP, "iopmem module %s: memory of a card cannot be pinned"
		       " on this kernel (see the kernel log)", exp->module);
}

static int choose_named(struct backing_export *exp, const char *memory, int layout_fd,
			struct iopmem_err *err)
{
	struct iopmem_err why = { 0 };

	if (!strcmp(memory, "dmabuf")) {
		exp->dmabuf = !try_dmabuf(exp, layout_fd, &why);
		return exp->dmabuf ? 0 : err_msg(err, EOPNOTSUPP, "export '%s': memory dmabuf: %s",
						 exp->attr.name, why.text);
	}
	if (!strcmp(memory, "odp")) {
		exp->odp = (exp->caps & IOPMEM_CAP_ODP) && exp->attr.demand != BACKING_DEMAND_NO;
		return exp->odp ? 0 : err_msg(err, EOPNOTSUPP, "export '%s': memory odp: an RDMA"
					      " device of this host does no on-demand paging",
					      exp->attr.name);
	}
	return exp->caps & IOPMEM_CAP_PIN ? 0 : no_pins(exp, err);
}

/*
 * With the first two nothing is pinned.  Where a CPU moves the bytes (fabric tcp) pins cost
 * nothing, and on demand is for kernels that offer none.
 */
int xfs_choose_memory(struct backing_export *exp, int layout_fd, struct iopmem_err *err)
{
	const char *memory = exp->attr.memory;
	bool pin = exp->caps & IOPMEM_CAP_PIN;
	struct iopmem_err why = { 0 };

	if (memory && strcmp(memory, "auto"))
		return choose_named(exp, memory, layout_fd, err);
	exp->dmabuf = !try_dmabuf(exp, layout_fd, &why);
	if (exp->dmabuf)
		return 0;
	log_info("export '%s': memory auto: not dmabuf: %s", exp->attr.name, why.text);
	if (exp->caps & IOPMEM_CAP_ODP)
		exp->odp = exp->attr.demand == BACKING_DEMAND_NIC ||
			   (exp->attr.demand == BACKING_DEMAND_CPU && !pin);
	return exp->odp || pin ? 0 : no_pins(exp, err);
}
