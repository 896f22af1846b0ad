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

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	dev->bar = iopmem_bar_select(pdev);
	if (dev->bar < 0)
		return dev->bar;
	dev->coherent = iopmem_bar_declared_coherent(pdev);
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

	pci_info(pdev, "iopmem%d: BAR %d, %llu MiB at %pa, %s%s\n", dev->id,
		 dev->bar, dev->size >> 20, &dev->phys,
		 iopmem_bar_cache_name(dev->cache),
		 dev->coherent ? ", declared coherent" : "");
	if (!iopmem_bar_safe(dev))
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
 * nobody may hold a page any more; only then devres unmaps.
 */
static void iopmem_pci_remove(struct pci_dev *pdev)
{
	struct iopmem_dev *dev = pci_get_drvdata(pdev);

	iopmem_dev_drain(dev);
	iopmem_block_stop(dev);
	iopmem_bar_wait_idle(dev);
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
	.driver = {
		/*
		 * unbind through sysfs cannot say no and would wait for the
		 * server in remove(); rmmod refuses instead.
		 */
		.suppress_bind_attrs = true,
	},
};
