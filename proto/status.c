// SPDX-License-Identifier: BSD-3-Clause
#include "status.h"

#include <errno.h>
#include <stddef.h>

static const struct {
	unsigned int number;
	int err;
	const char *name;
	const char *text;
} table[] = {
#define STATUS(name, number, err, text) { number, err, #name, text },
#include "status.def"
#undef STATUS
};

#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

static size_t find(unsigned int status)
{
	size_t i = 0;

	while (i < TABLE_LEN && table[i].number != status)
		i++;
	return i;
}

const char *status_name(unsigned int status)
{
	size_t i = find(status);

	return i < TABLE_LEN ? table[i].name : "unknown status";
}

const char *status_text(unsigned int status)
{
	size_t i = find(status);

	return i < TABLE_LEN ? table[i].text : "unknown status";
}

int status_to_errno(unsigned int status)
{
	size_t i = find(status);

	return i < TABLE_LEN ? -table[i].err : -EPROTO;
}

enum iopmem_status status_from_errno(int err)
{
	switch (-err) {
	case 0:			return IOPMEM_OK;
	case EPERM:		return IOPMEM_PERM;
	case ENOENT:		return IOPMEM_NOENT;
	case EIO:		return IOPMEM_IO;
	case EACCES:		return IOPMEM_ACCESS;
	case EEXIST:		return IOPMEM_EXIST;
	case EXDEV: case ELOOP:	return IOPMEM_XDEV;
	case ENOTDIR:		return IOPMEM_NOTDIR;
	case EISDIR:		return IOPMEM_ISDIR;
	case EINVAL:		return IOPMEM_INVAL;
	case EFBIG:		return IOPMEM_FBIG;
	case ENOSPC:		return IOPMEM_NOSPC;
	case EROFS:		return IOPMEM_ROFS;
	case EMLINK:		return IOPMEM_MLINK;
	case ENAMETOOLONG:	return IOPMEM_NAMETOOLONG;
	case ENOTEMPTY:		return IOPMEM_NOTEMPTY;
	case EDQUOT:		return IOPMEM_DQUOT;
	case ESTALE:		return IOPMEM_STALE;
	case EOPNOTSUPP:	return IOPMEM_NOTSUPP;
	case EAGAIN: case EBUSY: case EINTR: return IOPMEM_DELAY;
	case ENOMEM: case EMFILE: case ENFILE: return IOPMEM_DELAY;
	case EBADF:		return IOPMEM_OPENMODE;
	case ERANGE:		return IOPMEM_BADLAYOUT;
	default:		return IOPMEM_SERVERFAULT;
	}
}
