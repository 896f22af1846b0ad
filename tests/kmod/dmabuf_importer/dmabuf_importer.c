// SPDX-License-Identifier: BSD-3-Clause
/*
 * Stands for the driver of a NIC that imports dma-bufs: no emulator has one.  See dmabuf_importer.h.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "dmabuf_importer.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define move_notify invalidate_mappings
#endif

/* @lock is held around all but the callback, which has the reservation lock; that one guards @sgt. */
struct importer {
	struct mutex lock;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct device *dev;
	struct sg_table *sgt;
	enum dma_data_direction dir;
	struct dma_fence *fence;
	u32 flags;
	u32 told;
	bool pinned;
};

static struct platform_device *own;

static void unmap(struct importer *imp)
{
	if (imp->sgt)
		dma_buf_unmap_attachment(imp->attach, imp->sgt, imp->dir);
	imp->sgt = NULL;
}

static void invalidate(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	imp->told++;
	if (!(imp->flags & IMPORT_KEEPS))
		unmap(imp);
}

static const struct dma_buf_attach_ops peer_ops = { .allow_peer2peer = true, .move_notify = invalidate };
static const struct dma_buf_attach_ops no_peer_ops = { .move_notify = invalidate };
static const struct dma_buf_attach_ops deaf_ops = { .allow_peer2peer = true };

static struct device *find_device(const char *name)
{
	if (!*name)
		return get_device(&own->dev);
	return bus_find_device_by_name(&pci_bus_type, NULL, name);
}

static int attach(struct importer *imp, const void __user *arg)
{
	struct import_attach a;
	const struct dma_buf_attach_ops *ops = &peer_ops;
	int err;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (imp->dmabuf)
		return -EBUSY;
	a.device[sizeof(a.device) - 1] = '\0';
	if (a.flags & IMPORT_NO_PEER)
		ops = &no_peer_ops;
	if (a.flags & IMPORT_DEAF)
		ops = &deaf_ops;
	imp->dmabuf = dma_buf_get(a.fd);
	if (IS_ERR(imp->dmabuf)) {
		err = PTR_ERR(imp->dmabuf);
		goto err_get;
	}
	imp->dev = find_device(a.device);
	if (!imp->dev) {
		err = -ENODEV;
		goto err_device;
	}
	imp->flags = a.flags;
	imp->told = 0;
	imp->attach = a.flags & IMPORT_STATIC ? dma_buf_attach(imp->dmabuf, imp->dev) :
						dma_buf_dynamic_attach(imp->dmabuf, imp->dev, ops, imp);
	if (!IS_ERR(imp->attach))
		return 0;
	err = PTR_ERR(imp->attach);
	imp->attach = NULL;
	put_device(imp->dev);
err_device:
	dma_buf_put(imp->dmabuf);
err_get:
	imp->dmabuf = NULL;
	return err;
}

static int map_locked(struct importer *imp)
{
	int err;

	if (imp->sgt)
		return -EBUSY;
	if (imp->flags & IMPORT_PINS && !imp->pinned) {
		err = dma_buf_pin(imp->attach);
		if (err)
			return err;
		imp->pinned = true;
	}
	imp->sgt = dma_buf_map_attachment(imp->attach, imp->dir);
	if (!IS_ERR(imp->sgt))
		return 0;
	err = PTR_ERR(imp->sgt);
	imp->sgt = NULL;
	return err;
}

static int map(struct importer *imp, unsigned long dir)
{
	int err;

	if (!imp->attach || dir > DMA_FROM_DEVICE)
		return -EINVAL;
	dma_resv_lock(imp->dmabuf->resv, NULL);
	imp->dir = dir;
	err = map_locked(imp);
	dma_resv_unlock(imp->dmabuf->resv);
	return err;
}

static void let_go(struct importer *imp)
{
	dma_resv_lock(imp->dmabuf->resv, NULL);
	unmap(imp);
	if (imp->pinned)
		dma_buf_unpin(imp->attach);
	imp->pinned = false;
	dma_resv_unlock(imp->dmabuf->resv);
}

static void signal_fence(struct importer *imp)
{
	if (!imp->fence)
		return;
	dma_fence_signal(imp->fence);
	dma_fence_put(imp->fence);
	imp->fence = NULL;
}

static int detach(struct importer *imp)
{
	if (!imp->attach)
		return -EINVAL;
	signal_fence(imp);
	let_go(imp);
	dma_buf_detach(imp->dmabuf, imp->attach);
	imp->attach = NULL;
	put_device(imp->dev);
	dma_buf_put(imp->dmabuf);
	imp->dmabuf = NULL;
	return 0;
}

static const char *fence_name(struct dma_fence *fence)
{
	return "dmabuf_importer";
}

static const struct dma_fence_ops fence_ops = { .get_driver_name = fence_name, .get_timeline_name = fence_name };
static DEFINE_SPINLOCK(fence_lock);

