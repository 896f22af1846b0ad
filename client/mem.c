// SPDX-License-Identifier: BSD-3-Clause
#include "mem.h"


#include <errno.h>
#include <string.h>

#include "io.h"

/* Copies @len bytes between @flat and @iov from @skip on. */
static void copy(uint8_t *flat, const struct iovec *iov, size_t skip, size_t len, bool gather)
{
	while (len) {
		size_t n = iov->iov_len - skip;
		uint8_t *part = (uint8_t *)iov->iov_base + skip;

		n = n < len ? n : len;
		if (gather)
			memcpy(flat, part, n);
		else
			memcpy(part, flat, n);
		flat += n;
		len -= n;
		skip = 0;
		iov++;
	}
}

/* How much of [0, len) lies in @buf. */
static size_t inside(const struct iopmem_buf *buf, const struct iovec *iov, size_t skip,
		     size_t len)
{
	uintptr_t start = (uintptr_t)buf->addr;
	size_t sum = 0;

	while (sum < len) {
		uintptr_t first = (uintptr_t)iov->iov_base + skip;
		size_t n = iov->iov_len - skip;

		n = n < len - sum ? n : len - sum;
		if (n && (first < start || first - start > buf->len ||
			  n > buf->len - (first - start)))
			break;
		sum += n;
		skip = 0;
		iov++;
	}
	return sum;
}

/* The registered buffer that the next bytes are in. */
static bool find(struct mem *m, const struct iovec *iov, size_t skip, size_t len)
{
	struct conn *c = &m->client->conn;
	struct iopmem_buf *b;

	conn_lock(m->client);
	for (b = c->any.fb ? &c->any : c->bufs; b; b = b->next) {
		m->len = inside(b, iov, skip, len);
		if (m->len)
			break;
	}
	conn_unlock(m->client);
	m->buf = b;
	return b != NULL;
}

struct iopmem_buf *conn_find_buf(struct iopmem_client *client, const struct iovec *iov,
				 int iovcnt)
{
	struct conn *c = &client->conn;
	struct iopmem_buf *b;

	if (c->any.fb)
		return &c->any;
	for (b = c->bufs; b; b = b->next)
		if (io_in_buf(b, iov, iovcnt))
			return b;
	return NULL;
}

int mem_get(struct iopmem_client *client, const struct iovec *iov, size_t skip, size_t len,
	    bool write, struct mem *m, struct iopmem_err *err)
{
	int ret;

	*m = (struct mem){ .client = client, .iov = iov, .skip = skip, .write = write };
	while (m->skip == m->iov->iov_len) {
		m->iov++;
		m->skip = 0;
	}
	if (find(m, m->iov, m->skip, len))
		return 0;
	m->len = m->iov->iov_len - m->skip;
	if (m->len > len)
		m->len = len;
	if (m->len > POOL_PIECE) {
		ret = iopmem_buf_register(client, (uint8_t *)m->iov->iov_base + m->skip, m->len,
					  &m->temporary, err);
		m->buf = m->temporary;
		return ret;
	}
	m->piece = pool_get(client, err);
	if (!m->piece)
		return -ENOMEM;
	m->buf = client->pool.buf;
	m->len = len < POOL_PIECE ? len : POOL_PIECE;
	m->caller = m->iov;
	m->caller_skip = m->skip;
	m->own = (struct iovec){ m->piece, m->len };
	m->iov = &m->own;
	m->skip = 0;
	if (write)
		copy(m->piece, m->caller, m->caller_skip, m->len, true);
	return 0;
}

void mem_put(struct mem *m, size_t done)
{
	if (m->piece) {
		if (!m->write)
			copy(m->piece, m->caller, m->caller_skip, done, false);
		pool_put(m->client, m->piece);
	}
	iopmem_buf_unregister(m->temporary);
}
