// SPDX-License-Identifier: BSD-3-Clause
#include "bounce.h"

#include <errno.h>
#include <string.h>

static int one(struct iopmem_client *client, enum fabric_op fop, const struct extent *e,
	       uint64_t raddr, uint32_t len)
{
	struct iopmem_buf *scratch = &client->conn.scratch;
	struct conn_op op = { fop, scratch, scratch->addr, len, e->rkey, raddr, true };
	struct conn_wait w = { 0 };

	conn_post_wait(client, &w, &op);
	return conn_drain(client, &w);
}

int bounce(struct iopmem_client *client, bool write, const struct extent *e,
	   uint64_t offset, void *addr, size_t len)
{
	uint32_t align = client->conn.io_align;
	uint64_t block = round_down_to(offset, align), raddr;
	uint8_t *in_block = (uint8_t *)client->conn.scratch.addr + (offset - block);
	int ret;

	if (block < e->r.offset || e->r.end - block < align)
		return -EPROTO;		/* a segment that is not made of whole blocks */
	raddr = e->addr + (block - e->r.offset);
	conn_scratch_get(client);
	ret = one(client, FABRIC_OP_READ, e, raddr, align);
	if (!ret && write) {
		memcpy(in_block, addr, len);
		ret = one(client, FABRIC_OP_WRITE, e, raddr, align);
	} else if (!ret) {
		memcpy(addr, in_block, len);
	}
	conn_scratch_put(client);
	return ret;
}
