// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of NVMe controllers: Controller Memory Buffer (CMB) and Persistent
 * Memory Region (PMR).
 *
 * Both are off after a reset and are switched on through the controller's
 * properties in BAR 0.  The controller itself stays disabled: no queues, no
 * commands, no DMA of its own.  References are to the NVM Express Base
 * Specification 2.0, section 3.1.3 (Controller Properties), 8.5 (CMB) and 8.14
 * (PMR).
 */
#include "iopmem.h"

#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/sizes.h>

/* Properties; doorbells begin at 0x1000. */
#define NVME_PROPS_LEN		SZ_4K
#define NVME_CAP		0x00	/* 3.1.3.1 Controller Capabilities */
#define NVME_CAP_PMRS		BIT_ULL(56)
#define NVME_CAP_CMBS		BIT_ULL(57)
#define NVME_CMBLOC		0x38	/* 3.1.3.11 CMB Location */
#define NVME_CMBLOC_BIR		GENMASK(2, 0)
#define NVME_CMBLOC_OFST	GENMASK(31, 12)
#define NVME_CMBSZ		0x3c	/* 3.1.3.12 CMB Size */
#define NVME_CMBSZ_SZU		GENMASK(11, 8)
#define NVME_CMBSZ_SZ		GENMASK(31, 12)
#define NVME_CMBMSC		0x50	/* 3.1.3.16 CMB Memory Space Control */
#define NVME_CMBMSC_CRE		BIT(0)
#define NVME_PMRCAP		0xe00	/* 3.1.3.22 PMR Capabilities */
#define NVME_PMRCAP_BIR		GENMASK(7, 5)
#define NVME_PMRCAP_PMRTU	GENMASK(9, 8)
#define NVME_PMRCAP_PMRWBM	GENMASK(11, 10)
#define NVME_PMRCAP_PMRTO	GENMASK(23, 16)
#define NVME_PMRCTL		0xe04	/* 3.1.3.23 PMR Control */
#define NVME_PMRCTL_EN		BIT(0)
#define NVME_PMRSTS		0xe08	/* 3.1.3.24 PMR Status */
#define NVME_PMRSTS_ERR		GENMASK(7, 0)
#define NVME_PMRSTS_NRDY	BIT(8)
#define NVME_PMRSTS_HSTS	GENMASK(11, 9)

/* SZU counts 4 KiB, 64 KiB ... 64 GiB. */
#define NVME_CMBSZ_SZU_MAX	6

/* What a controller offers. */
struct iopmem_nvme_memory {
	const char *name;
	int bar;
	u64 offset;
	u64 size;
};

static u32 iopmem_nvme_read(struct iopmem_dev *dev, unsigned int at)
{
	return readl(dev->nvme + at);
}

/* Where there is no CMBMSC, the property is reserved and ignores this. */
static void iopmem_nvme_cmb_off(void *data)
{
	struct iopmem_dev *dev = data;

	lo_hi_writeq(0, dev->nvme + NVME_CMBMSC);
}

static void iopmem_nvme_pmr_off(void *data)
{
	struct iopmem_dev *dev = data;

	writel(0, dev->nvme + NVME_PMRCTL);
}

/*
 * The CMB (8.5): CMBLOC and CMBSZ read as zero until CMBMSC.CRE is set.  CMSE
 * stays clear, so the controller itself never uses the memory.  Controllers
 * before NVMe 1.4 have neither CAP.CMBS nor CMBMSC, and a CMBSZ that just is
 * there.
 *
 * Result: @cmb, of size 0 where there is none.
 */
static void iopmem_nvme_cmb(struct iopmem_dev *dev, u64 cap, struct iopmem_nvme_memory *cmb)
{
	u64 unit, bar_size;
	u32 loc, size;

	if (cap & NVME_CAP_CMBS)
		lo_hi_writeq(NVME_CMBMSC_CRE, dev->nvme + NVME_CMBMSC);
	size = iopmem_nvme_read(dev, NVME_CMBSZ);
	loc = iopmem_nvme_read(dev, NVME_CMBLOC);
	*cmb = (struct iopmem_nvme_memory) { .name = "CMB" };
	if (!FIELD_GET(NVME_CMBSZ_SZ, size) ||
	    FIELD_GET(NVME_CMBSZ_SZU, size) > NVME_CMBSZ_SZU_MAX ||
	    FIELD_GET(NVME_CMBLOC_BIR, loc) >= PCI_STD_NUM_BARS)
		return;

	unit = 1ULL << (12 + 4 * FIELD_GET(NVME_CMBSZ_SZU, size));
	cmb->bar = FIELD_GET(NVME_CMBLOC_BIR, loc);
	cmb->offset = unit * FIELD_GET(NVME_CMBLOC_OFST, loc);
	cmb->size = unit * FIELD_GET(NVME_CMBSZ_SZ, size);
	/* It may say more than what its BAR shows. */
	bar_size = pci_resource_len(dev->pdev, cmb->bar);
	cmb->size = cmb->offset < bar_size ? min(cmb->size, bar_size - cmb->offset) : 0;
}

