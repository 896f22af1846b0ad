// SPDX-License-Identifier: BSD-3-Clause
/* fabric_mr_dereg() is a revoke; disconnect ends connections and nothing else. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>

#include "contract.h"

#define DATA	0x33
#define POISON	0xcc

struct load {
	struct fixture *f;
	struct fabric_conn *conn;
	struct fabric_mr *mr;
	uint32_t rkey;
	uint32_t size, depth;
	size_t region;
	bool reading;
	atomic_ulong completed;
	bool saw_poison;
};

/* As fast as it goes until the connection dies; then nothing of it is on its way any more. */
static void *hammer(void *arg)
{
	struct load *l = arg;
	uint8_t *mine = malloc((size_t)l->size * l->depth);
	struct fabric_buf *buf = buf_of(l->conn, mine, (size_t)l->size * l->depth);
	uint64_t at = 0;
	uintptr_t slot = 0;
	int ret = 0;

	memset(mine, DATA, (size_t)l->size * l->depth);
	while (ret != -ECONNRESET) {
		struct fabric_wc wc[16];

		do {
			ret = fabric_post(l->conn,
					  l->reading ? FABRIC_OP_READ : FABRIC_OP_WRITE, buf,
					  mine + slot % l->depth * l->size, l->size, l->rkey,
					  at, (void *)(slot % l->depth));
			if (!ret) {
				slot++;
				at = (at + l->size) % l->region;
			}
		} while (!ret);
		ret = fabric_poll(l->conn, wc, 16, -1);
		for (int i = 0; i < ret; i++) {
			const uint8_t *got = mine + (uintptr_t)wc[i].ctx * l->size;

			if (wc[i].status)
				continue;
			l->completed++;
			if (l->reading && memchr(got, POISON, l->size))
				l->saw_poison = true;
		}
	}
	fabric_buf_dereg(buf);
	free(mine);
	return NULL;
}

/*
 * Revoke under load: after the return the memory is given to somebody else
 * (poisoned); the load must neither change nor see that.
 */
static void revoke_round(struct fixture *f, struct memory *m, uint32_t size, bool reading)
{
	struct load l = { .f = f, .size = size, .depth = 8, .region = m->size,
			  .reading = reading };
	pthread_t thread;

	memset(m->map, DATA, m->size);
	l.conn = dial(f, f->a, l.depth);
	l.mr = reg(f->a, source(m, 0, m->size, false), FABRIC_READ | FABRIC_WRITE);
	l.rkey = fabric_mr_rkey(l.mr);
	assert_int_equal(pthread_create(&thread, NULL, hammer, &l), 0);
	while (l.completed < rnd() % 30)
		sched_yield();
	assert_int_equal(fabric_mr_dereg(l.mr), 0);
	memset(m->map, POISON, m->size);
	pthread_join(thread, NULL);
	assert_true(all_bytes(m->map, m->size, POISON));
	assert_false(l.saw_poison);
	fabric_disconnect(l.conn);
}

static void revoke_under_load(void **state)
{
	static const uint32_t sizes[] = { 512, 16 << 10, 256 << 10, MIB };
	struct memory m = memory_new(4 * MIB);

	for (int i = 0; i < 60; i++)
		revoke_round(*state, &m, sizes[i % 4], i & 4);
	memory_free(&m);
}

