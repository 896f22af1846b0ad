// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bound cards and who uses them.
 */
#include "layout.h"

static DEFINE_SPINLOCK(iopmem_devs_lock);
static LIST_HEAD(iopmem_devs);

/* How often remove() says what it is waiting for. */
#define IOPMEM_DRAIN_REPORT	(30 * HZ)

/**
 * iopmem_dev_add - make a card known to LAYOUT_OPEN
 * @dev: the card, complete
 */
void iopmem_dev_add(struct iopmem_dev *dev)
{
	spin_lock(&iopmem_devs_lock);
	list_add_tail(&dev->node, &iopmem_devs);
	spin_unlock(&iopmem_devs_lock);
}

static bool iopmem_dev_idle(struct iopmem_dev *dev)
{
	bool idle;

	spin_lock(&iopmem_devs_lock);
	idle = !dev->users;
	spin_unlock(&iopmem_devs_lock);
	return idle;
}

/**
 * iopmem_dev_drain - no new layouts, and wait until the last one is gone
 * @dev: the card
 *
 * The struct pages of a BAR that something still DMAs into must not be freed,
 * and memunmap_pages() does not wait for pins.  So this waits, however long.
 */
void iopmem_dev_drain(struct iopmem_dev *dev)
{
	spin_lock(&iopmem_devs_lock);
	dev->dead = true;
	list_del_init(&dev->node);
	spin_unlock(&iopmem_devs_lock);

	iopmem_layout_revoke(dev);
	while (!wait_event_timeout(dev->idle, iopmem_dev_idle(dev),
				   IOPMEM_DRAIN_REPORT))
		pci_warn(dev->pdev, "removal waits for %u layouts to be closed\n",
			 READ_ONCE(dev->users));
}

/**
 * iopmem_dev_get - the card behind a whole-disk block device, with a use
 * @bdev: any block device
 *
 * Return: the card, or NULL if it is none of ours or being removed.
 */
struct iopmem_dev *iopmem_dev_get(struct block_device *bdev)
{
	struct iopmem_dev *dev, *found = NULL;

	spin_lock(&iopmem_devs_lock);
	list_for_each_entry(dev, &iopmem_devs, node) {
		if (dev->disk != bdev->bd_disk)
			continue;
		dev->users++;
		found = dev;
		break;
	}
	spin_unlock(&iopmem_devs_lock);
	return found;
}

/**
 * iopmem_dev_put - give a use back
 * @dev: the card; may be gone on return
 */
void iopmem_dev_put(struct iopmem_dev *dev)
{
	/* Woken under the lock: after it, remove() may free the card. */
	spin_lock(&iopmem_devs_lock);
	if (!--dev->users)
		wake_up_all(&dev->idle);
	spin_unlock(&iopmem_devs_lock);
}

/**
 * iopmem_dev_count - number of bound cards
 */
unsigned int iopmem_dev_count(void)
{
	struct iopmem_dev *dev;
	unsigned int n = 0;

	spin_lock(&iopmem_devs_lock);
	list_for_each_entry(dev, &iopmem_devs, node)
		n++;
	spin_unlock(&iopmem_devs_lock);
	return n;
}
