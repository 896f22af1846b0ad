// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every CPU access to the memory of a card.
 *
 * By naturally aligned accesses of at most 8 bytes only: cards have restrictions,
 * and plain memcpy() may do anything.
 */
#include "iopmem.h"

#include <linux/io.h>
#include <linux/sizes.h>
#include <linux/string.h>

static inline u8 __iomem *iopmem_bar_at(struct iopmem_dev *dev, u64 offset)
{
	return (u8 __iomem __force *)dev->va + offset;
}

/**
 * iopmem_bar_read - copy out of the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @to:		ordinary memory
 * @len:	bytes, inside the BAR
 */
void iopmem_bar_read(struct iopmem_dev *dev, u64 offset, void *to, size_t len)
{
	const u8 __iomem *from = iopmem_bar_at(dev, offset);
	u64 word;

	for (; len && !IS_ALIGNED((unsigned long)from, 8); len--)
		*(u8 *)to++ = __raw_readb(from++);
	for (; len >= 8; len -= 8, from += 8, to += 8) {
		word = __raw_readq(from);
		memcpy(to, &word, 8);	/* @to may be unaligned */
	}
	for (; len; len--)
		*(u8 *)to++ = __raw_readb(from++);
}

/**
 * iopmem_bar_write - copy into the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @from:	ordinary memory
 * @len:	bytes, inside the BAR
 *
 * The bytes are on their way; iopmem_bar_flush() makes them arrive.
 */
void iopmem_bar_write(struct iopmem_dev *dev, u64 offset, const void *from,
		      size_t len)
{
	u8 __iomem *to = iopmem_bar_at(dev, offset);
	size_t total = len;
	u64 word;

	for (; len && !IS_ALIGNED((unsigned long)to, 8); len--)
		__raw_writeb(*(const u8 *)from++, to++);
	for (; len >= 8; len -= 8, from += 8, to += 8) {
		memcpy(&word, from, 8);
		__raw_writeq(word, to);
	}
	for (; len; len--)
		__raw_writeb(*(const u8 *)from++, to++);
	iopmem_bar_writeback(dev, offset, total);
}

/**
 * iopmem_bar_zero - zero bytes of the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @len:	bytes, inside the BAR
 *
 * Touches no byte outside the range, not even to write back what was there: a
 * local program may be storing right beside it.  May sleep.
 */
void iopmem_bar_zero(struct iopmem_dev *dev, u64 offset, u64 len)
{
	u8 __iomem *to = iopmem_bar_at(dev, offset);
	u64 total = len;

	for (; len && !IS_ALIGNED((unsigned long)to, 8); len--)
		__raw_writeb(0, to++);
	for (; len >= 8; len -= 8, to += 8) {
		__raw_writeq(0, to);
		if (!(len & (SZ_1M - 1)))
			cond_resched();
	}
	for (; len; len--)
		__raw_writeb(0, to++);
	iopmem_bar_writeback(dev, offset, total);
}

/**
 * iopmem_bar_writeback - push CPU caches out, where the mapping has any
 * @dev:	the card
 * @offset:	in the BAR
 * @len:	bytes
 */
void iopmem_bar_writeback(struct iopmem_dev *dev, u64 offset, u64 len)
{
	/* A no-op unless dax_write_cache() was set, see iopmem_dax_add(). */
	dax_flush(dev->dax, dev->va + offset, len);
}

/**
 * iopmem_bar_flush - make everything that the CPU wrote arrive at the card
 * @dev: the card
 *
 * The fence empties the write-combining buffers; the read cannot overtake the
 * posted writes on the link, so when it is answered they have arrived.  It says
 * nothing about another requester's writes: a NIC's client reads back on its
 * own connection before it commits.
 *
 * Return: 0, or -EIO if the card is no longer there.
 */
int iopmem_bar_flush(struct iopmem_dev *dev)
{
	u32 word;

	wmb();	/* the stores before leave the CPU */
	word = __raw_readl(iopmem_bar_at(dev, 0));
	rmb();	/* the answer before anything that relies on it */
	/* A card that was pulled reads all ones, but so may a healthy one. */
	if (word == ~0U && !pci_device_is_present(dev->pdev))
		return -EIO;
	return 0;
}
