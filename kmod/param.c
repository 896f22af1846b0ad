// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the administrator says of single functions, as lists keyed by their
 * addresses: bar=0000:05:00.0=2,0000:06:00.0=4.  Writable below
 * /sys/module/iopmem/parameters; read when a function is bound.
 */
#include "iopmem.h"

#include <linux/moduleparam.h>
#include <linux/string.h>

/**
 * struct iopmem_list - a parameter
 * @name:	its name, for messages
 * @text:	as it was written; under the kernel's lock of parameters
 * @values:	what may follow a function's address; NULL: nothing
 * @all:	"1" stands for all functions
 */
struct iopmem_list {
	const char *name;
	char *text;
	const char * const *values;
	bool all;
};

static const char * const iopmem_bar_values[] = { "0", "1", "2", "3", "4", "5", NULL };
static const char * const iopmem_cache_values[] = { "wc", "uc", "wb", NULL };

/* In the order of iopmem_cache_values. */
static const enum iopmem_cache iopmem_cache_types[] = {
	IOPMEM_CACHE_WC, IOPMEM_CACHE_UC, IOPMEM_CACHE_WB,
};

static struct iopmem_list iopmem_bars = { .name = "bar", .values = iopmem_bar_values };
static struct iopmem_list iopmem_caches = { .name = "cache", .values = iopmem_cache_values };
static struct iopmem_list iopmem_coherents = { .name = "coherent", .all = true };

/* The length of an entry: up to a comma, a line's end, or the end. */
static size_t iopmem_entry_len(const char *entry)
{
	return strcspn(entry, ",\n");
}

/*
 * Return: index of an entry's value among those that the list allows, 0 for a
 * list without values, or -EINVAL.
 */
static int iopmem_entry_value(const struct iopmem_list *list, const char *value, size_t len)
{
	int i;

	if (!list->values)
		return len ? -EINVAL : 0;
	if (!len || value[0] != '=')
		return -EINVAL;
	for (i = 0; list->values[i]; i++)
		if (len - 1 == strlen(list->values[i]) &&
		    !strncmp(value + 1, list->values[i], len - 1))
			return i;
	return -EINVAL;
}

/*
 * The length of the address that an entry begins with; or 0.  Only as the kernel
 * writes it, dddd:bb:dd.f: of two spellings one would be looked for in vain.
 */
static size_t iopmem_entry_address(const char *entry)
{
	unsigned int domain, bus, slot, function;
	char name[32];
	int n;

	if (sscanf(entry, "%x:%x:%x.%u", &domain, &bus, &slot, &function) != 4 ||
	    bus > 0xff || slot > 0x1f || function > 7)
		return 0;
	n = scnprintf(name, sizeof(name), "%04x:%02x:%02x.%u", domain, bus, slot, function);
	return strncasecmp(entry, name, n) ? 0 : n;
}

static int iopmem_list_set(const char *text, const struct kernel_param *kp)
{
	const struct iopmem_list *list = container_of((char **)kp->arg, struct iopmem_list, text);
	const char *entry = text;
	size_t len, address;

	if (list->all && (sysfs_streq(text, "1") || sysfs_streq(text, "0")))
		entry = "";
	while (*entry && *entry != '\n') {
		len = iopmem_entry_len(entry);
		address = iopmem_entry_address(entry);
		if (!address || address > len ||
		    iopmem_entry_value(list, entry + address, len - address) < 0) {
			pr_err("%s: parameter %s: \"%.*s\" is not <function>%s\n", IOPMEM_NAME,
			       list->name, (int)len, entry,
			       list->values == iopmem_bar_values ? "=<0..5>" :
			       list->values ? "=wc, =uc or =wb" : "");
			return -EINVAL;
		}
		entry += len;
		if (*entry == ',')
			entry++;
	}
	return param_set_charp(text, kp);
}

static void iopmem_list_free(void *arg)
{
	param_ops_charp.free(arg);
}

static const struct kernel_param_ops iopmem_list_ops = {
	.set = iopmem_list_set,
	.get = param_get_charp,
	.free = iopmem_list_free,
};

module_param_cb(bar, &iopmem_list_ops, &iopmem_bars.text, 0644);
__MODULE_PARM_TYPE(bar, "list");
MODULE_PARM_DESC(bar, "BAR per function, e.g. bar=0000:05:00.0=2,0000:06:00.0=4; else the largest prefetchable memory BAR");
module_param_cb(cache, &iopmem_list_ops, &iopmem_caches.text, 0644);
__MODULE_PARM_TYPE(cache, "list");
MODULE_PARM_DESC(cache, "memory type per function: wc (default), uc, or wb (default of coherent cards), e.g. cache=0000:05:00.0=uc");
module_param_cb(coherent, &iopmem_list_ops, &iopmem_coherents.text, 0644);
__MODULE_PARM_TYPE(coherent, "list");
MODULE_PARM_DESC(coherent, "cards that need no write-combining: 1 (all) or a list of functions. Say so only of emulated or cache-coherent cards");

/* Return: index of the function's value, or -ENOENT. */
static int iopmem_list_find(const struct iopmem_list *list, struct pci_dev *pdev)
{
	const char *name = pci_name(pdev), *entry;
	size_t len = strlen(name), address;
	int found = -ENOENT;

	kernel_param_lock(THIS_MODULE);
	if (list->all && list->text && sysfs_streq(list->text, "1"))
		found = 0;
	for (entry = list->text; found < 0 && entry && *entry; ) {
		address = iopmem_entry_address(entry);
		if (address == len && !strncasecmp(entry, name, len))
			found = iopmem_entry_value(list, entry + len,
						   iopmem_entry_len(entry) - len);
		entry = strchr(entry, ',');
		if (entry)
			entry++;
	}
	kernel_param_unlock(THIS_MODULE);
	return found;
}

/**
 * iopmem_param_bar - BAR that the parameter names for a function
 * @pdev: the function
 *
 * Return: its number, or a negative number.
 */
int iopmem_param_bar(struct pci_dev *pdev)
{
	return iopmem_list_find(&iopmem_bars, pdev);
}

/**
 * iopmem_param_coherent - was the card declared coherent?
 * @pdev: the function
 */
bool iopmem_param_coherent(struct pci_dev *pdev)
{
	return iopmem_list_find(&iopmem_coherents, pdev) >= 0;
}

/**
 * iopmem_param_cache - memory type that the kernel's mapping is to have
 * @pdev:     the function
 * @coherent: the card may be cached
 */
enum iopmem_cache iopmem_param_cache(struct pci_dev *pdev, bool coherent)
{
	int i = iopmem_list_find(&iopmem_caches, pdev);

	if (i >= 0)
		return iopmem_cache_types[i];
	return coherent ? IOPMEM_CACHE_WB : IOPMEM_CACHE_WC;
}
