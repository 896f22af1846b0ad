// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/bus/pci/devices/<function>/iopmem/
 */
#include "layout.h"

#include <linux/device.h>
#include <linux/sysfs.h>

static struct iopmem_dev *to_iopmem(struct device *d)
{
	return dev_get_drvdata(d);
}

static ssize_t bar_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", to_iopmem(d)->bar);
}
static DEVICE_ATTR_RO(bar);

static ssize_t size_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_iopmem(d)->size);
}
static DEVICE_ATTR_RO(size);

static ssize_t disk_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_iopmem(d)->disk->disk_name);
}
static DEVICE_ATTR_RO(disk);

/* What an NVMe controller says; of others nothing is known. */
static ssize_t persistent_show(struct device *d, struct device_attribute *attr,
			       char *buf)
{
	static const char * const words[] = { "unknown", "no", "yes" };

	return sysfs_emit(buf, "%s\n", words[to_iopmem(d)->persistent]);
}
static DEVICE_ATTR_RO(persistent);

static ssize_t cache_show(struct device *d, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", iopmem_cache_name(to_iopmem(d)->cache));
}
static DEVICE_ATTR_RO(cache);

/* Of programs that map a file on the card. */
static ssize_t cache_user_show(struct device *d, struct device_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  iopmem_cache_name(to_iopmem(d)->cache_user));
}
static DEVICE_ATTR_RO(cache_user);

static ssize_t coherent_show(struct device *d, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(to_iopmem(d)->coherent));
}

/* For layouts to come; the mapping stays what it is. */
static ssize_t coherent_store(struct device *d, struct device_attribute *attr,
			      const char *buf, size_t len)
{
	bool coherent;
	int err = kstrtobool(buf, &coherent);

	if (err)
		return err;
	WRITE_ONCE(to_iopmem(d)->coherent, coherent);
	return len;
}
static DEVICE_ATTR_RW(coherent);

static ssize_t layouts_show(struct device *d, struct device_attribute *attr,
			    char *buf)
{
	struct iopmem_counts counts;

	iopmem_layout_count(to_iopmem(d), &counts);
	return sysfs_emit(buf, "%u\n", counts.layouts);
}
static DEVICE_ATTR_RO(layouts);

/* Layouts whose fd is closed and whose pages are still in use. */
static ssize_t orphans_show(struct device *d, struct device_attribute *attr,
			    char *buf)
{
	struct iopmem_counts counts;

	iopmem_layout_count(to_iopmem(d), &counts);
	return sysfs_emit(buf, "%u\n", counts.orphans);
}
static DEVICE_ATTR_RO(orphans);

static ssize_t mapped_bytes_show(struct device *d, struct device_attribute *attr,
				 char *buf)
{
	struct iopmem_counts counts;

	iopmem_layout_count(to_iopmem(d), &counts);
	return sysfs_emit(buf, "%llu\n", counts.mapped);
}
static DEVICE_ATTR_RO(mapped_bytes);

static ssize_t pinned_bytes_show(struct device *d, struct device_attribute *attr,
				 char *buf)
{
	struct iopmem_counts counts;

	iopmem_layout_count(to_iopmem(d), &counts);
	return sysfs_emit(buf, "%llu\n", counts.pinned);
}
static DEVICE_ATTR_RO(pinned_bytes);

/* Of pages with memory errors. */
static ssize_t poisoned_bytes_show(struct device *d, struct device_attribute *attr,
				   char *buf)
{
	return sysfs_emit(buf, "%llu\n", iopmem_poison_bytes(to_iopmem(d)));
}
static DEVICE_ATTR_RO(poisoned_bytes);

static ssize_t dmabufs_show(struct device *d, struct device_attribute *attr, char *buf)
{
	struct iopmem_counts counts;

	iopmem_layout_count(to_iopmem(d), &counts);
	return sysfs_emit(buf, "%u\n", counts.dmabufs);
}
static DEVICE_ATTR_RO(dmabufs);

static ssize_t attachments_show(struct device *d, struct device_attribute *attr,
				char *buf)
{
	struct iopmem_counts counts;

	iopmem_layout_count(to_iopmem(d), &counts);
	return sysfs_emit(buf, "%u\n", counts.attachments);
}
static DEVICE_ATTR_RO(attachments);

static ssize_t dma_mappings_show(struct device *d, struct device_attribute *attr,
				 char *buf)
{
	struct iopmem_counts counts;

	iopmem_layout_count(to_iopmem(d), &counts);
	return sysfs_emit(buf, "%u\n", counts.dma_mappings);
}
static DEVICE_ATTR_RO(dma_mappings);

/* Who has dma-bufs of this card. */
static ssize_t importers_show(struct device *d, struct device_attribute *attr,
			      char *buf)
{
	return iopmem_layout_importers(to_iopmem(d), buf);
}
static DEVICE_ATTR_RO(importers);

static struct attribute *iopmem_attrs[] = {
	&dev_attr_bar.attr,
	&dev_attr_size.attr,
	&dev_attr_disk.attr,
	&dev_attr_persistent.attr,
	&dev_attr_cache.attr,
	&dev_attr_cache_user.attr,
	&dev_attr_coherent.attr,
	&dev_attr_layouts.attr,
	&dev_attr_orphans.attr,
	&dev_attr_mapped_bytes.attr,
	&dev_attr_pinned_bytes.attr,
	&dev_attr_poisoned_bytes.attr,
	&dev_attr_dmabufs.attr,
	&dev_attr_attachments.attr,
	&dev_attr_dma_mappings.attr,
	&dev_attr_importers.attr,
	&iopmem_attr_p2p.attr,
	NULL
};

static const struct attribute_group iopmem_dev_group = {
	.name = IOPMEM_NAME,
	.attrs = iopmem_attrs,
};

const struct attribute_group *iopmem_dev_groups[] = {
	&iopmem_dev_group,
	NULL
};
