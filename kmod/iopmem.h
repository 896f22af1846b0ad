/* SPDX-License-Identifier: GPL-2.0-only */
/* iopmem: PCIe device memory as a DAX disk.  The layouts of files on it are in layout.h. */
#ifndef IOPMEM_H
#define IOPMEM_H

#include "compat/compat.h"
#include "uapi/iopmem.h"

#include <linux/maple_tree.h>
#include <linux/pci.h>
#include <linux/wait.h>

#define IOPMEM_NAME	"iopmem"
#define IOPMEM_VERSION	"0.1.0"

/* ---- device.c: the bound cards -------------------------------------------- */

enum iopmem_cache {
	IOPMEM_CACHE_UNKNOWN,
	IOPMEM_CACHE_WB,
	IOPMEM_CACHE_WC,
	IOPMEM_CACHE_UC_MINUS,
	IOPMEM_CACHE_UC,
	IOPMEM_CACHE_WT,
};

/* Does the memory survive a power loss?  In the order of sysfs's words. */
enum iopmem_persistent {
	IOPMEM_PERSISTENT_UNKNOWN,
	IOPMEM_PERSISTENT_NO,
	IOPMEM_PERSISTENT_YES,
};

/**
 * struct iopmem_dev - one memory card
 * @pdev:	the PCI function
 * @node:	in iopmem_devs
 * @id:		the N of /dev/iopmemN
 * @bar:	number of the BAR in use
 * @why:	why that one, for a message
 * @phys:	address of the memory as the CPU sees it, in the BAR
 * @size:	bytes
 * @va:		kernel mapping of all of it
 * @persistent:	what the card says of power losses
 * @nvme:	properties of an NVMe controller, else NULL
 * @pmr:	the memory is the controller's Persistent Memory Region
 * @cache_wanted: memory type that was asked for
 * @cache:	memory type of @va, read back from the page table
 * @cache_user:	memory type of programs' mappings of files on the card
 * @coherent:	the administrator says that a write-back mapping is safe
 * @pgmap:	struct pages of the BAR
 * @bad:	its pages with memory errors
 * @dax:	DAX device
 * @disk:	block device
 * @users:	layouts on this card, under iopmem_devs_lock
 * @p2p_asked:	a function that p2p is to judge besides the NICs, or 0
 * @dead:	being removed; no new users, under iopmem_devs_lock
 * @idle:	woken when @users drops to 0
 */
struct iopmem_dev {
	struct pci_dev *pdev;
	struct list_head node;
	int id;
	int bar;
	const char *why;
	phys_addr_t phys;
	u64 size;
	void *va;
	enum iopmem_persistent persistent;
	void __iomem *nvme;
	bool pmr;
	enum iopmem_cache cache_wanted;
	enum iopmem_cache cache;
	enum iopmem_cache cache_user;
	bool coherent;
	struct dev_pagemap pgmap;
	struct maple_tree bad;
	struct dax_device *dax;
	struct gendisk *disk;
	unsigned int users;
	u64 p2p_asked;
	bool dead;
	wait_queue_head_t idle;
};

void iopmem_dev_add(struct iopmem_dev *dev);
void iopmem_dev_drain(struct iopmem_dev *dev);
struct iopmem_dev *iopmem_dev_get(struct block_device *bdev);
void iopmem_dev_put(struct iopmem_dev *dev);
unsigned int iopmem_dev_count(void);

/* When remove() says what it is waiting for: first, then in doubling steps. */
#define IOPMEM_REPORT_FIRST	(5 * HZ)
#define IOPMEM_REPORT_MAX	(60 * HZ)

/* ---- forget.c: file systems on a card that goes away ----------------------- */

void iopmem_forget_sync(struct iopmem_dev *dev);
void iopmem_forget(struct iopmem_dev *dev);

/* ---- param.c: what the administrator says --------------------------------- */

int iopmem_param_bar(struct pci_dev *pdev);
bool iopmem_param_coherent(struct pci_dev *pdev);
enum iopmem_cache iopmem_param_cache(struct pci_dev *pdev, bool coherent);

/* ---- cache.c: memory types ------------------------------------------------ */

const char *iopmem_cache_name(enum iopmem_cache cache);
bool iopmem_cache_hides(enum iopmem_cache cache);
bool iopmem_cache_safe(const struct iopmem_dev *dev);
enum iopmem_cache iopmem_cache_of(void *va);
enum iopmem_cache iopmem_cache_default(phys_addr_t phys);
int iopmem_cache_reserve(struct iopmem_dev *dev);

/* ---- bar.c: which memory, and its pages ------------------------------------ */

int iopmem_bar_select(struct iopmem_dev *dev);
int iopmem_bar_map(struct iopmem_dev *dev);
void iopmem_bar_wait_idle(struct iopmem_dev *dev);
bool iopmem_bar_in_file(struct iopmem_dev *dev, u64 *offset);

/* ---- poison.c: pages with memory errors ------------------------------------ */

int iopmem_poison_init(struct iopmem_dev *dev);
bool iopmem_poison_in(struct iopmem_dev *dev, u64 offset, u64 len);
int iopmem_poison_heal(struct iopmem_dev *dev, u64 offset, u64 len);
void iopmem_poison_forget(struct iopmem_dev *dev, u64 offset, u64 len);
bool iopmem_poison_good(struct iopmem_dev *dev, u64 *offset);
u64 iopmem_poison_bytes(struct iopmem_dev *dev);
int iopmem_poison_failure(struct dev_pagemap *pgmap, unsigned long pfn,
			  unsigned long nr_pages, int mf_flags);
size_t iopmem_poison_recovery_write(struct dax_device *dax, pgoff_t pgoff, void *addr,
				    size_t bytes, struct iov_iter *iter);

/* ---- access.c: CPU accesses to it ------------------------------------------ */

int iopmem_bar_read(struct iopmem_dev *dev, u64 offset, void *to, size_t len);
int iopmem_bar_write(struct iopmem_dev *dev, u64 offset, const void *from,
		     size_t len);
int iopmem_bar_zero(struct iopmem_dev *dev, u64 offset, u64 len);
void iopmem_bar_writeback(struct iopmem_dev *dev, u64 offset, u64 len);
int iopmem_bar_flush(struct iopmem_dev *dev);

/* ---- nvme.c: CMB and PMR of NVMe controllers ------------------------------ */

int iopmem_nvme_select(struct iopmem_dev *dev, int named);
int iopmem_nvme_flush(struct iopmem_dev *dev);

/* ---- pci.c, block.c, dax.c, sysfs.c --------------------------------------- */

extern struct pci_driver iopmem_pci_driver;
extern const struct block_device_operations iopmem_bdops;
extern const struct attribute_group *iopmem_dev_groups[];

int iopmem_block_add(struct iopmem_dev *dev);
void iopmem_block_stop(struct iopmem_dev *dev);
void iopmem_block_free(struct iopmem_dev *dev);
int iopmem_dax_add(struct iopmem_dev *dev);

/* ---- p2p.c ---------------------------------------------------------------- */

extern struct device_attribute iopmem_attr_p2p;

#endif /* IOPMEM_H */
