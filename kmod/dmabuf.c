// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs of mapped ranges: export, revoke, and who still has them.
 *
 * A dma-buf is dead when it is revoked, nobody has it mapped and no fence of it
 * is pending.  No range is unmapped and no layout ends before that, so an
 * importer that does not let go keeps the blocks where they are.  What is dead
 * is forgotten; its descriptor may live on, and reaches nothing.
 */
#include "dmabuf_buf.h"

#include <linux/file.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "trace.h"

/* More pieces than this in one dma-buf are not offered to a NIC. */
#define IOPMEM_RUNS_MAX		SZ_1M
/* How long an UNMAP waits for importers, and how often it looks. */
#define IOPMEM_REVOKE_TRIES	100
#define IOPMEM_REVOKE_STEP_MS	10
/* Room for the line that counts what did not fit. */
#define IOPMEM_TAIL		32

DEFINE_MUTEX(iopmem_bufs_mutex);	/* lists of all layouts, and of attachments */

static void iopmem_buf_free(struct kref *ref)
{
	struct iopmem_buf *b = container_of(ref, struct iopmem_buf, ref);

	dma_resv_fini(&b->resv);
	kvfree(b);
}

void iopmem_buf_put(struct iopmem_buf *b)
{
	kref_put(&b->ref, iopmem_buf_free);
}

/**
 * iopmem_buf_idle - does nothing reach the memory through it any more?
 * @b: the dma-buf
 */
bool iopmem_buf_idle(struct iopmem_buf *b)
{
	/*
	 * Without the reservation's lock.  Whoever sees @revoked sees all mappings
	 * that came before it, and whoever sees none of them any more sees what their
	 * unmapping has done.
	 */
	return smp_load_acquire(&b->revoked) && !smp_load_acquire(&b->mappings) &&
	       dma_resv_test_signaled(&b->resv, DMA_RESV_USAGE_BOOKKEEP);
}

/**
 * iopmem_buf_unlink - the layout forgets a dma-buf
 * @b: idle; iopmem_bufs_mutex held; may be gone on return
 */
void iopmem_buf_unlink(struct iopmem_buf *b)
{
	list_del_init(&b->node);
	b->layout = NULL;
	iopmem_buf_put(b);
}

/* ---- export --------------------------------------------------------------- */

/* Pieces of a range: counted when @runs is NULL.  0 when a byte of it is not mapped. */
static size_t iopmem_buf_runs(struct iopmem_layout *l, u64 start, u64 end, bool rw,
			      struct iopmem_phys *runs)
{
	phys_addr_t next = 0;
	struct iopmem_run run;
	size_t nr = 0;

	for (; start < end; start = run.end) {
		phys_addr_t phys;
		u64 len;

		if (!iopmem_extent_find(l, start, &run) || (rw && !run.rw))
			return 0;
		run.end = min(run.end, end);
		len = run.end - run.start;
		phys = l->dev->phys + run.dev;
		if (!nr || phys != next) {
			if (runs)
				runs[nr] = (struct iopmem_phys) { .paddr = phys };
			nr++;
		}
		if (runs)
			runs[nr - 1].len += len;
		next = phys + len;
	}
	return nr;
}

static struct iopmem_buf *iopmem_buf_new(struct iopmem_layout *l, u64 start, u64 end,
					 bool rw)
{
	size_t nr = iopmem_buf_runs(l, start, end, rw, NULL);
	struct iopmem_buf *b;

	if (!nr)
		return ERR_PTR(-ERANGE);
	if (nr > IOPMEM_RUNS_MAX)
		return ERR_PTR(-E2BIG);
	b = kvzalloc(struct_size(b, runs, nr), GFP_KERNEL_ACCOUNT);
	if (!b)
		return ERR_PTR(-ENOMEM);
	kref_init(&b->ref);
	INIT_LIST_HEAD(&b->node);
	INIT_LIST_HEAD(&b->attachments);
	dma_resv_init(&b->resv);
	b->dev = l->dev;
	b->ino = l->inode->i_ino;
	b->start = start;
	b->end = end;
	b->rw = rw;
	b->nr_runs = iopmem_buf_runs(l, start, end, rw, b->runs);
	return b;
}

