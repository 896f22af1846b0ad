// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layout fd: mmap for memory registration, pread and pwrite for fabrics
 * that move bytes by CPU, poll for the recall.
 */
#include "layout.h"

#include <linux/file.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/pseudo_fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uio.h>

#define IOPMEM_FS_MAGIC		0x696f706d	/* "iopm" */
#define IOPMEM_BOUNCE		SZ_64K

/*
 * A file system of our own, because zapping needs an address space per layout;
 * all files of the kernel's anon_inode share one.
 */
static struct vfsmount *iopmem_mnt;

static int iopmem_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, IOPMEM_FS_MAGIC) ? 0 : -ENOMEM;
}

/* No .owner: its mount lives as long as the module and would pin it for ever. */
static struct file_system_type iopmem_fs_type = {
	.name = IOPMEM_NAME,
	.init_fs_context = iopmem_fs_init_context,
	.kill_sb = kill_anon_super,
};

static vm_fault_t iopmem_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct iopmem_layout *l = vma->vm_file->private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct iopmem_run run;

	down_read(&l->map_lock);
	if (iopmem_layout_revoked(l) ||
	    !iopmem_extent_find(l, (u64)vmf->pgoff << PAGE_SHIFT, &run))
		goto out;
	/*
	 * Pages of a writable mapping come writable.  A read-only memory region
	 * needs that, too: until 6.2 ib_umem_get() always pins for writing.  So
	 * what decides is whether the server may write the file at all; the
	 * region's own rights confine the peer.
	 */
	if ((vma->vm_flags & VM_WRITE) && !run.rw &&
	    !(l->file->f_mode & FMODE_WRITE))
		goto out;
	ret = vmf_insert_mixed(vma, vmf->address, iopmem_pfn(l->dev->phys + run.dev));
out:
	up_read(&l->map_lock);
	return ret;
}

static const struct vm_operations_struct iopmem_vm_ops = {
	/* no page_mkwrite: GUP refuses long-term pins of files that track dirt */
	.fault = iopmem_fault,
};

static int iopmem_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* Where pins are impossible or unseen by us a mapping is a trap. */
	if (!iopmem_can_pin())
		return -EOPNOTSUPP;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* A read-only mapping stays one: its pages were inserted read-only. */
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
	/* DONTCOPY: a child would keep pages alive that the server gave up. */
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &iopmem_vm_ops;
	return 0;
}

/*
 * Copies between the BAR and a kernel buffer; user memory is not touched here,
 * because map_lock nests inside mmap_lock.
 */
static ssize_t iopmem_copy(struct iopmem_layout *l, u64 pos, void *buf,
			   size_t len, bool write)
{
	struct iopmem_run run;
	size_t n, done = 0;
	int err = 0;

	down_read(&l->map_lock);
	while (done < len && !iopmem_layout_revoked(l) &&
	       iopmem_extent_find(l, pos, &run) && (!write || run.rw)) {
		n = min_t(u64, len - done, run.end - pos);
		if (write)
			err = iopmem_bar_write(l->dev, run.dev, buf + done, n);
		else
			err = iopmem_bar_read(l->dev, run.dev, buf + done, n);
		if (err)
			break;
		done += n;
		pos += n;
	}
	up_read(&l->map_lock);
	if (len && !done)
		return err ?: iopmem_layout_revoked(l) ? -ENODEV : -EFAULT;
	return done;
}

static ssize_t iopmem_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct iopmem_layout *l = iocb->ki_filp->private_data;
	size_t room = min_t(size_t, iov_iter_count(to), IOPMEM_BOUNCE);
	ssize_t n = 0, total = 0;
	void *buf;

	if (!room)
		return 0;
	buf = kvmalloc(room, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	while (iov_iter_count(to)) {
		size_t copied;

		n = iopmem_copy(l, iocb->ki_pos, buf,
				min(iov_iter_count(to), room), false);
		if (n <= 0)
			break;
		copied = copy_to_iter(buf, n, to);
		iocb->ki_pos += copied;
		total += copied;
		if (copied != n) {
			n = -EFAULT;
			break;
		}
		if (fatal_signal_pending(current)) {
			n = -EINTR;
			break;
		}
		cond_resched();
	}
	kvfree(buf);
	return total ?: n;
}

static ssize_t iopmem_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct iopmem_layout *l = iocb->ki_filp->private_data;
	size_t room = min_t(size_t, iov_iter_count(from), IOPMEM_BOUNCE);
	ssize_t n = 0, total = 0;
	void *buf;

	if (!room)
		return 0;
	buf = kvmalloc(room, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	while (iov_iter_count(from)) {
		size_t copied = copy_from_iter(buf, min(iov_iter_count(from), room),
					       from);

		if (!copied) {
			n = -EFAULT;
			break;
		}
		n = iopmem_copy(l, iocb->ki_pos, buf, copied, true);
		if (n <= 0)
			break;
		iocb->ki_pos += n;
		total += n;
		if (n != copied)
			break;
		if (fatal_signal_pending(current)) {
			n = -EINTR;
			break;
		}
		cond_resched();
	}
	kvfree(buf);
	return total ?: n;
}

static __poll_t iopmem_poll(struct file *file, poll_table *wait)
{
	struct iopmem_layout *l = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &l->wait, wait);
	if (iopmem_layout_broken(l))
		mask |= EPOLLPRI;
	if (iopmem_layout_revoked(l))
		mask |= EPOLLHUP;
	return mask;
}

/* No mapping is left: each held a reference to the file. */
static int iopmem_release(struct inode *inode, struct file *file)
{
	struct iopmem_layout *l = file->private_data;

	iopmem_layout_detach(l);
	iopmem_layout_close(l);
	return 0;
}

static const struct file_operations iopmem_layout_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = iopmem_layout_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = iopmem_mmap,
	.read_iter = iopmem_read_iter,
	.write_iter = iopmem_write_iter,
	.poll = iopmem_poll,
	.release = iopmem_release,
};

/**
 * iopmem_file_new - the file of a layout
 * @l: the layout; belongs to the file on success
 */
struct file *iopmem_file_new(struct iopmem_layout *l)
{
	struct inode *inode = alloc_anon_inode(iopmem_mnt->mnt_sb);
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	/* alloc_file_pseudo() leaves fops->owner to us; __fput() puts it. */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, iopmem_mnt, "iopmem-layout",
				 O_RDWR | O_CLOEXEC, &iopmem_layout_fops);
	if (IS_ERR(file)) {
		module_put(THIS_MODULE);
		iput(inode);
		return file;
	}
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	file->private_data = l;
	iopmem_layout_attach(l, file->f_mapping);
	return file;
}

int iopmem_file_init(void)
{
	iopmem_mnt = kern_mount(&iopmem_fs_type);
	return PTR_ERR_OR_ZERO(iopmem_mnt);
}

void iopmem_file_exit(void)
{
	kern_unmount(iopmem_mnt);
}
