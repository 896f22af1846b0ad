/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the opens of a file may still do after its mode, owner or ACL, or the export's rules, have
 * changed (I17).
 * An open keeps what its caller would get now, of what it asked for; the file's owner
 * keeps everything, as on an NFS server, so that a file made read-only can be filled.
 * Who lost a right is recalled, and fenced at the deadline.  Only the file's own
 * permissions count, not those of the directories above.
 */
#ifndef IOPMEM_SERVER_RIGHTS_H
#define IOPMEM_SERVER_RIGHTS_H

struct file;

/* Looks now; @done runs on the loop thread once no open has more than it may. */
void rights_check(struct file *f, void (*done)(void *arg), void *arg);

/*
 * Something may have changed.  What the export's rules forbid is gone when it returns; at the
 * file it looks soon, and many calls may become one look.
 */
void rights_changed(struct file *f);

#endif
