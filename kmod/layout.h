/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layouts of files on a card.
 *
 * Lock order (outer first):
 *   iopmem_layout.op_lock  ->  XFS's own locks, file locks
 *   iopmem_layout.op_lock  ->  iopmem_layout.map_lock
 *   mmap_lock              ->  iopmem_layout.map_lock        (page fault)
 *   iopmem_layouts_mutex   ->  iopmem_layout.map_lock        (sysfs, revoke)
 *   flc_lock, kprobe       ->  iopmem_table_lock (raw)       (breaks)
 * Nothing is copied to or from user memory under map_lock.
 */
#ifndef IOPMEM_LAYOUT_H
#define IOPMEM_LAYOUT_H

#include "iopmem.h"

#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

/* ---- layout.c: one layout per inode --------------------------------------- */

/* Bits of iopmem_layout.state */
enum {
	IOPMEM_BROKEN,		/* recalled: maps nothing any more, never cleared */
	IOPMEM_REVOKED,		/* its card is going away */
	IOPMEM_ORPHAN,		/* fd closed, but pages or calls still in use */
};

/**
 * struct iopmem_layout - the right to touch the blocks of a file
 * @dev:	the card, holds a use of it
 * @file:	the file; the lease sits on it
 * @owner:	who opened it, for messages
 * @comm:	its name
 * @inode:	of @file; the key in the table
 * @mapping:	of the layout fd, NULL when there is none; under
 *		iopmem_layouts_mutex
 * @state:	IOPMEM_* bits
 * @hash:	in the table
 * @wait:	poll() of the layout fd
 * @notify:	wakes @wait; breaks come with spinlocks held
 * @insider:	the worker whose own break_layout() passes this lease
 * @lease_lock:	@lease; never held together with another lock
 * @lease:	on the file
 * @asked:	runs after somebody has asked the lease for conflicts (lease.c)
 * @op_lock:	one MAP or COMMIT at a time; taken by workers only
 * @map_lock:	@maps
 * @maps:	file page -> device page and right (extent.c)
 * @zeroed:	bytes past EOF that this layout has zeroed and that no commit
 *		has made part of the file yet, as [first, last]; under @op_lock
 * @bufs:	dma-bufs of mapped ranges (dmabuf.c); under iopmem_bufs_mutex
 * @calls:	calls on the way in workers
 * @reap:	ends the layout once calls, pins and dma-bufs are gone
 * @reap_ms:	delay before the next try
 * @cut:	revokes all dma-bufs
 * @stuck:	runs when an extend takes suspiciously long (extend.c)
 */
struct iopmem_layout {
	struct iopmem_dev *dev;
	struct file *file;
	struct pid *owner;
	char comm[TASK_COMM_LEN];
	struct inode *inode;
	struct address_space *mapping;
	unsigned long state;
	struct hlist_node hash;
	wait_queue_head_t wait;
	struct irq_work notify;
	struct task_struct *insider;
	struct mutex lease_lock;	/* lease */
	struct file_lease *lease;
	struct delayed_work asked;
	struct mutex op_lock;	/* MAP against COMMIT; and zeroed */
	struct rw_semaphore map_lock;
	struct maple_tree maps;
	struct maple_tree zeroed;
	struct list_head bufs;
	atomic_t calls;
	struct delayed_work reap;
	unsigned int reap_ms;
	struct work_struct cut;
	struct delayed_work stuck;
};

/* Why a layout was broken, for the trace. */
enum iopmem_break {
	IOPMEM_BREAK_LEASE,	/* the file system breaks the lease */
	IOPMEM_BREAK_BUSY_PAGE,	/* it is about to wait for pinned pages */
	IOPMEM_BREAK_STUCK,	/* our own extend seems to wait for pins */
	IOPMEM_BREAK_MOVED,	/* blocks changed under a mapped range */
	IOPMEM_BREAK_REMOVAL,	/* the card goes away */
	IOPMEM_BREAK_WAITER,	/* somebody waits for the lease, unasked */
};

struct iopmem_counts {
	unsigned int layouts;
	unsigned int orphans;
	u64 mapped;
	u64 pinned;
	unsigned int dmabufs;
	unsigned int attachments;
	unsigned int dma_mappings;
};

int iopmem_layout_init(void);
void iopmem_layout_exit(void);
int iopmem_layout_open(struct file *file, u32 *reason,
		       struct iopmem_layout **layout);
void iopmem_layout_close(struct iopmem_layout *l);
void iopmem_layout_free(struct iopmem_layout *l);
void iopmem_layout_cut(struct iopmem_layout *l);

/* ---- layout_table.c: all of them ------------------------------------------ */

int iopmem_table_add(struct iopmem_layout *l);
void iopmem_table_del(struct iopmem_layout *l);
void iopmem_layout_break(struct iopmem_layout *l, enum iopmem_break why);
void iopmem_layout_break_inode(struct inode *inode);
bool iopmem_layout_within(unsigned long object);
void iopmem_layout_revoke(struct iopmem_dev *dev);
void iopmem_layout_report(struct iopmem_dev *dev);
void iopmem_layout_attach(struct iopmem_layout *l, struct address_space *m);
void iopmem_layout_detach(struct iopmem_layout *l);
void iopmem_layout_count(struct iopmem_dev *dev, struct iopmem_counts *counts);
int iopmem_layout_importers(struct iopmem_dev *dev, char *buf);

static inline bool iopmem_layout_broken(struct iopmem_layout *l)
{
	return test_bit(IOPMEM_BROKEN, &l->state);
}

static inline bool iopmem_layout_revoked(struct iopmem_layout *l)
{
	return test_bit(IOPMEM_REVOKED, &l->state);
}

