// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading.
 */
#include "dmabuf.h"

#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

static int __init iopmem_init(void)
{
	int err;

	err = iopmem_lease_init();
	if (err)
		return err;
	err = iopmem_call_init();
	if (err)
		goto err_lease;
	err = iopmem_layout_init();
	if (err)
		goto err_call;
	err = iopmem_file_init();
	if (err)
		goto err_layout;

	/* They say themselves what does not work without them. */
	iopmem_busy_hook_init();
	iopmem_swap_hook_init();
	if (!IOPMEM_CAN_DMABUF)
		pr_info(IOPMEM_NAME ": kernel without CONFIG_DMA_SHARED_BUFFER: no memory kind dmabuf\n");

	err = pci_register_driver(&iopmem_pci_driver);
	if (err)
		goto err_hook;
	err = iopmem_ioctl_init();
	if (err)
		goto err_pci;
	return 0;

err_pci:
	pci_unregister_driver(&iopmem_pci_driver);
err_hook:
	iopmem_swap_hook_exit();
	iopmem_busy_hook_exit();
	iopmem_file_exit();
err_layout:
	iopmem_layout_exit();
err_call:
	iopmem_call_exit();
err_lease:
	iopmem_lease_exit();
	return err;
}

/* Every layout holds a reference to the module: none is left here. */
static void __exit iopmem_exit(void)
{
	iopmem_ioctl_exit();
	pci_unregister_driver(&iopmem_pci_driver);
	iopmem_swap_hook_exit();
	iopmem_busy_hook_exit();
	iopmem_file_exit();
	iopmem_layout_exit();
	iopmem_call_exit();
	iopmem_lease_exit();
}

module_init(iopmem_init);
module_exit(iopmem_exit);

MODULE_DESCRIPTION("PCIe device memory as a DAX disk, with layouts for RDMA");
MODULE_VERSION(IOPMEM_VERSION);
MODULE_LICENSE("GPL");
