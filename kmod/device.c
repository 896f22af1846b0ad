// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bound cards and who uses them.
 */
#include "layout.h"

static DEFINE_SPINLOCK(iopmem_devs_lock);
static LIST_HEAD(iopmem_devs);

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
 * and memunmap_pages() does not wait for pins.  So this waits, however long: remove()
 * cannot fail, and giving up would leave remote rights without their blocks.
 * The log names the holders; ending them ends the wait.  It is an idle wait, no
 * hung task, and no signal ends it, because there is nothing to return to.
 */
void iopmem_dev_drain(struct iopmem_dev *dev)
{
	unsigned long step = IOPMEM_REPORT_FIRST, left;

	spin_lock(&iopmem_devs_lock);
	dev->dead = true;
	list_del_init(&dev->node);
	spin_unlock(&iopmem_devs_lock);

	iopmem_layout_revoke(dev);
	for (;;) {
		left = wait_event_idle_timeout(dev->idle, iopmem_dev_idle(dev), step);
		if (left)
			break;
		iopmem_layout_report(dev);
		step = min(2 * step, (unsigned long)IOPMEM_REPORT_MAX);
	}
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
