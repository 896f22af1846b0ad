// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeping XFS from exchanging the blocks of a file under layout.
 *
 * XFS_IOC_SWAPEXT (xfs_fsr, or any owner of a file) moves blocks into another
 * file and asks no lease, all other operations that move or free blocks do.  A
 * kprobe refuses it with -EBUSY for files under layout.
 *
 * The function takes XFS's inodes, whose layout is XFS's own; the probe needs
 * only which VFS inode lies in them.
 */
#include "layout.h"

#include <linux/kprobes.h>
#include <linux/module.h>

static bool iopmem_allow_unguarded;
module_param_named(allow_unguarded, iopmem_allow_unguarded, bool, 0644);
MODULE_PARM_DESC(allow_unguarded,
		 "map files although XFS_IOC_SWAPEXT cannot be refused: a file's owner can then move blocks under a peer (default N)");

#ifdef CONFIG_KPROBES

/* Runs instead of the probed function, on its caller's frame. */
static int iopmem_swap_refuse(void)
{
	return -EBUSY;
}

static int iopmem_swap_divert(struct pt_regs *regs)
{
	instruction_pointer_set(regs, (unsigned long)iopmem_swap_refuse);
	return 1;
}

/* int xfs_swap_extents(struct xfs_inode *, struct xfs_inode *, ...) */
static int iopmem_swap_probe(struct kprobe *p, struct pt_regs *regs)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (iopmem_layout_within(regs_get_kernel_argument(regs, i)))
			return iopmem_swap_divert(regs);
	return 0;
}

/*
 * For the test: is anything diverted at all at this moment?  Not a constant:
 * gcc 14 would know the answer without a call.
 */
static int iopmem_swap_undiverted;

static noinline int iopmem_swap_test(void)
{
	return READ_ONCE(iopmem_swap_undiverted);
}

static int iopmem_swap_test_probe(struct kprobe *p, struct pt_regs *regs)
{
	return iopmem_swap_divert(regs);
}

/* A probe with a post handler is never optimized to a jump, which cannot divert. */
static void iopmem_swap_post(struct kprobe *p, struct pt_regs *regs,
			     unsigned long flags)
{
}

static struct kprobe iopmem_swap_kprobe, iopmem_swap_test_kprobe;

/* The probes, against loading and unloading of xfs. */
static DEFINE_MUTEX(iopmem_swap_mutex);
static bool iopmem_swap_armed, iopmem_swap_test_armed;

/* XFS may come later, as a module. */
static int iopmem_swap_arm(void)
{
	int err = 0;

	mutex_lock(&iopmem_swap_mutex);
	if (!iopmem_swap_armed) {
		iopmem_swap_kprobe = (struct kprobe) {
			.symbol_name = "xfs_swap_extents",
			.pre_handler = iopmem_swap_probe,
			.post_handler = iopmem_swap_post,
		};
		err = register_kprobe(&iopmem_swap_kprobe);
		iopmem_swap_armed = !err;
	}
	mutex_unlock(&iopmem_swap_mutex);
	return err;
}

static void iopmem_swap_disarm(void)
{
	mutex_lock(&iopmem_swap_mutex);
	if (iopmem_swap_armed)
		unregister_kprobe(&iopmem_swap_kprobe);
	iopmem_swap_armed = false;
	mutex_unlock(&iopmem_swap_mutex);
}

static int iopmem_swap_module(struct notifier_block *nb, unsigned long state,
			      void *data)
{
	struct module *mod = data;

	if (strcmp(mod->name, "xfs"))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING) {
		int err = iopmem_swap_arm();

		if (err)
			pr_warn(IOPMEM_NAME ": kprobe on xfs_swap_extents: %d: files are mapped only with allow_unguarded=1\n",
				err);
	} else if (state == MODULE_STATE_GOING) {
		iopmem_swap_disarm();
	}
	return NOTIFY_OK;
}

/* After kprobes' own callback, which knows the module then. */
static struct notifier_block iopmem_swap_nb = {
	.notifier_call = iopmem_swap_module,
	.priority = 0,
};

/**
 * iopmem_swap_hook_works - is XFS kept from moving blocks under layouts?
 *
 * Asked each time it is relied upon, like iopmem_busy_hook_works().
 */
bool iopmem_swap_hook_works(void)
{
	return READ_ONCE(iopmem_swap_armed) &&
	       !kprobe_disabled(&iopmem_swap_kprobe) &&
	       READ_ONCE(iopmem_swap_test_armed) && iopmem_swap_test() == -EBUSY;
}

/**
 * iopmem_swap_hook_init - arm the hook, now or when xfs is loaded
 */
void iopmem_swap_hook_init(void)
{
	int err;

	iopmem_swap_test_kprobe = (struct kprobe) {
		.addr = (kprobe_opcode_t *)iopmem_swap_test,
		.pre_handler = iopmem_swap_test_probe,
		.post_handler = iopmem_swap_post,
	};
	err = register_kprobe(&iopmem_swap_test_kprobe);
	if (!err) {
		iopmem_swap_test_armed = true;
		register_module_notifier(&iopmem_swap_nb);
		err = iopmem_swap_arm();
	}
	if (err && err != -ENOENT)
		pr_warn(IOPMEM_NAME ": kprobe against XFS_IOC_SWAPEXT: %d: files are mapped only with allow_unguarded=1\n",
			err);
}

void iopmem_swap_hook_exit(void)
{
	if (!iopmem_swap_test_armed)
		return;
	unregister_module_notifier(&iopmem_swap_nb);
	iopmem_swap_disarm();
	unregister_kprobe(&iopmem_swap_test_kprobe);
	iopmem_swap_test_armed = false;
}

#else /* !CONFIG_KPROBES */

bool iopmem_swap_hook_works(void)
{
	return false;
}

void iopmem_swap_hook_init(void)
{
	pr_warn(IOPMEM_NAME ": kernel without CONFIG_KPROBES: files are mapped only with allow_unguarded=1\n");
}

void iopmem_swap_hook_exit(void)
{
}

#endif

/**
 * iopmem_blocks_guarded - may blocks be handed out?
 *
 * Also for reading: blocks that have moved to another file and were freed hold
 * somebody else's bytes next.
 */
bool iopmem_blocks_guarded(void)
{
	return READ_ONCE(iopmem_allow_unguarded) || iopmem_swap_hook_works();
}
