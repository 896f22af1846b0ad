// SPDX-License-Identifier: BSD-3-Clause
/* The operations by their procedure numbers. */
#include "call.h"

#define XDR(fn) ((xdrproc_t)(void (*)(void))(fn))
#define OP(NAME, name, args, res, flags) \
	[IOPMEM_PROC_##NAME] = { #NAME, IOPMEM_PROC_##NAME, op_##name, XDR(xdr_iopmem_##args##_args), \
				 XDR(xdr_iopmem_##res##_res), \
				 sizeof(iopmem_##args##_args), flags }

static const struct op ops[] = {
	OP(EXCHANGE_ID, exchange_id, exchange_id, exchange_id, 0),
	OP(RENEW, renew, client, status, OP_CLIENT),
	OP(DESTROY_CLIENTID, destroy_clientid, client, status, OP_CLIENT),
	OP(GETDEVICEINFO, getdeviceinfo, getdeviceinfo, getdeviceinfo, OP_CLIENT),
	OP(LOOKUP, lookup, lookup, attr, OP_CLIENT),
	OP(OPEN, open, open, open, OP_CLIENT | OP_SEQ),
	OP(CREATE, create, create, open, OP_CLIENT | OP_SEQ),
	OP(CLOSE, close, stateid, status, OP_CLIENT | OP_SEQ),
	OP(GETATTR, getattr, stateid, attr, OP_CLIENT),
	OP(SETSIZE, setsize, setsize, attr, OP_CLIENT | OP_SEQ),
	OP(REMOVE, remove, path, status, OP_CLIENT | OP_SEQ),
	OP(READDIR, readdir, readdir, readdir, OP_CLIENT),
	OP(MKDIR, mkdir, mkdir, attr, OP_CLIENT | OP_SEQ),
	OP(LAYOUTGET, layoutget, layoutget, layoutget, OP_CLIENT | OP_SEQ),
	OP(LAYOUTCOMMIT, layoutcommit, layoutcommit, layoutcommit, OP_CLIENT | OP_SEQ),
	OP(LAYOUTRETURN, layoutreturn, layoutreturn, layoutreturn, OP_CLIENT | OP_SEQ),
	OP(EVENT_WAIT, event_wait, event_wait, event_wait, OP_CLIENT | OP_PARKS),
	OP(READ, read, read, read, OP_CLIENT),
	OP(WRITE, write, write, write, OP_CLIENT | OP_SEQ),
	OP(OPEN_HANDLE, open_handle, open_handle, open, OP_CLIENT | OP_SEQ),
	OP(DEALLOCATE, deallocate, allocate, attr, OP_CLIENT | OP_SEQ),
	OP(ALLOCATE, allocate, allocate, attr, OP_CLIENT | OP_SEQ),
	OP(RENAME, rename, rename, status, OP_CLIENT | OP_SEQ),
	OP(SETATTR, setattr, setattr, attr, OP_CLIENT | OP_SEQ),
	OP(STATFS, statfs, statfs, statfs, OP_CLIENT),
	OP(LINK, link, link, attr, OP_CLIENT | OP_SEQ),
	OP(SYMLINK, symlink, symlink, attr, OP_CLIENT | OP_SEQ),
	OP(READLINK, readlink, path, readlink, OP_CLIENT),
};

const struct op *op_find(uint32_t proc)
{
	return proc < sizeof(ops) / sizeof(ops[0]) && ops[proc].run ? &ops[proc] : NULL;
}

const char *op_name(uint32_t proc)
{
	const struct op *op = op_find(proc);

	return op ? op->name : NULL;
}
