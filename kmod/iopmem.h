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

/**
 * struct iopmem_dev - one memory card
 * @pdev:	the PCI function
 * @node:	in iopmem_devs
 * @id:		the N of /dev/iopmemN
 * @bar:	number of the BAR in use
 * @phys:	bus address of the BAR as the CPU sees it
 * @size:	bytes
 * @va:		kernel mapping of the whole BAR
 * @cache:	memory type of @va, read back from the page table
 * @coherent:	the administrator says that a write-back mapping is safe
 * @pgmap:	struct pages of the BAR
 * @dax:	DAX device
 * @disk:	block device
 * @users:	layouts on this card, under iopmem_devs_lock
 * @dead:	being removed; no new users, under iopmem_devs_lock
 * @idle:	woken when @users drops to 0
 */
struct iopmem_dev {
	struct pci_dev *pdev;
	struct list_head node;
	int id;
	int bar;
	phys_addr_t phys;
	u64 size;
	void *va;
	enum iopmem_cache cache;
	bool coherent;
	struct dev_pagemap pgmap;
	struct dax_device *dax;
	struct gendisk *disk;
	unsigned int users;
	bool dead;
	wait_queue_head_t idle;
};

void iopmem_dev_add(struct iopmem_dev *dev);
void iopmem_dev_drain(struct iopmem_dev *dev);
struct iopmem_dev *iopmem_dev_get(struct block_device *bdev);
void iopmem_dev_put(struct iopmem_dev *dev);
unsigned int iopmem_dev_count(void);

/* ---- bar.c: which memory, and its pages ------------------------------------ */

int iopmem_bar_select(struct pci_dev *pdev);
bool iopmem_bar_declared_coherent(struct pci_dev *pdev);
int iopmem_bar_map(struct iopmem_dev *dev);
void iopmem_bar_wait_idle(struct iopmem_dev *dev);

/* ---- cache.c: memory types ------------------------------------------------ */

const char *iopmem_bar_cache_name(enum iopmem_cache cache);
bool iopmem_bar_safe(const struct iopmem_dev *dev);
enum iopmem_cache iopmem_bar_read_cache(void *va);

/* ---- access.c: CPU accesses to it ------------------------------------------ */

void iopmem_bar_read(struct iopmem_dev *dev, u64 offset, void *to, size_t len);
void iopmem_bar_write(struct iopmem_dev *dev, u64 offset, const void *from,
		      size_t len);
void iopmem_bar_zero(struct iopmem_dev *dev, u64 offset, u64 len);
void iopmem_bar_writeback(struct iopmem_dev *dev, u64 offset, u64 len);
int iopmem_bar_flush(struct iopmem_dev *dev);

/* ---- pci.c, block.c, dax.c, sysfs.c --------------------------------------- */

extern struct pci_driver iopmem_pci_driver;
extern const struct block_device_operations iopmem_bdops;
extern const struct attribute_group *iopmem_dev_groups[];

int iopmem_block_add(struct iopmem_dev *dev);
void iopmem_block_stop(struct iopmem_dev *dev);
void iopmem_block_free(struct iopmem_dev *dev);
int iopmem_dax_add(struct iopmem_dev *dev);
int iopmem_dax_memory_failure(struct dev_pagemap *pgmap, unsigned long pfn,
			      unsigned long nr_pages, int mf_flags);

#endif /* IOPMEM_H */
