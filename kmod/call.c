// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that may wait inside XFS.
 *
 * XFS holds IOLOCK_EXCL while it waits for pinned pages, and map_blocks,
 * commit_blocks and fallocate want IOLOCK_EXCL, uninterruptibly.  A server
 * thread in there could not be killed, so the process would never close its
 * verbs devices, so the pins would never go, so XFS would wait for ever.  So a
 * worker waits there, with references of its own, and the server's thread
 * waits for the worker, killably.
 */
#include "layout.h"

#include <linux/slab.h>

static struct workqueue_struct *iopmem_call_wq;

static void iopmem_call_work(struct work_struct *work)
{
	struct iopmem_call *call = container_of(work, struct iopmem_call, work);
	struct iopmem_layout *l = call->layout;
	const struct cred *old;

	/* As the opener of the file, for quota, suid bits and LSMs. */
	old = override_creds(l->file->f_cred);
	call->ret = call->run(call);
	revert_creds(old);

	/* Without calls and without an fd the layout goes: last touch. */
	atomic_dec(&l->calls);
	complete(&call->done);
	iopmem_call_put(call);
}

/**
 * iopmem_call_new - prepare a call
 * @l:	 the layout, held by its fd (or, for LAYOUT_OPEN, by the call itself)
 * @run: the operation
 *
 * Return: the call with one reference, or NULL.
 */
struct iopmem_call *iopmem_call_new(struct iopmem_layout *l,
				    int (*run)(struct iopmem_call *call))
{
	struct iopmem_call *call = kzalloc(sizeof(*call), GFP_KERNEL);

	if (!call)
		return NULL;
	INIT_WORK(&call->work, iopmem_call_work);
	refcount_set(&call->refs, 1);
	init_completion(&call->done);
	call->run = run;
	call->layout = l;
	return call;
}

/**
 * iopmem_call_wait - have a worker run the call and wait for it
 * @call: the call; its results may be read only when this is not -EINTR
 *
 * Return: what the operation returns, or -EINTR if the caller was killed: the
 * worker then goes on alone.
 */
int iopmem_call_wait(struct iopmem_call *call)
{
	refcount_inc(&call->refs);
	atomic_inc(&call->layout->calls);
	queue_work(iopmem_call_wq, &call->work);
	if (wait_for_completion_killable(&call->done))
		return -EINTR;
	return call->ret;
}

/**
 * iopmem_call_put - drop a reference
 * @call: the call
 *
 * A LAYOUT_OPEN that failed, or whose caller has been killed, ends here.
 */
void iopmem_call_put(struct iopmem_call *call)
{
	if (!refcount_dec_and_test(&call->refs))
		return;
	if (call->owns_layout) {
		if (call->ret)
			iopmem_layout_free(call->layout);
		else
			iopmem_layout_close(call->layout);
	}
	kvfree(call->extents);
	kvfree(call->ranges);
	kfree(call);
}

int iopmem_call_init(void)
{
	/*
	 * Unbound and wide: a call may sit behind another file's truncate for
	 * as long as a client takes to give its layout back.
	 */
	iopmem_call_wq = alloc_workqueue("iopmem_call", WQ_UNBOUND,
					 WQ_MAX_ACTIVE);
	return iopmem_call_wq ? 0 : -ENOMEM;
}

void iopmem_call_exit(void)
{
	destroy_workqueue(iopmem_call_wq);
}
