// SPDX-License-Identifier: BSD-3-Clause
#include "bounce.h"

#include <errno.h>
#include <string.h>

int bounce(struct iopmem_client *client, bool write, const struct extent *e,
	   uint64_t offset, void *addr, size_t len)
{
	struct iopmem_buf *scratch = &client->conn.scratch;
	uint32_t align = client->conn.io_align;
	uint64_t block = round_down_to(offset, align), raddr;
	uint8_t *in_block = (uint8_t *)scratch->addr + (offset - block);
	int ret;

	if (block < e->r.offset || e->r.end - block < align)
		return -EPROTO;		/* a segment that is not made of whole blocks */
	raddr = e->addr + (block - e->r.offset);
	ret = conn_drain(client);
	if (ret)
		return ret;
	conn_post(client, FABRIC_OP_READ, scratch, scratch->addr, align, e->rkey, raddr);
	ret = conn_drain(client);
	if (ret)
		return ret;
	if (!write) {
		memcpy(addr, in_block, len);
		return 0;
	}
	memcpy(in_block, addr, len);
	conn_post(client, FABRIC_OP_WRITE, scratch, scratch->addr, align, e->rkey, raddr);
	return conn_drain(client);
}