/* A region dies; a connection that is not inside it lives, whatever else it does. */
static void revoke_spares_others(void **state)
{
	struct fixture *f = *state;
	const uint64_t mine = 4 * MIB;	/* behind what the load writes: two who write one byte race */
	struct memory m = memory_new(mine + MIB);
	struct fabric_conn *idle = dial(f, f->a, 1);
	struct load l = { .f = f, .size = 64 << 10, .depth = 8, .region = mine };
	struct fabric_mr *other;
	pthread_t thread;
	uint8_t x = 7;

	l.conn = dial(f, f->a, l.depth);
	l.mr = reg(f->a, source(&m, 0, m.size, false), FABRIC_WRITE);
	l.rkey = fabric_mr_rkey(l.mr);
	assert_int_equal(pthread_create(&thread, NULL, hammer, &l), 0);
	for (int i = 0; i < 200; i++) {
		other = reg(f->a, source(&m, mine, MIB, false), FABRIC_WRITE);
		if (i % 10 == 0)
			assert_int_equal(do_op(idle, FABRIC_OP_WRITE, &x, 1,
					       fabric_mr_rkey(other), mine), 0);
		assert_int_equal(fabric_mr_dereg(other), 0);
	}
	assert_int_equal(f->disconnected, 0);
	assert_int_equal(do_op(idle, FABRIC_OP_WRITE, &x, 1, l.rkey, mine), 0);
	assert_int_equal(fabric_mr_dereg(l.mr), 0);
	pthread_join(thread, NULL);
	fabric_disconnect(l.conn);
	fabric_disconnect(idle);
	memory_free(&m);
}

/* The peer is cut off: its operations end, its keys stay, it may come back. */
static void disconnect_under_load(void **state)
{
	struct fixture *f = *state;
	struct memory m = memory_new(4 * MIB);
	struct load l = { .f = f, .size = 64 << 10, .depth = 8, .region = m.size };
	struct fabric_conn *b = dial(f, f->b, 1), *idle;
	struct fabric_mr *of_b = reg(f->b, source(&m, 0, MIB, false), FABRIC_READ);
	struct fabric_wc wc;
	pthread_t thread;
	uint8_t x = 7;

	l.conn = dial(f, f->a, l.depth);
	idle = dial(f, f->a, 1);
	l.mr = reg(f->a, source(&m, 0, m.size, false), FABRIC_WRITE);
	l.rkey = fabric_mr_rkey(l.mr);
	assert_int_equal(pthread_create(&thread, NULL, hammer, &l), 0);
	while (l.completed < 20)
		sched_yield();
	fabric_peer_disconnect(f->a);
	assert_int_equal(f->disconnected, 2);
	memset(m.map, POISON, m.size);
	pthread_join(thread, NULL);
	assert_true(all_bytes(m.map, m.size, POISON));
	/* An idle client notices without posting anything. */
	assert_int_equal(fabric_poll(idle, &wc, 1, guard_ms()), -ECONNRESET);
	fabric_disconnect(l.conn);
	fabric_disconnect(idle);
	assert_int_equal(f->disconnected, 2);
	assert_int_equal(f->violations, 0);
	assert_int_equal(do_op(b, FABRIC_OP_READ, &x, 1, fabric_mr_rkey(of_b), 0), 0);

	l.conn = dial(f, f->a, 1);
	assert_int_equal(do_op(l.conn, FABRIC_OP_WRITE, &x, 1, l.rkey, 0), 0);
	fabric_disconnect(l.conn);
	fabric_disconnect(b);
	fabric_mr_dereg(l.mr);
	fabric_mr_dereg(of_b);
	memory_free(&m);
}

/* The client goes away first: the server hears of it. */
static void client_leaves(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 1; i <= 3; i++) {
		fabric_disconnect(dial(f, f->a, 1));
		wait_count(&f->disconnected, i);
		assert_int_equal(f->last, CLIENT_A);
	}
	assert_int_equal(f->violations, 0);
}

const struct CMUnitTest tests_revoke[] = {
	cmocka_unit_test_setup_teardown(revoke_under_load, setup, teardown),
	cmocka_unit_test_setup_teardown(revoke_spares_others, setup, teardown),
	cmocka_unit_test_setup_teardown(disconnect_under_load, setup, teardown),
	cmocka_unit_test_setup_teardown(client_leaves, setup, teardown),
};
const size_t nr_tests_revoke = sizeof(tests_revoke) / sizeof(tests_revoke[0]);
