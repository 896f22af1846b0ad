// SPDX-License-Identifier: BSD-3-Clause
/*
 * An "RDMA device" that does nothing but be the child of a PCI function, as that of a
 * NIC: no emulator has a PCIe NIC with RDMA.  Only where ib_core is not loaded, whose
 * class it borrows the name of.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>

static char *function;
module_param(function, charp, 0444);
MODULE_PARM_DESC(function, "address of the PCI function");

static struct class rdma_stub_class = { .name = "infiniband" };
static struct device *rdma_stub;

static int __init rdma_stub_init(void)
{
	struct device *parent;
	int err;

	parent = function ? bus_find_device_by_name(&pci_bus_type, NULL, function) : NULL;
	if (!parent)
		return -ENODEV;
	err = class_register(&rdma_stub_class);
	if (err)
		goto out;
	rdma_stub = device_create(&rdma_stub_class, parent, 0, NULL, "stub_0");
	err = PTR_ERR_OR_ZERO(rdma_stub);
	if (err)
		class_unregister(&rdma_stub_class);
out:
	put_device(parent);
	return err;
}

static void __exit rdma_stub_exit(void)
{
	device_unregister(rdma_stub);
	class_unregister(&rdma_stub_class);
}

module_init(rdma_stub_init);
module_exit(rdma_stub_exit);

MODULE_DESCRIPTION("An RDMA device in name only, for tests of iopmem");
MODULE_LICENSE("Dual BSD/GPL");