/* ---- lease.c: FL_LAYOUT --------------------------------------------------- */

int iopmem_lease_init(void);
void iopmem_lease_exit(void);
int iopmem_lease_take(struct iopmem_layout *l);
void iopmem_lease_drop(struct iopmem_layout *l);
int iopmem_lease_break_others(struct iopmem_layout *l);
void iopmem_lease_asked(struct work_struct *work);

/* ---- extent.c: what a layout has mapped ----------------------------------- */

/**
 * struct iopmem_run - contiguous file bytes on contiguous device bytes
 * @start:	first file byte
 * @end:	one past the last
 * @dev:	device offset of @start
 * @rw:		mapped for writing
 */
struct iopmem_run {
	u64 start;
	u64 end;
	u64 dev;
	bool rw;
};

bool iopmem_extent_find(struct iopmem_layout *l, u64 pos, struct iopmem_run *run);
int iopmem_extent_store(struct iopmem_layout *l, const struct iopmem_run *run);
void iopmem_extent_erase(struct iopmem_layout *l, u64 start, u64 end);
bool iopmem_extent_covered(struct iopmem_layout *l, u64 start, u64 end, bool rw);
bool iopmem_extent_busy(struct iopmem_layout *l, u64 start, u64 end);
void iopmem_extent_count(struct iopmem_layout *l, u64 *mapped, u64 *pinned);

bool iopmem_zeroed_find(struct iopmem_layout *l, u64 pos, u64 *end);
bool iopmem_zeroed_next(struct iopmem_layout *l, u64 *start, u64 *end);
int iopmem_zeroed_store(struct iopmem_layout *l, u64 start, u64 end);
void iopmem_zeroed_forget_below(struct iopmem_layout *l, u64 size);

/* ---- call.c: work that may wait inside XFS -------------------------------- */

/**
 * struct iopmem_call - one operation, run by a worker
 * @work:	the worker
 * @refs:	the worker's and the waiter's; the last one frees
 * @done:	@ret and the results are there
 * @run:	the operation
 * @layout:	what it works on
 * @ret:	0 or -errno
 * @owns_layout: LAYOUT_OPEN, and nobody has taken the layout yet
 * @reason:	LAYOUT_OPEN: IOPMEM_REFUSED_*
 * @offset:	MAP, EXTEND: first byte
 * @length:	MAP, EXTEND: bytes
 * @iomode:	MAP: IOPMEM_IOMODE_*
 * @extents:	MAP: results, room for @max_extents
 * @max_extents: MAP: room
 * @nr_extents:	MAP: results
 * @ranges:	COMMIT: the caller's ranges
 * @nr_ranges:	COMMIT: how many
 * @new_size:	TRIM: wanted size; COMMIT: wanted size or 0; then the size reached
 *
 * The call owns all its memory: a killed waiter leaves at once and the worker
 * finishes alone.
 */
struct iopmem_call {
	struct work_struct work;
	refcount_t refs;
	struct completion done;
	int (*run)(struct iopmem_call *call);
	struct iopmem_layout *layout;
	int ret;
	bool owns_layout;
	u32 reason;
	u64 offset;
	u64 length;
	u32 iomode;
	struct iopmem_extent *extents;
	u32 max_extents;
	u32 nr_extents;
	struct iopmem_range *ranges;
	u32 nr_ranges;
	u64 new_size;
};

int iopmem_call_init(void);
void iopmem_call_exit(void);
struct iopmem_call *iopmem_call_new(struct iopmem_layout *l,
				    int (*run)(struct iopmem_call *call));
int iopmem_call_wait(struct iopmem_call *call);
void iopmem_call_put(struct iopmem_call *call);

/* ---- map.c, extend.c, commit.c, unmap.c: the operations ---------------------- */

int iopmem_map_run(struct iopmem_call *call);
int iopmem_unmap(struct file *file, u64 start, u64 end);
int iopmem_map_lookup(struct iopmem_layout *l, u64 pos, u64 end, bool write,
		      struct iomap *iomap);
bool iopmem_map_arbitrated(struct iopmem_layout *l);
int iopmem_extend(struct iopmem_layout *l, int mode, u64 pos, u64 end);
int iopmem_extend_run(struct iopmem_call *call);
int iopmem_trim_run(struct iopmem_call *call);
void iopmem_extend_stuck(struct work_struct *work);
int iopmem_commit_run(struct iopmem_call *call);

/* ---- file.c: the layout fd, ioctl.c, layout_ioctl.c: the ioctls ------------ */

int iopmem_file_init(void);
void iopmem_file_exit(void);
struct file *iopmem_file_new(struct iopmem_layout *l);
long iopmem_layout_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

int iopmem_copy_in(void *to, size_t known, const void __user *arg, u32 *size);
int iopmem_copy_out(void __user *arg, const void *from, size_t known);
bool iopmem_ioctl_ours(unsigned int cmd);
int iopmem_ioctl_init(void);
void iopmem_ioctl_exit(void);

/* ---- busy_hook.c ---------------------------------------------------------- */

void iopmem_busy_hook_init(void);
void iopmem_busy_hook_exit(void);
bool iopmem_busy_hook_works(void);

static inline bool iopmem_can_pin(void)
{
	return IOPMEM_FSDAX_PINNABLE && iopmem_busy_hook_works();
}

/* ---- swap_hook.c ---------------------------------------------------------- */

void iopmem_swap_hook_init(void);
void iopmem_swap_hook_exit(void);
bool iopmem_swap_hook_works(void);
bool iopmem_blocks_guarded(void);

#endif /* IOPMEM_LAYOUT_H */
