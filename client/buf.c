// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

int iopmem_buf_register(struct iopmem_client *client, void *addr, size_t len,
			struct iopmem_buf **buf, struct iopmem_err *err)
{
	struct iopmem_buf *b;
	int ret = 0;

	if (!client || !addr || !len || !buf || (uintptr_t)addr > UINTPTR_MAX - len)
		return err_msg(err, EINVAL, "register a buffer: invalid argument");
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_set(err, ENOMEM, "register a buffer of %zu bytes", len);
	b->client = client;
	b->addr = addr;
	b->len = len;
	conn_lock(client);
	if (client->conn.fc)
		ret = fabric_buf_reg(client->conn.fc, addr, len, &b->fb, err);
	if (!ret) {
		b->next = client->conn.bufs;
		client->conn.bufs = b;
	}
	conn_unlock(client);
	if (ret)
		free(b);
	else
		*buf = b;
	return ret;
}

int iopmem_buf_alloc(struct iopmem_client *client, size_t len, struct iopmem_buf **buf,
		     struct iopmem_err *err)
{
	size_t size;
	void *addr;
	int ret;

	if (!client || !len || len > SSIZE_MAX - 4096UL || !buf)
		return err_msg(err, EINVAL, "allocate a buffer: invalid argument");
	size = (len + 4095) & ~4095UL;
	addr = aligned_alloc(4096, size);
	if (!addr)
		return err_set(err, ENOMEM, "allocate a buffer of %zu bytes", len);
	memset(addr, 0, size);
	ret = iopmem_buf_register(client, addr, len, buf, err);
	if (ret)
		free(addr);
	else
		(*buf)->owned = true;
	return ret;
}

void *iopmem_buf_addr(const struct iopmem_buf *buf)
{
	return buf ? buf->addr : NULL;
}

void iopmem_buf_unregister(struct iopmem_buf *buf)
{
	struct iopmem_buf **p;

	if (!buf)
		return;
	if (buf->client) {
		conn_lock(buf->client);
		p = &buf->client->conn.bufs;
		while (*p && *p != buf)
			p = &(*p)->next;
		if (*p)
			*p = buf->next;
		fabric_buf_dereg(buf->fb);
		conn_unlock(buf->client);
	}
	if (buf->owned)
		free(buf->addr);
	free(buf);
}
