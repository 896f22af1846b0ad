// SPDX-License-Identifier: GPL-2.0-only
/*
 * What importers of a dma-buf call.
 *
 * An importer must take memory without struct pages and must give it back when
 * told so.  Until 7.x an importer that pins cannot be told from one that does
 * not before it pins; kernels without CONFIG_DMABUF_MOVE_NOTIFY pin, too, right
 * before each mapping.  That pin is the one that an attachment may have above
 * its mappings.
 */
#include "dmabuf_buf.h"

#include <linux/dma-mapping.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "trace.h"

IOPMEM_IMPORT_DMA_BUF;

/* A scatterlist entry has 32 bits for its length. */
#define IOPMEM_SG_MAX		SZ_1G

static int iopmem_buf_attachable(struct iopmem_buf *b, struct dma_buf_attachment *attach)
{
	/* Without operations: static mappings, which live as long as the attachment. */
	if (!attach->peer2peer || !iopmem_attach_revocable(attach) ||
	    !attach->dev->dma_mask)
		return -EOPNOTSUPP;
	return READ_ONCE(b->revoked) ? -ENODEV : 0;
}

static int iopmem_buf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct iopmem_buf *b = dmabuf->priv;
	struct iopmem_importer *imp = NULL;
	int err;

	err = iopmem_buf_attachable(b, attach);
	if (err)
		goto out;
	imp = kzalloc(sizeof(*imp), GFP_KERNEL);
	if (!imp) {
		err = -ENOMEM;
		goto out;
	}
	strscpy(imp->name, dev_name(attach->dev), sizeof(imp->name));
	mutex_lock(&iopmem_bufs_mutex);
	/* Under the mutex @dev is there as long as @layout is. */
	if (b->layout) {
		imp->p2p = iopmem_p2p_mappable(b->dev->pdev, attach->dev);
		list_add_tail(&imp->node, &b->attachments);
		attach->priv = imp;
	} else {
		err = -ENODEV;
	}
	mutex_unlock(&iopmem_bufs_mutex);
	if (err)
		kfree(imp);
out:
	trace_iopmem_dmabuf_attach(b->ino, b->start, dev_name(attach->dev), err);
	return err;
}

static void iopmem_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct iopmem_importer *imp = attach->priv;
	struct iopmem_buf *b = dmabuf->priv;

	/* Who knows what its device still does: the mapping counts for ever. */
	if (imp->mappings)
		pr_warn_ratelimited(IOPMEM_NAME ": inode %lu: %s detaches without unmapping\n",
				    b->ino, imp->name);
	mutex_lock(&iopmem_bufs_mutex);
	list_del(&imp->node);
	mutex_unlock(&iopmem_bufs_mutex);
	kfree(imp);
}

static int iopmem_buf_pin(struct dma_buf_attachment *attach)
{
	struct iopmem_importer *imp = attach->priv;

	if (!IOPMEM_PINS_REVOCABLE &&
	    (!IOPMEM_MAP_PINS || imp->pins != imp->mappings))
		return -EOPNOTSUPP;
	imp->pins++;
	return 0;
}

static void iopmem_buf_unpin(struct dma_buf_attachment *attach)
{
	struct iopmem_importer *imp = attach->priv;

	imp->pins--;
}

/* What was not mapped for writing is not writable for a device behind an IOMMU either. */
static enum dma_data_direction iopmem_buf_dir(const struct iopmem_buf *b,
					      enum dma_data_direction dir)
{
	return b->rw ? dir : DMA_TO_DEVICE;
}

static void iopmem_sgt_free(struct sg_table *sgt, struct device *dev,
			    enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		if (sg_dma_len(sg))
			dma_unmap_resource(dev, sg_dma_address(sg), sg_dma_len(sg),
					   dir, DMA_ATTR_SKIP_CPU_SYNC);
	sgt->orig_nents = sgt->nents;
	sg_free_table(sgt);
	kfree(sgt);
}

static int iopmem_sgt_fill(struct sg_table *sgt, const struct iopmem_buf *b,
			   struct device *dev, enum dma_data_direction dir)
{
	struct scatterlist *sg = sgt->sgl;
	size_t i, done, len;
	dma_addr_t addr;

