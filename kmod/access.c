// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every access of the kernel's CPU to the memory of a card, but fs/dax's own.
 *
 * By naturally aligned accesses of at most 8 bytes only: cards have restrictions,
 * and plain memcpy() may do anything.
 */
#include "iopmem.h"

#include <linux/io.h>
#include <linux/sizes.h>
#include <linux/string.h>

/* The loops move four words a turn. */
#define IOPMEM_TURN	(4 * sizeof(u64))

static inline u8 __iomem *iopmem_bar_at(struct iopmem_dev *dev, u64 offset)
{
	return (u8 __iomem __force *)dev->va + offset;
}

/*
 * A non-temporal store where there is one: it goes around the caches, so that on
 * a cached mapping nothing is left to write back.  On others it is a store.
 */
#ifdef CONFIG_X86_64
#define IOPMEM_STORES_STAY	false

static inline void iopmem_store(u64 word, u8 __iomem *to)
{
	asm volatile("movnti %1, %0" : "=m" (*(u64 __force *)to) : "r" (word));
}
#else
#define IOPMEM_STORES_STAY	true

static inline void iopmem_store(u64 word, u8 __iomem *to)
{
	__raw_writeq(word, to);
}
#endif

/* Words of ordinary memory, which may be unaligned. */
static inline u64 iopmem_get(const void *from)
{
	u64 word;

	memcpy(&word, from, sizeof(word));
	return word;
}

static inline void iopmem_put(u64 word, void *to)
{
	memcpy(to, &word, sizeof(word));
}

/**
 * iopmem_bar_read - copy out of the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @to:		ordinary memory
 * @len:	bytes, inside the BAR
 *
 * Return: 0, or -EIO when a page has a memory error.
 */
int iopmem_bar_read(struct iopmem_dev *dev, u64 offset, void *to, size_t len)
{
	const u8 __iomem *from = iopmem_bar_at(dev, offset);

	if (len && iopmem_poison_in(dev, offset, len))
		return -EIO;

	for (; len && !IS_ALIGNED((unsigned long)from, 8); len--)
		*(u8 *)to++ = __raw_readb(from++);
	for (; len >= IOPMEM_TURN; len -= IOPMEM_TURN) {
		iopmem_put(__raw_readq(from), to);
		iopmem_put(__raw_readq(from + 8), to + 8);
		iopmem_put(__raw_readq(from + 16), to + 16);
		iopmem_put(__raw_readq(from + 24), to + 24);
		from += IOPMEM_TURN;
		to += IOPMEM_TURN;
	}
	for (; len >= 8; len -= 8, from += 8, to += 8)
		iopmem_put(__raw_readq(from), to);
	for (; len; len--)
		*(u8 *)to++ = __raw_readb(from++);
	return 0;
}

/* What the stores of single bytes at both ends, or of all, have left in caches. */
static void iopmem_bar_settle(struct iopmem_dev *dev, u64 offset, u64 len)
{
	u64 head = min(ALIGN(offset, 8) - offset, len);
	u64 tail = (len - head) % 8;

	if (IOPMEM_STORES_STAY) {
		iopmem_bar_writeback(dev, offset, len);
		return;
	}
	if (head)
		iopmem_bar_writeback(dev, offset, head);
	if (tail)
		iopmem_bar_writeback(dev, offset + len - tail, tail);
}

/**
 * iopmem_bar_write - copy into the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @from:	ordinary memory
 * @len:	bytes, inside the BAR
 *
 * The bytes are on their way; iopmem_bar_flush() makes them arrive.
 *
 * Return: 0, or -EIO when it would write part of a page with a memory error.
 */
int iopmem_bar_write(struct iopmem_dev *dev, u64 offset, const void *from,
		     size_t len)
{
	u8 __iomem *to = iopmem_bar_at(dev, offset);
	size_t total = len;

	if (iopmem_poison_heal(dev, offset, len))
		return -EIO;

	for (; len && !IS_ALIGNED((unsigned long)to, 8); len--)
		__raw_writeb(*(const u8 *)from++, to++);
	for (; len >= IOPMEM_TURN; len -= IOPMEM_TURN) {
		iopmem_store(iopmem_get(from), to);
		iopmem_store(iopmem_get(from + 8), to + 8);
		iopmem_store(iopmem_get(from + 16), to + 16);
		iopmem_store(iopmem_get(from + 24), to + 24);
		from += IOPMEM_TURN;
		to += IOPMEM_TURN;
	}
	for (; len >= 8; len -= 8, from += 8, to += 8)
		iopmem_store(iopmem_get(from), to);
	for (; len; len--)
		__raw_writeb(*(const u8 *)from++, to++);
	iopmem_bar_settle(dev, offset, total);
	iopmem_poison_forget(dev, offset, total);
	return 0;
}

/**
 * iopmem_bar_zero - zero bytes of the BAR
 * @dev:	the card
 * @offset:	in the BAR
 * @len:	bytes, inside the BAR
 *
 * Touches no byte outside the range, not even to write back what was there: a
 * local program may be storing right beside it.  May sleep.
 *
 * Return: 0, or -EIO when it would write part of a page with a memory error.
 */
int iopmem_bar_zero(struct iopmem_dev *dev, u64 offset, u64 len)
{
	u8 __iomem *to = iopmem_bar_at(dev, offset);
	u64 total = len;

	if (iopmem_poison_heal(dev, offset, len))
		return -EIO;
	for (; len && !IS_ALIGNED((unsigned long)to, 8); len--)
		__raw_writeb(0, to++);
	for (; len >= IOPMEM_TURN; len -= IOPMEM_TURN, to += IOPMEM_TURN) {
		iopmem_store(0, to);
		iopmem_store(0, to + 8);
		iopmem_store(0, to + 16);
		iopmem_store(0, to + 24);
		/* In the first turn of each MiB, wherever turns begin. */
		if (!((unsigned long)to & (SZ_1M - IOPMEM_TURN)))
			cond_resched();
	}
	for (; len >= 8; len -= 8, to += 8)
		iopmem_store(0, to);
	for (; len; len--)
		__raw_writeb(0, to++);
	iopmem_bar_settle(dev, offset, total);
	iopmem_poison_forget(dev, offset, total);
	return 0;
}

/**
 * iopmem_bar_writeback - push CPU caches out, where the mapping has any
 * @dev:	the card
 * @offset:	in the BAR
 * @len:	bytes
 *
 * dax_write_cache() says where, see iopmem_dax_add().  Sleeps in ranges of 1 MiB.
 */
void iopmem_bar_writeback(struct iopmem_dev *dev, u64 offset, u64 len)
{
	size_t n;

	if (!dax_write_cache_enabled(dev->dax))
		return;
	for (; len; offset += n, len -= n) {
		n = min_t(u64, len, SZ_1M);
		dax_flush(dev->dax, dev->va + offset, n);
		if (n == SZ_1M)
			cond_resched();
	}
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
 * Return: 0, or -EIO if the card is no longer there or says that it has failed.
 */
int iopmem_bar_flush(struct iopmem_dev *dev)
{
	u64 offset;
	u32 word;

	/* A page with a memory error is not even mapped any more. */
	if (!iopmem_poison_good(dev, &offset))
		return -EIO;
	wmb();	/* the stores before leave the CPU */
	word = __raw_readl(iopmem_bar_at(dev, offset));
	rmb();	/* the answer before anything that relies on it */
	/* A card that was pulled reads all ones, but so may a healthy one. */
	if (word == ~0U && !pci_device_is_present(dev->pdev))
		return -EIO;
	return dev->pmr ? iopmem_nvme_flush(dev) : 0;
}
