// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory type of a card's mappings: asked for, read back, judged.
 */
#include "iopmem.h"

#include <linux/io.h>
#ifdef CONFIG_X86_64
#include <linux/pgtable.h>
#include <asm/memtype.h>
#endif

static const char * const iopmem_cache_names[] = {
	[IOPMEM_CACHE_UNKNOWN] = "unknown",
	[IOPMEM_CACHE_WB] = "write-back",
	[IOPMEM_CACHE_WC] = "write-combining",
	[IOPMEM_CACHE_UC_MINUS] = "uncached-minus",
	[IOPMEM_CACHE_UC] = "uncached",
	[IOPMEM_CACHE_WT] = "write-through",
};

const char *iopmem_cache_name(enum iopmem_cache cache)
{
	return iopmem_cache_names[cache];
}

/**
 * iopmem_cache_safe - may others write this memory while the CPU maps it?
 * @dev: the card
 *
 * A cached mapping of a BAR that does not snoop hides or overwrites what the
 * NIC writes, and a program's mapping does so as well as the kernel's.
 */
bool iopmem_cache_safe(const struct iopmem_dev *dev)
{
	return dev->coherent || (!iopmem_cache_hides(dev->cache) &&
				 !iopmem_cache_hides(dev->cache_user));
}

/**
 * iopmem_cache_hides - may the CPU keep lines of a mapping of this type?
 * @cache: the type; one that is not known is taken for cached
 */
bool iopmem_cache_hides(enum iopmem_cache cache)
{
	return cache != IOPMEM_CACHE_WC && cache != IOPMEM_CACHE_UC_MINUS &&
	       cache != IOPMEM_CACHE_UC;
}

/**
 * iopmem_cache_of - type in force
 * @va: in a mapping of the kernel
 *
 * Out of the page table: the kernel may have granted another type than was asked
 * for (MTRRs, or somebody else's mapping).
 */
enum iopmem_cache iopmem_cache_of(void *va)
{
#ifdef CONFIG_X86_64
	/* As Linux programs the PAT: PAT, PCD and PWT bits -> type. */
	static const u8 types[] = {
		IOPMEM_CACHE_WB, IOPMEM_CACHE_WC,
		IOPMEM_CACHE_UC_MINUS, IOPMEM_CACHE_UC,
		IOPMEM_CACHE_WB, IOPMEM_CACHE_UNKNOWN,
		IOPMEM_CACHE_UC_MINUS, IOPMEM_CACHE_WT,
	};
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)va, &level);
	pteval_t v, pat = level == PG_LEVEL_4K ? _PAGE_PAT : _PAGE_PAT_LARGE;

	if (!pte || !pat_enabled())
		return IOPMEM_CACHE_UNKNOWN;
	v = pte_val(*pte);
	return types[(v & pat ? 4 : 0) | (v & _PAGE_PCD ? 2 : 0) |
		     (v & _PAGE_PWT ? 1 : 0)];
#else
	return IOPMEM_CACHE_UNKNOWN;
#endif
}

/**
 * iopmem_cache_default - what a request for write-back gets
 * @phys: of a BAR that nobody maps
 *
 * x86 makes it uncached where the MTRRs say so, which is how real machines have
 * BARs.  Before anything is reserved.
 */
enum iopmem_cache iopmem_cache_default(phys_addr_t phys)
{
	enum iopmem_cache cache;
	void *va = memremap(phys, PAGE_SIZE, MEMREMAP_WB);

	if (!va)
		return IOPMEM_CACHE_UNKNOWN;
	cache = iopmem_cache_of(va);
	memunmap(va);
	return cache;
}

/**
 * iopmem_cache_reserve - make the kernel's mapping to come of the type wanted
 * @dev: the card; nothing maps its BAR yet
 *
 * The mapping of ZONE_DEVICE pages asks for write-back and takes over the type
 * that the range is reserved with.  Before that mapping, since set_memory_*()
 * afterwards conflicts with the type that it has reserved.  Undone by devres.
 *
 * Return: 0 or -ENOMEM after a message; that write-combining is not to be had is
 * a warning, @dev->cache will say what came instead.
 */
int iopmem_cache_reserve(struct iopmem_dev *dev)
{
	struct device *d = &dev->pdev->dev;
	int err;

	switch (dev->cache_wanted) {
	case IOPMEM_CACHE_WC:
		err = devm_arch_io_reserve_memtype_wc(d, dev->phys, dev->size);
		if (err)
			pci_warn(dev->pdev, "BAR %d: no write-combining (%d)\n",
				 dev->bar, err);
		return 0;
	case IOPMEM_CACHE_UC:
		/* The kernel has no reservation without a mapping for this type. */
		if (devm_ioremap(d, dev->phys, dev->size))
			return 0;
		pci_err(dev->pdev, "BAR %d: no address space for an uncached mapping of %llu MiB\n",
			dev->bar, dev->size >> 20);
		return -ENOMEM;
	default:
		return 0;
	}
}
