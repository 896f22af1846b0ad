// SPDX-License-Identifier: BSD-3-Clause
/* Clients of the tcp fabric that do not play by the rules: raw sockets. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract.h"
#include "fabric/tcp.h"

static int raw_stranger(struct fixture *f)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(f->info.port) };
	struct timeval limit = { .tv_sec = guard_ms() / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &in.sin_addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	__real_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static int raw_client(struct fixture *f, struct fabric_peer *peer)
{
	struct tcp_hello hello = { .magic = htobe32(TCP_MAGIC), .version = htobe16(TCP_VERSION) };
	struct tcp_welcome welcome;
	int fd = raw_stranger(f);

	assert_int_equal(fabric_peer_token(peer, hello.token), 0);
	assert_int_equal(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	assert_int_equal(recv(fd, &welcome, sizeof(welcome), MSG_WAITALL), sizeof(welcome));
	assert_int_equal(welcome.status, 0);
	return fd;
}

static void raw_request(int fd, enum tcp_op op, uint32_t rkey, uint64_t raddr, uint32_t len)
{
	struct tcp_request req = { .op = htobe32(op), .rkey = htobe32(rkey),
				   .raddr = htobe64(raddr), .len = htobe32(len) };

	assert_int_equal(send(fd, &req, sizeof(req), 0), sizeof(req));
}

/* The other end is shut: what is left to read, then the end. */
static void assert_closed(int fd)
{
	uint8_t sink[4096];
	ssize_t n;

	do
		n = recv(fd, sink, sizeof(sink), 0);
	while (n > 0);
	assert_true(!n || errno == ECONNRESET);
	close(fd);
}

static void stalled_writer(void **state)
{
	struct fixture *f = *state;
	const size_t size = 2 * MIB;
	struct memory m = memory_new(size);
	uint8_t *data = malloc(size);

	memset(data, 0x44, size);
	for (int by_fd = 0; by_fd < 2; by_fd++) {
		struct fabric_mr *mr = reg(f->a, source(&m, 0, size, by_fd), FABRIC_WRITE);
		struct fabric_conn *idle = dial(f, f->a, 1);
		struct fabric_mr *other = reg(f->a, source(&m, 0, 1, false), FABRIC_READ);
		int fd = raw_client(f, f->a);
		uint8_t seen = 0;

		memset(m.map, 0, size);
		raw_request(fd, TCP_WRITE, fabric_mr_rkey(mr), 0, (uint32_t)size);
		assert_int_equal(send(fd, data, size / 2, 0), size / 2);
		/* It is inside: the bytes have begun to arrive. */
		while (pread(m.fd, &seen, 1, 0) == 1 && !seen)
			poll(NULL, 0, 1);
		/* it returns although the other half has not come, and never would */
		assert_int_equal(fabric_mr_dereg(mr), 0);
		memset(m.map, 0xcc, size);
		send(fd, data, size / 2, MSG_NOSIGNAL);
		assert_closed(fd);
		wait_count(&f->disconnected, 2 * (unsigned int)by_fd + 1);
		assert_true(all_bytes(m.map, size, 0xcc));
		assert_int_equal(do_op(idle, FABRIC_OP_READ, data, 1, fabric_mr_rkey(other), 0), 0);
		data[0] = 0x44;
		assert_int_equal(fabric_mr_dereg(other), 0);
		fabric_disconnect(idle);
		wait_count(&f->disconnected, 2 * (unsigned int)by_fd + 2);
	}
	assert_int_equal(f->violations, 0);
	free(data);
	memory_free(&m);
}

static void stalled_reader(void **state)
{
	struct fixture *f = *state;
	struct memory m = memory_new(64 * MIB);	/* more than all socket buffers */

	for (int by_fd = 0; by_fd < 2; by_fd++) {
		struct fabric_mr *mr = reg(f->a, source(&m, 0, m.size, by_fd), FABRIC_READ);
		int fd = raw_client(f, f->a);
		uint64_t got = 0;
		uint8_t sink[65536];
		ssize_t n;

		memset(m.map, 0x55, m.size);
		raw_request(fd, TCP_READ, fabric_mr_rkey(mr), 0, (uint32_t)m.size);
		assert_int_equal(recv(fd, sink, sizeof(struct tcp_reply), MSG_WAITALL),
				 sizeof(struct tcp_reply));
		assert_int_equal(fabric_mr_dereg(mr), 0);
		memset(m.map, 0xcc, m.size);
		while ((n = recv(fd, sink, sizeof(sink), 0)) > 0) {
			assert_true(all_bytes(sink, (size_t)n, 0x55));	/* what was in flight */
			got += (uint64_t)n;
		}
		assert_true(got < m.size);
		close(fd);
	}
	memory_free(&m);
}

static void nonsense(void **state)
{
	struct fixture *f = *state;
	struct memory m = memory_new(MIB);
	struct fabric_mr *mr = reg(f->a, source(&m, 0, MIB, false), FABRIC_WRITE | FABRIC_READ);
	uint32_t key = fabric_mr_rkey(mr);
	uint8_t junk[256];
	int fd;

	fd = raw_stranger(f);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)rnd();
	assert_int_equal(send(fd, junk, sizeof(junk), MSG_NOSIGNAL), sizeof(junk));
	assert_closed(fd);

	fd = raw_client(f, f->a);
	raw_request(fd, TCP_WRITE, key, 0, UINT32_MAX);		/* above the limit */
	assert_closed(fd);
	fd = raw_client(f, f->a);
	raw_request(fd, TCP_READ, key, 0, 0);
	assert_closed(fd);
	fd = raw_client(f, f->a);
	raw_request(fd, 77, key, 0, 8);
	assert_closed(fd);
	wait_count(&f->violations, 3);
	assert_true(all_bytes(m.map, MIB, 0));
	fabric_mr_dereg(mr);
	memory_free(&m);
}

