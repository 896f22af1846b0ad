// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeing that XFS is about to wait for pinned pages.
 *
 * XFS waits for the pins of a file before it breaks the leases of it.  When a
 * local program has mapped and touched a file under layout, a truncate hence
 * waits for pins whose owner is never asked to give them up.  XFS finds busy
 * pages through the functions below, and only where it goes on to break
 * layouts; a call of them for a file under layout is taken as the break.
 *
 * No pins are offered where this cannot be.
 */
#include "layout.h"

#include <linux/dax.h>
#include <linux/kprobes.h>

#ifdef CONFIG_KPROBES

static struct inode *iopmem_probe_inode(struct pt_regs *regs)
{
	struct address_space *mapping = (void *)regs_get_kernel_argument(regs, 0);

	return mapping->host;
}

/* For the test: the mapping that is asked about, and whether it was seen. */
static struct address_space iopmem_test_mapping;
static struct inode iopmem_test_inode;
static atomic_t iopmem_test_seen;

static int iopmem_probe_busy_page(struct kprobe *p, struct pt_regs *regs)
{
	struct inode *inode = iopmem_probe_inode(regs);

	if (inode == &iopmem_test_inode)
		atomic_inc(&iopmem_test_seen);
	else
		iopmem_layout_break_inode(inode);
	return 0;
}

/* Either may be inlined in or tail-called by the other. */
static struct kprobe iopmem_probes[] = {
	{ .symbol_name = "dax_layout_busy_page",
	  .pre_handler = iopmem_probe_busy_page },
	{ .symbol_name = "dax_layout_busy_page_range",
	  .pre_handler = iopmem_probe_busy_page },
};

static bool iopmem_probes_armed;

/**
 * iopmem_busy_hook_works - is the hook in place and does it fire?
 *
 * Asked each time it is relied upon: kprobes can be switched off at run time
 * (kernel.ftrace_enabled, debugfs), and nobody tells us.
 */
bool iopmem_busy_hook_works(void)
{
	int before = atomic_read(&iopmem_test_seen);

	if (!iopmem_probes_armed)
		return false;
	/* Not a DAX inode: the function itself returns at once. */
	dax_layout_busy_page(&iopmem_test_mapping);
	return atomic_read(&iopmem_test_seen) != before;
}

/**
 * iopmem_busy_hook_init - arm the hook; tell why if that is impossible
 */
void iopmem_busy_hook_init(void)
{
	unsigned int i;
	int err;

	iopmem_test_mapping.host = &iopmem_test_inode;
	if (!IOPMEM_FSDAX_PINNABLE) {
		pr_info(IOPMEM_NAME ": this kernel does not let fsdax pages be pinned: no memory kind pin\n");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(iopmem_probes); i++) {
		err = register_kprobe(&iopmem_probes[i]);
		if (err)
			goto err_probe;
	}
	iopmem_probes_armed = true;
	if (!iopmem_busy_hook_works())
		pr_warn(IOPMEM_NAME ": kprobes do not fire (kernel.ftrace_enabled=0?): no memory kind pin\n");
	return;

err_probe:
	pr_warn(IOPMEM_NAME ": kprobe on %s: %d: no memory kind pin\n",
		iopmem_probes[i].symbol_name, err);
	while (i--)
		unregister_kprobe(&iopmem_probes[i]);
}

void iopmem_busy_hook_exit(void)
{
	unsigned int i;

	if (!iopmem_probes_armed)
		return;
	iopmem_probes_armed = false;
	for (i = 0; i < ARRAY_SIZE(iopmem_probes); i++)
		unregister_kprobe(&iopmem_probes[i]);
}

#else /* !CONFIG_KPROBES */

bool iopmem_busy_hook_works(void)
{
	return false;
}

void iopmem_busy_hook_init(void)
{
	pr_warn(IOPMEM_NAME ": kernel without CONFIG_KPROBES: no memory kind pin\n");
}

void iopmem_busy_hook_exit(void)
{
}

#endif
