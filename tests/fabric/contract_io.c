// SPDX-License-Identifier: BSD-3-Clause
/* Bytes arrive where they should, in both directions, under any load. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

/* Random operations against a byte array. */
static void model(struct fixture *f, bool by_fd)
{
	const uint64_t base = 12288, len = 3 * MIB + 4096;
	struct memory m = memory_new(4 * MIB);
	struct fabric_conn *conn = dial(f, f->a, 8);
	struct fabric_mr *mr = reg(f->a, source(&m, base, len, by_fd),
				   FABRIC_READ | FABRIC_WRITE);
	uint8_t *want = calloc(1, m.size), *mine = malloc(m.size);
	uint32_t rkey = fabric_mr_rkey(mr);

	for (int i = 0; i < 200; i++) {
		uint32_t at = rnd() % (uint32_t)len;
		uint32_t size = rnd() % (i % 4 ? 5000 : (uint32_t)len) + 1;

		if (size > len - at)
			size = (uint32_t)len - at;
		if (i % 3) {
			for (uint32_t k = 0; k < size; k += 3)
				mine[k] = (uint8_t)rnd();
			assert_int_equal(do_op(conn, FABRIC_OP_WRITE, mine, size, rkey,
					       base + at), 0);
			memcpy(want + base + at, mine, size);
		} else {
			assert_int_equal(do_op(conn, FABRIC_OP_READ, mine, size, rkey,
					       base + at), 0);
			assert_memory_equal(mine, want + base + at, size);
		}
		if (i % 20 == 0)
			assert_memory_equal(m.map, want, m.size);
	}
	assert_memory_equal(m.map, want, m.size);
	assert_int_equal(fabric_mr_dereg(mr), 0);
	fabric_disconnect(conn);
	memory_free(&m);
	free(want);
	free(mine);
}

static void bytes_by_addr(void **state)
{
	model(*state, false);
}

static void bytes_by_fd(void **state)
{
	struct fixture *f = *state;

	if (f->info.needs_addr) {
		print_message("SKIP: bytes_by_fd: this provider registers addresses only\n");
		skip();
	}
	model(f, true);
}

/* Files have no limit near 4 GiB: the remote address is a 64-bit file offset. */
static void high_offset(void **state)
{
	struct fixture *f = *state;
	struct memory m = memory_new(MIB);
	struct fabric_conn *conn = dial(f, f->a, 1);
	struct memsrc src = source(&m, 0, MIB, false);
	struct fabric_mr *mr;
	uint8_t x[64];

	src.file_offset = 0x123456789000;
	mr = reg(f->a, src, FABRIC_WRITE | FABRIC_READ);
	memset(x, 0x5a, sizeof(x));
	assert_int_equal(do_op(conn, FABRIC_OP_WRITE, x, sizeof(x), fabric_mr_rkey(mr),
			       0x123456789000 + MIB - 64), 0);
	assert_true(all_bytes(m.map + MIB - 64, 64, 0x5a));
	assert_true(all_bytes(m.map, MIB - 64, 0));
	fabric_mr_dereg(mr);
	fabric_disconnect(conn);
	memory_free(&m);
}

/* Reads and writes of megabytes at once: nobody waits for the other for ever. */
static void both_directions(void **state)
{
	enum { OPS = 16, SIZE = 2 * MIB };
	struct fixture *f = *state;
	struct memory m = memory_new(2 * OPS * SIZE);
	struct fabric_conn *conn = dial(f, f->a, 2 * OPS);
	struct fabric_mr *mr = reg(f->a, source(&m, 0, m.size, false),
				   FABRIC_READ | FABRIC_WRITE);
	uint8_t *mine = malloc(m.size);
	struct fabric_buf *buf = buf_of(conn, mine, m.size);
	struct fabric_wc wc[2 * OPS];

	/* The lower half is read, the upper written. */
	for (size_t i = 0; i < OPS; i++) {
		memset(m.map + i * SIZE, (int)i + 1, SIZE);
		memset(mine + (OPS + i) * SIZE, 0x80 + (int)i, SIZE);
	}
	for (size_t i = 0; i < OPS; i++) {
		size_t w = (OPS + i) * SIZE, r = i * SIZE;

		assert_int_equal(fabric_post(conn, FABRIC_OP_WRITE, buf, mine + w, SIZE,
					     fabric_mr_rkey(mr), w, mine + w), 0);
		assert_int_equal(fabric_post(conn, FABRIC_OP_READ, buf, mine + r, SIZE,
					     fabric_mr_rkey(mr), r, mine + r), 0);
	}
	take(conn, wc, 2 * OPS);
	for (size_t i = 0; i < 2 * OPS; i++)
		assert_int_equal(wc[i].status, 0);
	assert_memory_equal(mine, m.map, m.size);
	assert_true(all_bytes(m.map + OPS * SIZE, SIZE, 0x80));
	fabric_buf_dereg(buf);
	fabric_mr_dereg(mr);
	fabric_disconnect(conn);
	memory_free(&m);
	free(mine);
}