/* Under map_lock, or an UNMAP on the way would not see it. */
static struct dma_buf *iopmem_buf_export_locked(struct iopmem_layout *l, u64 start,
						u64 end, bool rw)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct iopmem_buf *b;

	if (iopmem_layout_revoked(l))
		return ERR_PTR(-ENODEV);
	if (iopmem_layout_broken(l))
		return ERR_PTR(-EAGAIN);
	b = iopmem_buf_new(l, start, end, rw);
	if (IS_ERR(b))
		return ERR_CAST(b);
	info.ops = &iopmem_buf_ops;
	info.size = end - start;
	info.flags = rw ? O_RDWR : O_RDONLY;
	info.resv = &b->resv;
	info.priv = b;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		iopmem_buf_put(b);
		return dmabuf;
	}
	b->dmabuf = dmabuf;
	kref_get(&b->ref);
	mutex_lock(&iopmem_bufs_mutex);
	b->layout = l;
	list_add_tail(&b->node, &l->bufs);
	mutex_unlock(&iopmem_bufs_mutex);
	return dmabuf;
}

/**
 * iopmem_dmabuf_export - a dma-buf of a mapped range
 * @l:	   the layout
 * @start: first byte, page-aligned
 * @end:   one past the last
 * @rw:	   for writing
 *
 * Return: its file, or -ERANGE not all of it is mapped so, -EAGAIN the layout is
 * broken, -ENODEV the card goes away, -E2BIG too many pieces, -ENOMEM.
 */
struct file *iopmem_dmabuf_export(struct iopmem_layout *l, u64 start, u64 end, bool rw)
{
	struct dma_buf *dmabuf;

	down_write(&l->map_lock);
	dmabuf = iopmem_buf_export_locked(l, start, end, rw);
	up_write(&l->map_lock);
	trace_iopmem_dmabuf_export(l->inode->i_ino, start, end - start, rw,
				   PTR_ERR_OR_ZERO(dmabuf));
	return IS_ERR(dmabuf) ? ERR_CAST(dmabuf) : dmabuf->file;
}

/* ---- revoke --------------------------------------------------------------- */

/* Importers' code runs here; it may unmap at once, or later. */
static void iopmem_buf_revoke(struct iopmem_buf *b)
{
	dma_resv_lock(&b->resv, NULL);
	if (!b->revoked) {
		smp_store_release(&b->revoked, true);	/* iopmem_buf_idle() */
		iopmem_invalidate(b->dmabuf);
		trace_iopmem_dmabuf_revoke(b->ino, b->start, b->end - b->start,
					   b->mappings);
	}
	dma_resv_unlock(&b->resv);
}

/* The next one of a range that is not revoked, with a reference. */
static struct iopmem_buf *iopmem_buf_next(struct iopmem_layout *l, u64 start, u64 end)
{
	struct iopmem_buf *b, *found = NULL;

	mutex_lock(&iopmem_bufs_mutex);
	list_for_each_entry(b, &l->bufs, node) {
		if (READ_ONCE(b->revoked) || b->start >= end || b->end <= start)
			continue;
		kref_get(&b->ref);
		found = b;
		break;
	}
	mutex_unlock(&iopmem_bufs_mutex);
	return found;
}

/**
 * iopmem_dmabuf_revoke - take back the dma-bufs that reach into a range
 * @l:	   the layout
 * @start: first byte
 * @end:   one past the last
 *
 * Waits for nothing but importers' callbacks: iopmem_dmabuf_busy() says when
 * they have let go.
 */
void iopmem_dmabuf_revoke(struct iopmem_layout *l, u64 start, u64 end)
{
	struct iopmem_buf *b;

	while ((b = iopmem_buf_next(l, start, end))) {
		iopmem_buf_revoke(b);
		iopmem_buf_put(b);
	}
}

