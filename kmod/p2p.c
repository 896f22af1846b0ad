// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which NICs reach the card: /sys/bus/pci/devices/<card>/iopmem/p2p.
 *
 * One line for each PCI function with an RDMA device, before them one for the function
 * that was asked for by writing its address (an empty line asks for none):
 *
 *	GRADE FUNCTION RDMA-DEVICES ROUTE: REASON; REASON... [-> REMEDY]
 *
 * The kernel itself makes no such check for this memory: it takes it for ordinary
 * RAM.
 */
#include "iopmem.h"
#include "p2p_judge.h"

#include <linux/device/class.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/pci-p2pdma.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#ifdef CONFIG_X86
#include <asm/processor.h>
#endif

#define P2P_ASKED	BIT_ULL(63)	/* there is one; 0 is a function, too */
#define P2P_LINE	1024
#define P2P_RDMA	128		/* names of a function's RDMA devices */
/* Room for the line that counts what did not fit. */
#define P2P_TAIL	80

/*
 * Intel root complexes that pass requests between root ports, by their function
 * 00.0; the first four only below one host bridge.  As pci_p2pdma has it, for
 * kernels without it.
 */
static const u16 iopmem_p2p_intel[] = {
	0x3c00, 0x3c01, 0x2f00, 0x2f01,
	0x2030, 0x2031, 0x2032, 0x2033, 0x2020, 0x09a2,
};

#define P2P_SAME_BRIDGE_ONLY	4

static u64 iopmem_p2p_address(struct pci_dev *pdev)
{
	return P2P_ASKED | (u64)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
}

static struct pci_bus *iopmem_p2p_root(struct pci_dev *pdev)
{
	struct pci_bus *bus = pdev->bus;

	while (!pci_is_root_bus(bus))
		bus = bus->parent;
	return bus;
}

static bool iopmem_p2p_root_listed(struct pci_bus *root, bool same)
{
	struct pci_dev *bridge = pci_get_slot(root, PCI_DEVFN(0, 0));
	bool listed = false;
	size_t i;

	if (!bridge)
		return false;
	for (i = same ? 0 : P2P_SAME_BRIDGE_ONLY; i < ARRAY_SIZE(iopmem_p2p_intel); i++)
		if (bridge->vendor == PCI_VENDOR_ID_INTEL &&
		    bridge->device == iopmem_p2p_intel[i])
			listed = true;
	pci_dev_put(bridge);
	return listed;
}

static bool iopmem_p2p_listed(struct pci_dev *nic, struct pci_dev *card)
{
	struct pci_bus *a = iopmem_p2p_root(nic), *b = iopmem_p2p_root(card);

#ifdef CONFIG_X86
	/* Every AMD Zen does. */
	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD && boot_cpu_data.x86 >= 0x17)
		return true;
#endif
	return iopmem_p2p_root_listed(a, a == b) && iopmem_p2p_root_listed(b, a == b);
}

static enum p2p_kernel iopmem_p2p_kernel(struct pci_dev *nic, struct pci_dev *card)
{
	if (!IS_ENABLED(CONFIG_PCI_P2PDMA))
		return P2P_KERNEL_SILENT;
	return pci_p2pdma_distance(card, &nic->dev, false) < 0 ? P2P_KERNEL_NO :
								  P2P_KERNEL_YES;
}

static enum p2p_iommu iopmem_p2p_iommu(struct device *d)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(d);

	if (!domain)
		return P2P_IOMMU_NONE;
	switch (domain->type) {
	case IOMMU_DOMAIN_IDENTITY:
		return P2P_IOMMU_IDENTITY;
	case IOMMU_DOMAIN_BLOCKED:
		return P2P_IOMMU_BLOCKED;
	default:
		return domain->type & __IOMMU_DOMAIN_DMA_API ?
			P2P_IOMMU_TRANSLATED : P2P_IOMMU_USER;
	}
}

/* Only a driver knows what its function can address. */
static bool iopmem_p2p_too_high(struct pci_dev *nic, struct iopmem_dev *dev)
{
	u64 mask = min_not_zero(dma_get_mask(&nic->dev), nic->dev.bus_dma_limit);

	return nic->dev.driver && pci_resource_end(dev->pdev, dev->bar) > mask;
}

static bool iopmem_p2p_guest(void)
{
#ifdef CONFIG_X86
	return boot_cpu_has(X86_FEATURE_HYPERVISOR);
#else
	return false;
#endif
}

