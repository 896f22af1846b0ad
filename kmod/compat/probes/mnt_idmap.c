// SPDX-License-Identifier: GPL-2.0-only
/* 6.3: vfs_fileattr_set() takes a struct mnt_idmap */
#include <linux/fs.h>
#include <linux/fileattr.h>

int probe(struct file *file);
int probe(struct file *file)
{
	return vfs_fileattr_set(file_mnt_idmap(file), file->f_path.dentry, NULL);
}