/* The PMR (8.14): the whole of the BAR that PMRCAP.BIR names. */
static void iopmem_nvme_pmr(struct iopmem_dev *dev, u64 cap, struct iopmem_nvme_memory *pmr)
{
	u32 bir = FIELD_GET(NVME_PMRCAP_BIR, iopmem_nvme_read(dev, NVME_PMRCAP));

	*pmr = (struct iopmem_nvme_memory) { .name = "PMR" };
	if (!(cap & NVME_CAP_PMRS) || bir >= PCI_STD_NUM_BARS)
		return;
	pmr->bar = bir;
	pmr->size = pci_resource_len(dev->pdev, bir);
}

/* ZONE_DEVICE works in subsections of 2 MiB: cuts off what lies in part of one. */
static int iopmem_nvme_fit(struct iopmem_dev *dev, const struct iopmem_nvme_memory *m)
{
	u64 start = pci_resource_start(dev->pdev, m->bar) + m->offset;
	u64 first = ALIGN(start, SZ_2M), end = ALIGN_DOWN(start + m->size, SZ_2M);

	if (pci_resource_flags(dev->pdev, m->bar) & IORESOURCE_UNSET) {
		pci_err(dev->pdev, "BAR %d %pR: the platform has given it no address\n", m->bar,
			&dev->pdev->resource[m->bar]);
		return -ENODEV;
	}
	if (first >= end) {
		pci_err(dev->pdev, "NVMe %s: %#llx bytes at offset %#llx of BAR %d hold no whole 2 MiB page\n",
			m->name, m->size, m->offset, m->bar);
		return -EINVAL;
	}
	if (end - first != m->size)
		pci_info(dev->pdev, "NVMe %s: %#llx of %#llx bytes at offset %#llx of BAR %d are whole 2 MiB pages\n",
			 m->name, end - first, m->size, m->offset, m->bar);
	dev->bar = m->bar;
	dev->phys = first;
	dev->size = end - first;
	return 0;
}

/*
 * Return: 0 once the PMR takes accesses; PMRCAP says how long that may take, in
 * steps of 500 ms or of minutes.
 */
static int iopmem_nvme_pmr_ready(struct iopmem_dev *dev)
{
	u32 cap = iopmem_nvme_read(dev, NVME_PMRCAP), sts;
	unsigned int step_ms = FIELD_GET(NVME_PMRCAP_PMRTU, cap) ? 60000 : 500;
	unsigned int steps = FIELD_GET(NVME_PMRCAP_PMRTO, cap) + 1;
	unsigned long until = jiffies + msecs_to_jiffies(step_ms * steps);

	for (;;) {
		sts = iopmem_nvme_read(dev, NVME_PMRSTS);
		if (sts == ~0U)
			return -EIO;
		if (!(sts & NVME_PMRSTS_NRDY))
			break;
		if (time_after(jiffies, until)) {
			pci_err(dev->pdev, "NVMe PMR is not ready in time, PMRSTS %#x\n", sts);
			return -ETIMEDOUT;
		}
		msleep(20);
	}
	/* Restore error, read-only or unreliable: not what a disk may be made of. */
	if (sts & (NVME_PMRSTS_HSTS | NVME_PMRSTS_ERR)) {
		pci_err(dev->pdev, "NVMe PMR is not healthy, PMRSTS %#x\n", sts);
		return -EIO;
	}
	return 0;
}

static int iopmem_nvme_use_pmr(struct iopmem_dev *dev)
{
	int err;

	writel(NVME_PMRCTL_EN, dev->nvme + NVME_PMRCTL);
	err = devm_add_action_or_reset(&dev->pdev->dev, iopmem_nvme_pmr_off, dev);
	if (err)
		return err;
	err = iopmem_nvme_pmr_ready(dev);
	if (err)
		return err;
	dev->pmr = true;
	dev->why = "NVMe PMR";
	if (FIELD_GET(NVME_PMRCAP_PMRWBM, iopmem_nvme_read(dev, NVME_PMRCAP)))
		dev->persistent = IOPMEM_PERSISTENT_YES;
	else
		pci_warn(dev->pdev, "NVMe PMR without a write barrier (PMRCAP.PMRWBM): not taken for persistent\n");
	return 0;
}