static void iopmem_p2p_end(struct pci_dev *pdev, struct p2p_end *end)
{
	struct pci_dev *bridge = pci_upstream_bridge(pdev);
	struct pci_bus *root = iopmem_p2p_root(pci_physfn(pdev));

	for (; bridge && end->nr_ports < P2P_PORTS_MAX;
	     bridge = pci_upstream_bridge(bridge)) {
		struct p2p_port *port = &end->ports[end->nr_ports++];
		int acs = pci_find_ext_capability(bridge, PCI_EXT_CAP_ID_ACS);
		u16 ctrl = 0;

		if (acs)
			pci_read_config_word(bridge, acs + PCI_ACS_CTRL, &ctrl);
		port->acs_ctrl = ctrl;
		snprintf(port->name, sizeof(port->name), "%s", pci_name(bridge));
	}
	snprintf(end->root, sizeof(end->root), "%04x:%02x", pci_domain_nr(root),
		 root->number);
}

static void iopmem_p2p_collect(struct pci_dev *nic, struct iopmem_dev *dev,
			       struct p2p_facts *f)
{
	struct pci_dev *card = dev->pdev;

	iopmem_p2p_end(nic, &f->nic);
	iopmem_p2p_end(card, &f->card);
	f->iommu = iopmem_p2p_iommu(&nic->dev);
	f->moved = pci_bus_address(card, dev->bar) != pci_resource_start(card, dev->bar);
	f->too_high = iopmem_p2p_too_high(nic, dev);
	f->listed = iopmem_p2p_listed(nic, card);
	f->kernel = iopmem_p2p_kernel(nic, card);
	f->guest = iopmem_p2p_guest();
}

/*
 * Adds the names of a function's RDMA devices.  Software devices (rxe, siw) are no
 * function's children.
 */
static int iopmem_p2p_rdma(struct device *child, void *names)
{
	size_t len = strlen(names);

	if (child->class && !strcmp(child->class->name, "infiniband"))
		scnprintf(names + len, P2P_RDMA - len, "%s%s", len ? "," : "",
			  dev_name(child));
	return 0;
}

/* What one function's line is made of; too large for the stack. */
struct iopmem_p2p {
	struct p2p_facts facts;
	struct p2p_verdict verdict;
	char rdma[P2P_RDMA];
	char line[P2P_LINE];
};

/* Returns the length of @p->line; 0 when @nic is none that is to be shown now. */
static int iopmem_p2p_line(struct iopmem_dev *dev, struct pci_dev *nic, bool asked,
			   struct iopmem_p2p *p)
{
	struct p2p_verdict *v = &p->verdict;

	memset(p, 0, sizeof(*p));
	if (asked != (iopmem_p2p_address(nic) == READ_ONCE(dev->p2p_asked)))
		return 0;
	device_for_each_child(&nic->dev, p->rdma, iopmem_p2p_rdma);
	if (!asked && !*p->rdma)
		return 0;
	iopmem_p2p_collect(nic, dev, &p->facts);
	p2p_judge(&p->facts, v);
	return scnprintf(p->line, sizeof(p->line), "%s %s %s %s: %s%s%s\n",
			 p2p_grade_name(v->grade), pci_name(nic),
			 *p->rdma ? p->rdma : "-", p2p_route_name(v->route), v->reasons,
			 v->remedy ? " -> " : "", v->remedy ?: "");
}

static ssize_t p2p_show(struct device *d, struct device_attribute *attr, char *buf)
{
	struct iopmem_p2p *p = kzalloc(sizeof(*p), GFP_KERNEL);
	struct iopmem_dev *dev = dev_get_drvdata(d);
	unsigned int more = 0, pass;
	struct pci_dev *nic = NULL;
	int len, at = 0;

	if (!p)
		return -ENOMEM;
	for (pass = 0; pass < 2; pass++) {
		for_each_pci_dev(nic) {
			len = iopmem_p2p_line(dev, nic, !pass, p);
			if (len && !more && at + len + P2P_TAIL < (int)PAGE_SIZE)
				at += sysfs_emit_at(buf, at, "%s", p->line);
			else if (len)
				more++;
		}
	}
	if (more)
		at += sysfs_emit_at(buf, at, "and %u more: write an address to see it first\n",
				    more);
	kfree(p);
	return at;
}

/* A function to be judged, too; an empty line: none. */
static ssize_t p2p_store(struct device *d, struct device_attribute *attr,
			 const char *buf, size_t len)
{
	struct iopmem_dev *dev = dev_get_drvdata(d);
	unsigned int domain, bus, slot, fn;
	struct pci_dev *pdev;

	if (len == 1 && *buf == '\n') {
		WRITE_ONCE(dev->p2p_asked, 0);
		return len;
	}
	if (sscanf(buf, "%x:%x:%x.%x", &domain, &bus, &slot, &fn) != 4 || bus > 0xff ||
	    slot > 0x1f || fn > 7)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot((int)domain, bus, PCI_DEVFN(slot, fn));
	if (!pdev)
		return -ENODEV;
	WRITE_ONCE(dev->p2p_asked, iopmem_p2p_address(pdev));
	pci_dev_put(pdev);
	return len;
}

struct device_attribute iopmem_attr_p2p = __ATTR_RW(p2p);