static int add_fence(struct importer *imp)
{
	struct dma_fence *fence;
	int err;

	if (!imp->attach || imp->fence)
		return -EINVAL;
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return -ENOMEM;
	dma_fence_init(fence, &fence_ops, &fence_lock, dma_fence_context_alloc(1), 1);
	dma_resv_lock(imp->dmabuf->resv, NULL);
	err = dma_resv_reserve_fences(imp->dmabuf->resv, 1);
	if (!err)
		dma_resv_add_fence(imp->dmabuf->resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(imp->dmabuf->resv);
	imp->fence = fence;
	if (err)
		signal_fence(imp);
	return err;
}

/* One piece, by words. */
static int piece(bool write, phys_addr_t at, size_t len, void *buf)
{
	void *va = memremap(at, len, MEMREMAP_WC);

	if (!va)
		return -ENOMEM;
	if (write) {
		memcpy_toio((void __iomem *)va, buf, len);
		wmb();	/* out of the write-combining buffers */
	} else {
		memcpy_fromio(buf, (void __iomem *)va, len);
	}
	memunmap(va);
	return 0;
}

/* By the addresses of the list, as a device without an IOMMU. */
static int io_locked(struct importer *imp, const struct import_io *io, void *buf)
{
	u64 skip = io->offset, done = 0;
	struct scatterlist *sg;
	int i, err;

	if (!imp->sgt)
		return -ENODEV;
	for_each_sgtable_dma_sg(imp->sgt, sg, i) {
		u64 len = sg_dma_len(sg);

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len = min(len - skip, io->length - done);
		err = piece(io->write, sg_dma_address(sg) + skip, len, buf + done);
		if (err)
			return err;
		skip = 0;
		done += len;
		if (done == io->length)
			return 0;
	}
	return -ERANGE;
}

/* User memory is touched without the reservation's lock: a fault takes mmap_lock, which comes before it. */
static int do_io(struct importer *imp, const void __user *arg)
{
	struct import_io io;
	void __user *user;
	void *buf;
	int err;

	if (copy_from_user(&io, arg, sizeof(io)))
		return -EFAULT;
	if (!imp->attach || !io.length || io.length > SZ_16M)
		return -EINVAL;
	user = u64_to_user_ptr(io.buf);
	buf = io.write ? vmemdup_user(user, io.length) : kvmalloc(io.length, GFP_KERNEL);
	if (IS_ERR_OR_NULL(buf))
		return buf ? PTR_ERR(buf) : -ENOMEM;
	dma_resv_lock(imp->dmabuf->resv, NULL);
	err = io_locked(imp, &io, buf);
	dma_resv_unlock(imp->dmabuf->resv);
	if (!err && !io.write && copy_to_user(user, buf, io.length))
		err = -EFAULT;
	kvfree(buf);
	return err;
}

static int state(struct importer *imp, void __user *arg)
{
	struct import_state s = { .told = imp->told };
	struct scatterlist *sg;
	int i;

	if (imp->attach)
		dma_resv_lock(imp->dmabuf->resv, NULL);
	if (imp->sgt) {
		s.first = sg_dma_address(imp->sgt->sgl);
		for_each_sgtable_dma_sg(imp->sgt, sg, i) {
			s.entries++;
			s.length += sg_dma_len(sg);
		}
		for_each_sgtable_sg(imp->sgt, sg, i)
			s.pages++;
	}
	if (imp->attach)
		dma_resv_unlock(imp->dmabuf->resv);
	return copy_to_user(arg, &s, sizeof(s)) ? -EFAULT : 0;
}

static int dispatch(struct importer *imp, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case IMPORT_ATTACH:
		return attach(imp, (void __user *)arg);
	case IMPORT_MAP:
		return map(imp, arg);
	case IMPORT_UNMAP:
		if (!imp->attach)
			return -EINVAL;
		let_go(imp);
		return 0;
	case IMPORT_DETACH:
		return detach(imp);
	case IMPORT_IO:
		return do_io(imp, (void __user *)arg);
	case IMPORT_FENCE:
		return add_fence(imp);
	case IMPORT_SIGNAL:
		signal_fence(imp);
		return 0;
	case IMPORT_STATE:
		return state(imp, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static long importer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct importer *imp = file->private_data;
	int err;

	mutex_lock(&imp->lock);
	err = dispatch(imp, cmd, arg);
	mutex_unlock(&imp->lock);
	return err;
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct importer *imp = kzalloc(sizeof(*imp), GFP_KERNEL);

	if (!imp)
		return -ENOMEM;
	mutex_init(&imp->lock);
	file->private_data = imp;
	return 0;
}

static int importer_release(struct inode *inode, struct file *file)
{
	struct importer *imp = file->private_data;

	detach(imp);
	kfree(imp);
	return 0;
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_release,
	.unlocked_ioctl = importer_ioctl,
};

static struct miscdevice importer_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmabuf_importer",
	.fops = &importer_fops,
};

static int __init importer_init(void)
{
	int err;

	own = platform_device_register_simple("dmabuf_importer", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(own))
		return PTR_ERR(own);
	err = dma_coerce_mask_and_coherent(&own->dev, DMA_BIT_MASK(64));
	if (!err)
		err = misc_register(&importer_misc);
	if (err)
		platform_device_unregister(own);
	return err;
}

static void __exit importer_exit(void)
{
	misc_deregister(&importer_misc);
	platform_device_unregister(own);
}

module_init(importer_init);
module_exit(importer_exit);

MODULE_DESCRIPTION("An importer of dma-bufs, for tests of iopmem");
MODULE_LICENSE("Dual BSD/GPL");