/* A read posted behind a completed write is a flush: it sees the write. */
static void read_is_flush(void **state)
{
	struct fixture *f = *state;
	struct memory m = memory_new(MIB);
	struct fabric_conn *conn = dial(f, f->a, 2);
	struct fabric_mr *mr = reg(f->a, source(&m, 0, MIB, false),
				   FABRIC_READ | FABRIC_WRITE);
	uint64_t x, back;

	for (x = 1; x < 500; x++) {
		assert_int_equal(do_op(conn, FABRIC_OP_WRITE, &x, 8, fabric_mr_rkey(mr), 4096), 0);
		assert_int_equal(do_op(conn, FABRIC_OP_READ, &back, 8, fabric_mr_rkey(mr), 4096), 0);
		assert_int_equal(back, x);
		memcpy(&back, m.map + 4096, 8);
		assert_int_equal(back, x);
	}
	fabric_mr_dereg(mr);
	fabric_disconnect(conn);
	memory_free(&m);
}

static void depth_limit(void **state)
{
	enum { DEPTH = 8, ROUNDS = 100 };
	struct fixture *f = *state;
	struct memory m = memory_new(MIB);
	struct fabric_conn *conn = dial(f, f->a, DEPTH);
	struct fabric_mr *mr = reg(f->a, source(&m, 0, MIB, false), FABRIC_WRITE);
	uint8_t mine[64] = { 1 };
	struct fabric_buf *buf = buf_of(conn, mine, sizeof(mine));
	uintptr_t posted = 0, taken = 0;
	struct fabric_wc wc[3];

	assert_int_equal(fabric_poll(conn, wc, 3, 0), 0);	/* nothing to wait for */
	while (taken < DEPTH * ROUNDS) {
		int n;

		while (posted - taken < DEPTH)
			assert_int_equal(fabric_post(conn, FABRIC_OP_WRITE, buf, mine, 64,
						     fabric_mr_rkey(mr), 0,
						     (void *)posted++), 0);
		assert_int_equal(fabric_post(conn, FABRIC_OP_WRITE, buf, mine, 64,
					     fabric_mr_rkey(mr), 0, NULL), -EAGAIN);
		n = fabric_poll(conn, wc, 3, -1);
		assert_in_range(n, 1, 3);
		for (int i = 0; i < n; i++) {
			assert_int_equal(wc[i].status, 0);
			assert_int_equal((uintptr_t)wc[i].ctx, taken++);
		}
	}
	while (taken < posted)
		taken += (uintptr_t)fabric_poll(conn, wc, 3, -1);
	fabric_buf_dereg(buf);
	fabric_mr_dereg(mr);
	fabric_disconnect(conn);
	memory_free(&m);
}

/* What the caller gets wrong is refused at once and harms nothing. */
static void caller_errors(void **state)
{
	struct fixture *f = *state;
	struct fabric_conn *conn = dial(f, f->a, 1), *other = dial(f, f->b, 1);
	uint8_t mine[64], beside[64];
	struct fabric_buf *buf = buf_of(conn, mine, sizeof(mine));
	struct fabric_wc wc;

	assert_int_equal(fabric_post(conn, FABRIC_OP_READ, buf, mine + 1, 64, 1, 0, NULL), -EINVAL);
	assert_int_equal(fabric_post(conn, FABRIC_OP_READ, buf, mine, 0, 1, 0, NULL), -EINVAL);
	assert_int_equal(fabric_post(conn, FABRIC_OP_READ, buf, beside, 64, 1, 0, NULL), -EINVAL);
	assert_int_equal(fabric_post(conn, FABRIC_OP_READ, buf, mine, (1U << 30) + 1, 1, 0, NULL),
			 -EINVAL);
	assert_int_equal(fabric_post(other, FABRIC_OP_READ, buf, mine, 64, 1, 0, NULL), -EINVAL);
	assert_int_equal(fabric_poll(conn, &wc, 1, 0), 0);
	fabric_buf_dereg(buf);
	fabric_disconnect(conn);
	fabric_disconnect(other);
}

const struct CMUnitTest tests_io[] = {
	cmocka_unit_test_setup_teardown(bytes_by_addr, setup, teardown),
	cmocka_unit_test_setup_teardown(bytes_by_fd, setup, teardown),
	cmocka_unit_test_setup_teardown(high_offset, setup, teardown),
	cmocka_unit_test_setup_teardown(both_directions, setup, teardown),
	cmocka_unit_test_setup_teardown(read_is_flush, setup, teardown),
	cmocka_unit_test_setup_teardown(depth_limit, setup, teardown),
	cmocka_unit_test_setup_teardown(caller_errors, setup, teardown),
};
const size_t nr_tests_io = sizeof(tests_io) / sizeof(tests_io[0]);
