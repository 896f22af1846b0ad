// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory type of a card's mappings: read back, judged.
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

const char *iopmem_bar_cache_name(enum iopmem_cache cache)
{
	return iopmem_cache_names[cache];
}

/**
 * iopmem_bar_safe - may others write this memory while the CPU maps it?
 * @dev: the card
 *
 * A cached mapping of a BAR that does not snoop hides or overwrites what the
 * NIC writes.
 */
bool iopmem_bar_safe(const struct iopmem_dev *dev)
{
	return dev->coherent || dev->cache == IOPMEM_CACHE_WC ||
	       dev->cache == IOPMEM_CACHE_UC_MINUS ||
	       dev->cache == IOPMEM_CACHE_UC;
}

/*
 * The type in force, out of the page table: the kernel may have granted another
 * one than was asked for (MTRRs, or somebody else's mapping).
 */
enum iopmem_cache iopmem_bar_read_cache(void *va)
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