static int iopmem_nvme_map_props(struct iopmem_dev *dev)
{
	struct pci_dev *pdev = dev->pdev;
	phys_addr_t start = pci_resource_start(pdev, 0);

	if (!(pci_resource_flags(pdev, 0) & IORESOURCE_MEM) ||
	    pci_resource_flags(pdev, 0) & IORESOURCE_UNSET ||
	    pci_resource_len(pdev, 0) < NVME_PROPS_LEN) {
		pci_err(pdev, "NVMe: BAR 0 %pR holds no controller properties\n",
			&pdev->resource[0]);
		return -ENODEV;
	}
	/* Not the whole BAR, in which the CMB may lie, too. */
	if (!devm_request_mem_region(&pdev->dev, start, NVME_PROPS_LEN, IOPMEM_NAME)) {
		pci_err(pdev, "BAR 0 %pR is in use by another driver\n", &pdev->resource[0]);
		return -EBUSY;
	}
	dev->nvme = devm_ioremap(&pdev->dev, start, NVME_PROPS_LEN);
	if (!dev->nvme) {
		pci_err(pdev, "NVMe: no address space for the controller properties\n");
		return -ENOMEM;
	}
	return 0;
}

/* Return: one of the two, or NULL after a message. */
static struct iopmem_nvme_memory *iopmem_nvme_choose(struct iopmem_dev *dev, int named,
						     struct iopmem_nvme_memory *cmb,
						     struct iopmem_nvme_memory *pmr)
{
	if (!cmb->size && !pmr->size) {
		pci_err(dev->pdev, "NVMe controller without CMB and without PMR\n");
		return NULL;
	}
	if (named < 0)
		return pmr->size >= cmb->size ? pmr : cmb;
	if (pmr->size && pmr->bar == named)
		return pmr;
	if (cmb->size && cmb->bar == named)
		return cmb;
	pci_err(dev->pdev, "parameter bar: BAR %d holds neither CMB nor PMR\n", named);
	return NULL;
}

static int iopmem_nvme_use_cmb(struct iopmem_dev *dev)
{
	dev->persistent = IOPMEM_PERSISTENT_NO;
	dev->why = "NVMe CMB";
	return devm_add_action_or_reset(&dev->pdev->dev, iopmem_nvme_cmb_off, dev);
}

/**
 * iopmem_nvme_select - find the memory of an NVMe controller and switch it on
 * @dev:   the card, an NVMe function
 * @named: BAR that the parameter names, or negative: the larger memory
 *
 * Sets bar, phys, size, persistent and why.  Devres switches the memory off
 * again, after everything that maps it is gone.
 *
 * Return: 0, or -errno after a message.
 */
int iopmem_nvme_select(struct iopmem_dev *dev, int named)
{
	struct iopmem_nvme_memory cmb, pmr, *use;
	u64 cap;
	int err;

	err = iopmem_nvme_map_props(dev);
	if (err)
		return err;
	cap = lo_hi_readq(dev->nvme + NVME_CAP);
	iopmem_nvme_pmr(dev, cap, &pmr);
	iopmem_nvme_cmb(dev, cap, &cmb);
	use = iopmem_nvme_choose(dev, named, &cmb, &pmr);
	err = use ? iopmem_nvme_fit(dev, use) : -ENODEV;
	if (!err && use == &cmb)
		return iopmem_nvme_use_cmb(dev);
	/* It was on to be asked where it is. */
	iopmem_nvme_cmb_off(dev);
	return err ?: iopmem_nvme_use_pmr(dev);
}

/**
 * iopmem_nvme_flush - make what has arrived at a PMR survive a power loss
 * @dev: the card; the writes are posted and read back already
 *
 * Reading PMRSTS is the barrier where PMRCAP.PMRWBM says so (8.14); where it
 * does not, the read from the memory before was it.  The status is looked at in
 * both cases.
 *
 * Return: 0, or -EIO if the region has failed.
 */
int iopmem_nvme_flush(struct iopmem_dev *dev)
{
	u32 sts = iopmem_nvme_read(dev, NVME_PMRSTS);

	if (!(sts & (NVME_PMRSTS_ERR | NVME_PMRSTS_NRDY | NVME_PMRSTS_HSTS)))
		return 0;
	dev_err_ratelimited(&dev->pdev->dev, "NVMe PMR has failed, PMRSTS %#x\n", sts);
	return -EIO;
}