	for (i = 0; i < b->nr_runs; i++) {
		for (done = 0; done < b->runs[i].len; done += len) {
			len = min_t(size_t, b->runs[i].len - done, IOPMEM_SG_MAX);
			addr = dma_map_resource(dev, b->runs[i].paddr + done, len, dir,
						DMA_ATTR_SKIP_CPU_SYNC);
			if (dma_mapping_error(dev, addr))
				return -EIO;
			sg_dma_address(sg) = addr;
			sg_dma_len(sg) = len;
			sg = sg_next(sg);
		}
	}
	return 0;
}

/*
 * Addresses for the device only: the entries of the CPU's list are none
 * (orig_nents), so that nobody looks for struct pages.
 */
static struct sg_table *iopmem_sgt_new(const struct iopmem_buf *b, struct device *dev,
				       enum dma_data_direction dir)
{
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	unsigned int nents = 0;
	size_t i;
	int err;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < b->nr_runs; i++)
		nents += DIV_ROUND_UP(b->runs[i].len, IOPMEM_SG_MAX);
	err = sg_alloc_table(sgt, nents, GFP_KERNEL);
	if (err) {
		kfree(sgt);
		return ERR_PTR(err);
	}
	sgt->orig_nents = 0;
	err = iopmem_sgt_fill(sgt, b, dev, dir);
	if (err) {
		iopmem_sgt_free(sgt, dev, dir);
		return ERR_PTR(err);
	}
	return sgt;
}

static struct sg_table *iopmem_buf_map_locked(struct dma_buf_attachment *attach,
					      enum dma_data_direction dir)
{
	struct iopmem_buf *b = attach->dmabuf->priv;
	struct iopmem_importer *imp = attach->priv;

	if (b->revoked)
		return ERR_PTR(-ENODEV);
	if (!b->rw && dir == DMA_FROM_DEVICE)
		return ERR_PTR(-EACCES);
	dir = iopmem_buf_dir(b, dir);
	if (!imp->p2p)
		return iopmem_sgt_new(b, attach->dev, dir);
	return iopmem_p2p_map(attach, b->dev->pdev, b->dev->bar, b->runs, b->nr_runs,
			      b->end - b->start, dir);
}

static struct sg_table *iopmem_buf_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction dir)
{
	struct iopmem_buf *b = attach->dmabuf->priv;
	struct iopmem_importer *imp = attach->priv;
	struct sg_table *sgt;

	dma_resv_assert_held(&b->resv);
	sgt = iopmem_buf_map_locked(attach, dir);
	if (!IS_ERR(sgt)) {
		WRITE_ONCE(b->mappings, b->mappings + 1);
		WRITE_ONCE(imp->mappings, imp->mappings + 1);
	}
	trace_iopmem_dmabuf_map(b->ino, b->start, b->end - b->start, imp->name,
				PTR_ERR_OR_ZERO(sgt));
	return sgt;
}

static void iopmem_buf_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			     enum dma_data_direction dir)
{
	struct iopmem_buf *b = attach->dmabuf->priv;
	struct iopmem_importer *imp = attach->priv;

	dma_resv_assert_held(&b->resv);
	dir = iopmem_buf_dir(b, dir);
	if (imp->p2p)
		iopmem_p2p_unmap(attach, sgt, dir);
	else
		iopmem_sgt_free(sgt, attach->dev, dir);
	/* Last: from here on the layout, and the card, may go. */
	WRITE_ONCE(imp->mappings, imp->mappings - 1);
	smp_store_release(&b->mappings, b->mappings - 1);	/* iopmem_buf_idle() */
	trace_iopmem_dmabuf_unmap(b->ino, b->start, b->end - b->start, imp->name);
}

/* Without attachments nothing is mapped; a fence may have been left. */
static void iopmem_buf_release(struct dma_buf *dmabuf)
{
	struct iopmem_buf *b = dmabuf->priv;

	dma_resv_lock(&b->resv, NULL);
	b->dmabuf = NULL;
	smp_store_release(&b->revoked, true);	/* iopmem_buf_idle() */
	dma_resv_unlock(&b->resv);
	mutex_lock(&iopmem_bufs_mutex);
	if (b->layout && iopmem_buf_idle(b))
		iopmem_buf_unlink(b);
	mutex_unlock(&iopmem_bufs_mutex);
	iopmem_buf_put(b);
}

const struct dma_buf_ops iopmem_buf_ops = {
	.attach = iopmem_buf_attach,
	.detach = iopmem_buf_detach,
	.pin = iopmem_buf_pin,
	.unpin = iopmem_buf_unpin,
	.map_dma_buf = iopmem_buf_map,
	.unmap_dma_buf = iopmem_buf_unmap,
	.release = iopmem_buf_release,
};
