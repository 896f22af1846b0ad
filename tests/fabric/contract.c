// SPDX-License-Identifier: BSD-3-Clause
/*
 * fabric_contract PROVIDER [ADDRESS]: every promise of proto/fabric/fabric.h,
 * checked in the backing memory.  ADDRESS: where the server listens and the client
 * connects (verbs: an address of the RDMA device's network interface).
 */
#include "contract.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

const char *provider, *address = "127.0.0.1";
atomic_bool sockets_are_patient;

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (sockets_are_patient && ((level == SOL_SOCKET && name == SO_RCVTIMEO) ||
				    (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT)))
		return 0;
	return __real_setsockopt(fd, level, name, value, len);
}

static void on_event(void *arg, enum fabric_event ev, uint64_t clientid)
{
	struct fixture *f = arg;

	f->last = clientid;
	if (ev == FABRIC_PEER_CONNECTED)
		f->connected++;
	else if (ev == FABRIC_PEER_DISCONNECTED)
		f->disconnected++;
	else
		f->violations++;
}

int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fabric_server_attr attr = { .provider = provider, .address = address,
					   .event = on_event, .arg = f };
	struct iopmem_err err = { 0 };

	assert_non_null(f);
	if (fabric_server_open(&attr, &f->server, &err) ||
	    fabric_peer_new(f->server, CLIENT_A, &f->a, &err) ||
	    fabric_peer_new(f->server, CLIENT_B, &f->b, &err))
		fail_msg("%s", err.text);
	fabric_server_info(f->server, &f->info);
	*state = f;
	return 0;
}

int teardown(void **state)
{
	struct fixture *f = *state;

	fabric_peer_free(f->a);
	fabric_peer_free(f->b);
	fabric_server_close(f->server);
	/* Every connection that was announced has been taken back. */
	assert_int_equal(f->connected, f->disconnected);
	free(f);
	return 0;
}

struct memory memory_new(size_t size)
{
	struct memory m = { .fd = memfd_create("fabric", MFD_CLOEXEC), .size = size };

	assert_true(m.fd >= 0);
	assert_int_equal(ftruncate(m.fd, (off_t)size), 0);
	m.map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	assert_ptr_not_equal(m.map, MAP_FAILED);
	return m;
}

void memory_free(struct memory *m)
{
	munmap(m->map, m->size);
	close(m->fd);
}

bool all_bytes(const uint8_t *p, size_t len, uint8_t value)
{
	return !len || (p[0] == value && !memcmp(p, p + 1, len - 1));
}

uint32_t rnd(void)
{
	static uint64_t seed;

	if (!seed) {
		const char *env = getenv("SEED");

		seed = env ? strtoull(env, NULL, 0) : getenv("IOPMEM_LONG") ? (uint64_t)time(NULL) | 1 : 20490;
		print_message("SEED=%llu\n", (unsigned long long)seed);
	}
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33);
}

static int dial_full(struct fixture *f, const uint8_t *token, uint32_t depth,
		     struct fabric_conn **conn, struct iopmem_err *err)
{
	struct fabric_conn_attr attr = {
		.provider = provider, .address = address, .port = f->info.port,
		.token = token, .depth = depth, .timeout_ms = (uint32_t)guard_ms(),
	};

	return fabric_connect(&attr, conn, err);
}

int dial_token(struct fixture *f, const uint8_t *token, struct fabric_conn **conn)
{
	struct iopmem_err err = { 0 };
	int ret = dial_full(f, token, 4, conn, &err);

	assert_int_equal(ret, -err.code);
	assert_int_equal(!ret, !err.text[0]);
	return ret;
}

struct fabric_conn *dial(struct fixture *f, struct fabric_peer *peer, uint32_t depth)
{
	uint8_t token[FABRIC_TOKEN_SIZE];
	struct iopmem_err err = { 0 };
	struct fabric_conn *conn;

	assert_int_equal(fabric_peer_token(peer, token), 0);
	if (dial_full(f, token, depth, &conn, &err))
		fail_msg("%s", err.text);
	return conn;
}

struct memsrc source(const struct memory *m, uint64_t from, uint64_t len, bool by_fd)
{
	return (struct memsrc){ .addr = by_fd ? NULL : m->map + from,
				.fd = by_fd ? m->fd : -1, .file_offset = from, .length = len };
}

struct fabric_mr *reg(struct fabric_peer *peer, struct memsrc src, uint32_t rights)
{
	struct iopmem_err err = { 0 };
	struct fabric_mr *mr;

	if (fabric_mr_reg(peer, &src, rights, &mr, &err))
		fail_msg("%s", err.text);
	assert_int_equal(fabric_mr_addr(mr), src.file_offset);
	return mr;
}

struct fabric_buf *buf_of(struct fabric_conn *conn, void *addr, size_t len)
{
	struct iopmem_err err = { 0 };
	struct fabric_buf *buf;

	if (fabric_buf_reg(conn, addr, len, &buf, &err))
		fail_msg("%s", err.text);
	return buf;
}

void take(struct fabric_conn *conn, struct fabric_wc *wc, int n)
{
	while (n) {
		int ret = fabric_poll(conn, wc, n, guard_ms());

		assert_in_range(ret, 1, n);
		wc += ret;
		n -= ret;
	}
}

int do_op(struct fabric_conn *conn, enum fabric_op op, void *addr, uint32_t len,
	  uint32_t rkey, uint64_t raddr)
{
	struct fabric_buf *buf = buf_of(conn, addr, len);
	struct fabric_wc wc;
	int ret = fabric_post(conn, op, buf, addr, len, rkey, raddr, &wc);

	if (!ret) {
		take(conn, &wc, 1);
		assert_ptr_equal(wc.ctx, &wc);
		ret = wc.status;
	}
	fabric_buf_dereg(buf);
	return ret;
}

void wait_count(atomic_uint *counter, unsigned int value)
{
	for (int ms = 0; *counter < value && ms < guard_ms(); ms++)
		poll(NULL, 0, 1);
	assert_int_equal(*counter, value);
}

/* Says why there is nothing to test, or returns. */
static void probe(void)
{
	struct fabric_server_attr attr = { .provider = provider, .address = address };
	struct iopmem_err err = { 0 };
	struct fabric_server *server;

	if (!fabric_server_open(&attr, &server, &err)) {
		fabric_server_close(server);
		return;
	}
	if (strcmp(provider, "verbs") || err.code != ENODEV) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	printf("SKIP: %s\n", err.text);
	exit(77);
}

int main(int argc, char **argv)
{
	struct CMUnitTest all[64];
	size_t n = 0;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: %s PROVIDER [ADDRESS]\n", argv[0]);
		return 2;
	}
	provider = argv[1];
	if (argc == 3)
		address = argv[2];
	alarm(5 * (unsigned int)guard_ms() / 1000);	/* a hang is a failure */
	log_set_level(LOG_LEVEL_ERROR);
	probe();
	for (size_t i = 0; i < nr_tests_io; i++)
		all[n++] = tests_io[i];
	for (size_t i = 0; i < nr_tests_protect; i++)
		all[n++] = tests_protect[i];
	for (size_t i = 0; i < nr_tests_revoke; i++)
		all[n++] = tests_revoke[i];
	for (size_t i = 0; i < nr_tests_tcp && !strcmp(provider, "tcp"); i++)
		all[n++] = tests_tcp[i];
	for (size_t i = 0; i < nr_tests_stuck && !strcmp(provider, "tcp"); i++)
		all[n++] = tests_stuck[i];
	return _cmocka_run_group_tests("fabric_contract", all, n, NULL, NULL) ? 1 : 0;
}
