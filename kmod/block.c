// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block device /dev/iopmemN.
 */
#include "iopmem.h"

#include <linux/bio.h>
#include <linux/highmem.h>
#include <linux/module.h>

static int iopmem_block_copy(struct iopmem_dev *dev, struct bio *bio)
{
	bool write = bio_op(bio) == REQ_OP_WRITE;
	struct bvec_iter iter;
	struct bio_vec bvec;
	int err;

	bio_for_each_segment(bvec, bio, iter) {
		u64 offset = (u64)iter.bi_sector << SECTOR_SHIFT;
		void *mem = bvec_kmap_local(&bvec);

		if (write)
			err = iopmem_bar_write(dev, offset, mem, bvec.bv_len);
		else
			err = iopmem_bar_read(dev, offset, mem, bvec.bv_len);
		kunmap_local(mem);
		if (err)
			return err;
		if (!write)
			flush_dcache_page(bvec.bv_page);
		/* A bio has megabytes, and a read of uncached memory takes its time. */
		cond_resched();
	}
	return 0;
}

/*
 * DISCARD and WRITE_ZEROES are not offered.  The card has no spare blocks to be
 * told about, and zeroes stored for one WRITE_ZEROES are the same stores as zero
 * pages written, so neither would save anything.
 */
static void iopmem_submit_bio(struct bio *bio)
{
	struct iopmem_dev *dev = bio->bi_bdev->bd_disk->private_data;
	bool account = blk_queue_io_stat(bio->bi_bdev->bd_disk->queue);
	unsigned long start;
	int err = 0;

	if (bio->bi_opf & REQ_PREFLUSH)
		err = iopmem_bar_flush(dev);
	if (err)
		goto out;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		if (account)
			start = bio_start_io_acct(bio);
		err = iopmem_block_copy(dev, bio);
		if (!err && bio->bi_opf & REQ_FUA)
			err = iopmem_bar_flush(dev);
		if (account)
			bio_end_io_acct(bio, start);
		break;
	case REQ_OP_FLUSH:
		err = iopmem_bar_flush(dev);
		break;
	default:
		err = -EOPNOTSUPP;
	}
out:
	if (err)
		bio->bi_status = errno_to_blk_status(err);
	bio_endio(bio);
}

const struct block_device_operations iopmem_bdops = {
	.owner = THIS_MODULE,
	.submit_bio = iopmem_submit_bio,
};

/**
 * iopmem_block_add - make the disk and show it
 * @dev: the card with its DAX device
 */
int iopmem_block_add(struct iopmem_dev *dev)
{
	struct gendisk *disk;
	int err;

	disk = iopmem_alloc_disk(dev_to_node(&dev->pdev->dev));
	if (IS_ERR(disk)) {
		pci_err(dev->pdev, "blk_alloc_disk: %ld\n", PTR_ERR(disk));
		return PTR_ERR(disk);
	}
	dev->disk = disk;
	disk->fops = &iopmem_bdops;
	disk->private_data = dev;
	snprintf(disk->disk_name, sizeof(disk->disk_name), IOPMEM_NAME "%d", dev->id);
	set_capacity(disk, dev->size >> SECTOR_SHIFT);

	err = dax_add_host(dev->dax, disk);
	if (err) {
		pci_err(dev->pdev, "dax_add_host: %d\n", err);
		goto err_disk;
	}
	err = device_add_disk(&dev->pdev->dev, disk, NULL);
	if (err) {
		pci_err(dev->pdev, "device_add_disk: %d\n", err);
		goto err_host;
	}
	return 0;

err_host:
	dax_remove_host(disk);
err_disk:
	put_disk(disk);
	return err;
}

/**
 * iopmem_block_stop - tell the file system that the memory goes away
 * @dev: the card
 *
 * On return no bio and no DAX access of the kernel runs or will run.
 */
void iopmem_block_stop(struct iopmem_dev *dev)
{
	dax_remove_host(dev->disk);
	kill_dax(dev->dax);
	del_gendisk(dev->disk);
}

void iopmem_block_free(struct iopmem_dev *dev)
{
	put_disk(dev->disk);
}
