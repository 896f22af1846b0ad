/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the contract test share: one server, two peers, memory. */
#ifndef IOPMEM_TESTS_FABRIC_CONTRACT_H
#define IOPMEM_TESTS_FABRIC_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "../lib/task.h"
#include "fabric/fabric.h"

#define MIB (1UL << 20)

extern const char *provider, *address;	/* from argv */

/* What the server exposes, seen from its side: a memfd and its shared mapping. */
struct memory {
	int fd;
	uint8_t *map;
	size_t size;
};

struct fixture {
	struct fabric_server *server;
	struct fabric_info info;
	struct fabric_peer *a, *b;
	atomic_uint connected, disconnected, violations;
	_Atomic uint64_t last;		/* client id of the last event */
};

#define CLIENT_A 0xaaaaaaaa00000001ULL
#define CLIENT_B 0xbbbbbbbb00000002ULL

int setup(void **state);
int teardown(void **state);

struct memory memory_new(size_t size);
void memory_free(struct memory *m);
bool all_bytes(const uint8_t *p, size_t len, uint8_t value);
uint32_t rnd(void);

struct fabric_conn *dial(struct fixture *f, struct fabric_peer *peer, uint32_t depth);
int dial_token(struct fixture *f, const uint8_t *token, struct fabric_conn **conn);

/* The file bytes [from, from + len) of @m, as the backing would describe them. */
struct memsrc source(const struct memory *m, uint64_t from, uint64_t len, bool by_fd);
struct fabric_mr *reg(struct fabric_peer *peer, struct memsrc src, uint32_t rights);
struct fabric_buf *buf_of(struct fabric_conn *conn, void *addr, size_t len);

/* One operation at a time: its status. */
int do_op(struct fabric_conn *conn, enum fabric_op op, void *addr, uint32_t len,
	  uint32_t rkey, uint64_t raddr);
/* Takes exactly @n completions. */
void take(struct fabric_conn *conn, struct fabric_wc *wc, int n);
void wait_count(atomic_uint *counter, unsigned int value);

/*
 * The server's sockets give up by themselves: a hello that does not come, a peer that does
 * not take what is sent.  Without that, who waits for a stalled peer waits for ever.
 */
extern atomic_bool sockets_are_patient;
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

extern const struct CMUnitTest tests_io[], tests_protect[], tests_revoke[], tests_tcp[],
	tests_stuck[];
extern const size_t nr_tests_io, nr_tests_protect, nr_tests_revoke, nr_tests_tcp,
	nr_tests_stuck;

#endif