/**
 * iopmem_dmabuf_busy - does a dma-buf still reach into a range?
 * @l:	   the layout
 * @start: first byte
 * @end:   one past the last
 *
 * Forgets those that do not any more.
 */
bool iopmem_dmabuf_busy(struct iopmem_layout *l, u64 start, u64 end)
{
	struct iopmem_buf *b, *next;
	bool busy = false;

	mutex_lock(&iopmem_bufs_mutex);
	list_for_each_entry_safe(b, next, &l->bufs, node) {
		if (b->start >= end || b->end <= start)
			continue;
		if (iopmem_buf_idle(b))
			iopmem_buf_unlink(b);
		else
			busy = true;
	}
	mutex_unlock(&iopmem_bufs_mutex);
	return busy;
}

/**
 * iopmem_dmabuf_retire - revoke, and give importers a moment to let go
 * @l:	   the layout
 * @start: first byte
 * @end:   one past the last
 *
 * Return: 0, -EBUSY one has not, -EINTR the caller is being killed.
 */
int iopmem_dmabuf_retire(struct iopmem_layout *l, u64 start, u64 end)
{
	unsigned int i;

	iopmem_dmabuf_revoke(l, start, end);
	for (i = 0; iopmem_dmabuf_busy(l, start, end); i++) {
		if (i == IOPMEM_REVOKE_TRIES)
			return -EBUSY;
		schedule_timeout_killable(msecs_to_jiffies(IOPMEM_REVOKE_STEP_MS));
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* ---- who has them --------------------------------------------------------- */

/**
 * iopmem_dmabuf_count - add up what is out
 * @l:	    the layout
 * @counts: added to
 */
void iopmem_dmabuf_count(struct iopmem_layout *l, struct iopmem_counts *counts)
{
	struct iopmem_importer *imp;
	struct iopmem_buf *b;

	mutex_lock(&iopmem_bufs_mutex);
	list_for_each_entry(b, &l->bufs, node) {
		counts->dmabufs++;
		counts->dma_mappings += READ_ONCE(b->mappings);
		list_for_each_entry(imp, &b->attachments, node)
			counts->attachments++;
	}
	mutex_unlock(&iopmem_bufs_mutex);
}

/**
 * iopmem_dmabuf_importers - one line for each attachment
 * @l:	  the layout
 * @buf:  of a sysfs attribute
 * @at:	  bytes in it
 * @more: lines that did not fit, added to
 *
 * Return: bytes in it now.
 */
int iopmem_dmabuf_importers(struct iopmem_layout *l, char *buf, int at,
			    unsigned int *more)
{
	struct iopmem_importer *imp;
	struct iopmem_buf *b;
	char line[160];
	int len;

	mutex_lock(&iopmem_bufs_mutex);
	list_for_each_entry(b, &l->bufs, node) {
		list_for_each_entry(imp, &b->attachments, node) {
			len = scnprintf(line, sizeof(line),
					"%s inode %lu offset %llu length %llu mappings %u%s\n",
					imp->name, b->ino, b->start, b->end - b->start,
					READ_ONCE(imp->mappings),
					READ_ONCE(b->revoked) ? " revoked" : "");
			if (*more || at + len + IOPMEM_TAIL > (int)PAGE_SIZE)
				(*more)++;
			else
				at += sysfs_emit_at(buf, at, "%s", line);
		}
	}
	mutex_unlock(&iopmem_bufs_mutex);
	return at;
}

/**
 * iopmem_dmabuf_holder - the first importer that has a mapping
 * @l:	  the layout
 * @name: result: its device; empty when there is none
 * @size: of @name
 */
void iopmem_dmabuf_holder(struct iopmem_layout *l, char *name, size_t size)
{
	struct iopmem_importer *imp;
	struct iopmem_buf *b;

	*name = '\0';
	mutex_lock(&iopmem_bufs_mutex);
	list_for_each_entry(b, &l->bufs, node)
		list_for_each_entry(imp, &b->attachments, node)
			if (!*name && READ_ONCE(imp->mappings))
				strscpy(name, imp->name, size);
	mutex_unlock(&iopmem_bufs_mutex);
}
