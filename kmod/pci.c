// SPDX-License-Identifier: GPL-2.0-only
/*
 * Binding to PCI functions.
 */
#include "iopmem.h"

#include <linux/idr.h>
#include <linux/module.h>

static DEFINE_IDA(iopmem_ids);

static const struct pci_device_id iopmem_pci_ids[] = {
	{ PCI_DEVICE(0x11f8, 0xf115) },
	/* any other function: driver_override, or new_id of the driver */
	{ }
};
MODULE_DEVICE_TABLE(pci, iopmem_pci_ids);

static int iopmem_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct iopmem_dev *dev;
	int err;

	dev = devm_kzalloc(&pdev->dev, sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	dev->pdev = pdev;
	init_waitqueue_head(&dev->idle);
	pci_set_drvdata(pdev, dev);

	err = iopmem_poison_init(dev);
	if (err)
		return err;
	err = pcim_enable_device(pdev);
	if (err)
		return err;
	err = iopmem_bar_select(dev);
	if (err)
		return err;
	dev->coherent = iopmem_param_coherent(pdev);
	dev->cache_wanted = iopmem_param_cache(pdev, dev->coherent);
	err = iopmem_bar_map(dev);
	if (err)
		return err;

	dev->id = ida_alloc(&iopmem_ids, GFP_KERNEL);
	if (dev->id < 0)
		return dev->id;
	err = iopmem_dax_add(dev);
	if (err)
		goto err_id;
	err = iopmem_block_add(dev);
	if (err)
		goto err_dax;
	iopmem_dev_add(dev);

	pci_info(pdev, "iopmem%d: BAR %d (%s), %llu MiB at %pa, %s, in programs %s%s\n",
		 dev->id, dev->bar, dev->why, dev->size >> 20, &dev->phys,
		 iopmem_cache_name(dev->cache),
		 iopmem_cache_name(dev->cache_user),
		 dev->coherent ? ", declared coherent" : "");
	if (!iopmem_cache_safe(dev))
		pci_warn(pdev, "the CPU may cache this memory while others write it: no layouts; see the parameter coherent\n");
	return 0;

err_dax:
	kill_dax(dev->dax);
	put_dax(dev->dax);
err_id:
	ida_free(&iopmem_ids, dev->id);
	return err;
}

/*
 * Order: no new layouts, the old ones recalled and gone (their NICs write into
 * this memory); then the file system is told and the disk taken away; then
 * neither a program nor a file system may know a page any more; only then devres
 * unmaps.
 */
static void iopmem_pci_remove(struct pci_dev *pdev)
{
	struct iopmem_dev *dev = pci_get_drvdata(pdev);

	iopmem_dev_drain(dev);
	iopmem_forget_sync(dev);
	iopmem_block_stop(dev);
	iopmem_forget(dev);
	put_dax(dev->dax);
	iopmem_block_free(dev);
	ida_free(&iopmem_ids, dev->id);
}

struct pci_driver iopmem_pci_driver = {
	.name = IOPMEM_NAME,
	.id_table = iopmem_pci_ids,
	.probe = iopmem_pci_probe,
	.remove = iopmem_pci_remove,
	.dev_groups = iopmem_dev_groups,
};