/* No operation is longer than 1 GiB, however large the region. */
static void too_long(void **state)
{
	struct fixture *f = *state;
	struct memory m = memory_new(2048 * MIB);	/* a hole */
	struct fabric_mr *mr = reg(f->a, source(&m, 0, m.size, false), FABRIC_READ);
	int fd = raw_client(f, f->a);
	struct tcp_reply reply;

	raw_request(fd, TCP_READ, fabric_mr_rkey(mr), 0, (1U << 30) + 1);
	assert_int_equal(recv(fd, &reply, sizeof(reply), MSG_WAITALL), sizeof(reply));
	assert_int_equal(be32toh(reply.status), TCP_ACCESS);
	assert_closed(fd);
	fabric_mr_dereg(mr);
	memory_free(&m);
}

/* Somebody truncates the file under the mapping: an error for the client, no SIGBUS here. */
static void truncated_source(void **state)
{
	struct fixture *f = *state;

	for (int by_fd = 0; by_fd < 2; by_fd++) {
		struct memory m = memory_new(MIB);
		struct fabric_mr *mr = reg(f->a, source(&m, 0, MIB, by_fd),
					   FABRIC_READ | FABRIC_WRITE);
		struct fabric_conn *conn;
		uint8_t *mine = calloc(1, MIB);
		int ret;

		assert_int_equal(ftruncate(m.fd, 8192), 0);
		conn = dial(f, f->a, 1);
		ret = do_op(conn, FABRIC_OP_READ, mine, MIB, fabric_mr_rkey(mr), 0);
		assert_int_equal(ret, by_fd ? -EIO : -ECONNRESET);
		fabric_disconnect(conn);
		if (!by_fd) {
			conn = dial(f, f->a, 1);
			assert_int_equal(do_op(conn, FABRIC_OP_WRITE, mine, MIB,
					       fabric_mr_rkey(mr), 0), -EACCES);
			fabric_disconnect(conn);
		}
		conn = dial(f, f->a, 1);
		assert_int_equal(do_op(conn, FABRIC_OP_READ, mine, 8192, fabric_mr_rkey(mr), 0), 0);
		fabric_disconnect(conn);
		fabric_mr_dereg(mr);
		memory_free(&m);
		free(mine);
	}
}

static bool is_open(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 0;
}

static void assert_put_out(int fd)
{
	ssize_t n;
	char c;

	n = recv(fd, &c, 1, 0);
	assert_true(!n || (n < 0 && errno != EAGAIN));
}

/* Who says nothing does not keep others out: who waits longest makes room, and nobody else. */
static void strangers_make_room(void **state)
{
	enum { ALL = 300, LIMIT = 256 };	/* STRANGERS_MAX */
	struct fixture *f = *state;
	struct fabric_conn *conn;
	int fds[ALL];

	for (size_t i = 0; i < ALL; i++)
		fds[i] = raw_stranger(f);
	conn = dial(f, f->a, 1);	/* itself a stranger until its hello is read */
	for (size_t i = 0; i < ALL - LIMIT; i++)
		assert_put_out(fds[i]);
	for (size_t i = ALL - LIMIT + 1; i < ALL; i++)
		assert_true(is_open(fds[i]));
	for (size_t i = 0; i < ALL; i++)
		close(fds[i]);
	fabric_disconnect(conn);
}

/* Who says nothing is put out in time; a drop now and then does not help. */
static void silent_strangers(void **state)
{
	struct fixture *f = *state;
	int silent = raw_stranger(f), dripping = raw_stranger(f);
	struct pollfd pfd = { .fd = dripping, .events = POLLIN };
	size_t drops = 0;

	do
		if (send(dripping, "i", 1, MSG_NOSIGNAL) == 1)
			drops++;
	while (!poll(&pfd, 1, 1500));
	/* that was not the answer to a whole hello */
	assert_true(drops < sizeof(struct tcp_hello));
	assert_put_out(dripping);
	assert_put_out(silent);
	close(dripping);
	close(silent);
}

static int setup_patient(void **state)
{
	sockets_are_patient = true;
	return setup(state);
}

static int teardown_patient(void **state)
{
	int ret = teardown(state);

	sockets_are_patient = false;
	return ret;
}

const struct CMUnitTest tests_tcp[] = {
	cmocka_unit_test_setup_teardown(stalled_writer, setup_patient, teardown_patient),
	cmocka_unit_test_setup_teardown(stalled_reader, setup_patient, teardown_patient),
	cmocka_unit_test_setup_teardown(nonsense, setup, teardown),
	cmocka_unit_test_setup_teardown(too_long, setup, teardown),
	cmocka_unit_test_setup_teardown(truncated_source, setup, teardown),
	cmocka_unit_test_setup_teardown(strangers_make_room, setup_patient, teardown_patient),
	cmocka_unit_test_setup_teardown(silent_strangers, setup, teardown),
};
const size_t nr_tests_tcp = sizeof(tests_tcp) / sizeof(tests_tcp[0]);
