// SPDX-License-Identifier: BSD-3-Clause
/* The receive buffer of a connection: bounded, whatever the peer sends and however it is cut. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conn.h"
#include "listener.h"

#define LAST 0x80000000U
#define BUFFER_MAX (2 * CONN_RECORD_MAX)	/* what docs/architecture.md says */

static struct server srv = { .cfg.max_connections = 4 };
static struct fd_watch *listening, *connection;
static struct job *burial;
static uint16_t port;
static int peer;			/* our end */
static unsigned int records, ended;
static size_t last_len, size_max;
static unsigned char last[CONN_RECORD_MAX];

/* ---- what conn.c calls ---- */

int listener_open(const char *option, const char *text, uint16_t *out, struct iopmem_err *err)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sin);

	(void)option;
	(void)text;
	(void)err;
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*out = ntohs(sin.sin_port);
	return fd;
}

void listener_keepalive(int fd)
{
	(void)fd;
}

bool fd_watch_add(struct loop *loop, struct fd_watch *w)
{
	(void)loop;
	if (!listening)
		listening = w;
	else
		connection = w;
	return true;
}

void fd_watch_want(struct loop *loop, struct fd_watch *w, short events)
{
	(void)loop;
	w->events = events;
}

void fd_watch_remove(struct loop *loop, struct fd_watch *w)
{
	(void)loop;
	(void)w;
}

void loop_post(struct loop *loop, struct job *job)
{
	(void)loop;
	burial = job;
}

/* ---- the handler ---- */

static void record(struct conn *conn, const char *data, size_t len)
{
	(void)conn;
	assert_true(len <= sizeof(last));
	memcpy(last, data, len);
	last_len = len;
	records++;
}

static void closed(struct conn *conn)
{
	(void)conn;
	ended++;
}

static const struct conn_handler handler = { record, closed };

static int up(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct iopmem_err err;

	(void)state;
	listening = connection = NULL;
	burial = NULL;
	records = ended = 0;
	size_max = 0;
	assert_int_equal(conns_open(&srv, &handler, &port, &err), 0);
	peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sin.sin_port = htons(port);
	assert_int_equal(connect(peer, (struct sockaddr *)&sin, sizeof(sin)), 0);
	listening->ready(listening, POLLIN);
	assert_non_null(connection);
	return 0;
}

static int down(void **state)
{
	(void)state;
	close(peer);
	conns_close();
	return 0;
}

/* Sends all of it, as the socket takes it, with a round of the loop whenever it is full. */
static void push(const unsigned char *data, size_t len)
{
	struct conn *conn = container_of(connection, struct conn, watch);

	for (;;) {
		struct pollfd in = { .fd = conn->fd, .events = POLLIN };
		ssize_t n = len ? send(peer, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		assert_true(!n || errno == EAGAIN);
		if (poll(&in, 1, len ? 1000 : 20) != 1) {
			assert_int_equal(len, 0);
			return;
		}
		connection->ready(connection, POLLIN);
		if (conn->size > size_max)
			size_max = conn->size;
		if (burial)
			return;
	}
}

static size_t fragment(unsigned char *at, uint32_t mark, int byte)
{
	uint32_t be = htonl(mark), len = mark & ~LAST;

	memcpy(at, &be, sizeof(be));
	memset(at + sizeof(be), byte, len);
	return sizeof(be) + len;
}

/* Record upon record without a pause, none of a size that fits the buffer evenly. */
static void pipelined(void **state)
{
	size_t total = 8 << 20, at = 0;
	unsigned char *buf = malloc(total);
	unsigned int n = 0;

	(void)state;
	assert_non_null(buf);
	while (at + 3001 + 4 <= total) {
		at += fragment(buf + at, LAST | 3001, (int)(n & 255));
		n++;
	}
	push(buf, at);
	assert_int_equal(records, n);
	assert_int_equal(last_len, 3001);
	assert_int_equal(last[3000], (n - 1) & 255);
	assert_true(size_max <= BUFFER_MAX);
	free(buf);
}

/* The largest record in the smallest pieces, twice, with a small one between. */
static void tiny_fragments(void **state)
{
	size_t total = 2 * 5 * CONN_RECORD_MAX + 16, at = 0, i;
	unsigned char *buf = malloc(total);
	int round;

	(void)state;
	assert_non_null(buf);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < CONN_RECORD_MAX; i++)
			at += fragment(buf + at, i + 1 == CONN_RECORD_MAX ? LAST | 1 : 1,
				       (int)((i + (size_t)round) & 255));
		if (!round)
			at += fragment(buf + at, LAST | 4, 7);
	}
	push(buf, at);
	assert_int_equal(records, 3);
	assert_int_equal(last_len, CONN_RECORD_MAX);
	for (i = 0; i < CONN_RECORD_MAX; i++)
		assert_int_equal(last[i], (i + 1) & 255);
	assert_true(size_max <= BUFFER_MAX);
	/* One byte more is too many. */
	for (at = 0, i = 0; i <= CONN_RECORD_MAX; i++)
		at += fragment(buf + at, i == CONN_RECORD_MAX ? LAST | 1 : 1, 0);
	push(buf, at);
	assert_non_null(burial);
	burial->done(burial);
	assert_int_equal(ended, 1);
	assert_int_equal(records, 3);
	free(buf);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(pipelined),
		T(tiny_fragments),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
