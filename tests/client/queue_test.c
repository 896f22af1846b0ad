// SPDX-License-Identifier: BSD-3-Clause
/* Queues: many operations on many files at once, in somebody's event loop, under recalls. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iopmem.h"
#include "rig.h"

#define FILES 3
#define PIECE 8192
#define PIECES 64

static struct rig rig;
static struct iopmem_client *client;
static struct iopmem_buf *buf;
static uint8_t *mem;

static int up(void **state)
{
	struct iopmem_connect_args args = { .size = sizeof(args), .depth = 16 };
	struct iopmem_err err = { 0 };
	char url[64];

	(void)state;
	rig_up(&rig, NULL);
	snprintf(url, sizeof(url), "iopmem://127.0.0.1:%u/d", rig.port);
	if (iopmem_connect(url, &args, &client, &err) ||
	    iopmem_buf_alloc(client, (size_t)FILES * PIECES * PIECE, &buf, &err))
		fail_msg("%s", err.text);
	mem = iopmem_buf_addr(buf);
	return 0;
}

static int down(void **state)
{
	(void)state;
	iopmem_buf_unregister(buf);
	iopmem_disconnect(client);
	rig_end(&rig);
	return 0;
}

static struct iopmem_queue *new_queue(uint32_t entries)
{
	struct iopmem_queue *q;

	assert_int_equal(iopmem_queue_new(client, entries, &q, NULL), 0);
	assert_true(iopmem_queue_fd(q) >= 0);
	return q;
}

static struct iopmem_file *new_file(const char *name)
{
	struct iopmem_err err = { 0 };
	struct iopmem_file *f;

	if (iopmem_open(client, name, O_RDWR | O_CREAT, 0644, &f, &err))
		fail_msg("%s", err.text);
	return f;
}

static uint8_t byte(size_t file, size_t piece)
{
	return (uint8_t)(file * 77 + piece + 1);
}

/* Each piece of each file, in an order that mixes them. */
static void make_ops(struct iopmem_op *ops, struct iovec *iov, uint32_t code)
{
	size_t i, n = (size_t)FILES * PIECES;

	for (i = 0; i < n; i++) {
		size_t file = i % FILES, piece = (i / FILES * 13) % PIECES;

		iov[i] = (struct iovec){ mem + (file * PIECES + piece) * PIECE, PIECE };
		memset(iov[i].iov_base, byte(file, piece), PIECE);
		ops[i] = (struct iopmem_op){ .code = code, .buf = buf, .iov = &iov[i], .iovcnt = 1,
					     .offset = piece * PIECE, .user = &iov[i] };
	}
}

static void check_files(void)
{
	char name[8];

	for (size_t f = 0; f < FILES; f++) {
		snprintf(name, sizeof(name), "f%zu", f);
		assert_int_equal(rig_size(&rig, name), PIECES * PIECE);
		for (size_t p = 0; p < PIECES; p++)
			assert_true(rig_bytes(&rig, name, p * PIECE, PIECE, (char)byte(f, p)));
	}
}

/* Submits all of them, polling when the queue is full; each is completed once with @result. */
static void run_all(struct iopmem_queue *q, const struct iopmem_op *ops, unsigned int n,
		    ssize_t result)
{
	struct iopmem_completion c[8];
	unsigned int sent = 0, done = 0;
	int ret, i;

	while (done < n) {
		ret = iopmem_submit(q, ops + sent, n - sent, NULL);
		assert_true(ret >= 0);
		sent += (unsigned int)ret;
		ret = iopmem_poll(q, c, 8, -1);
		assert_true(ret > 0);
		for (i = 0; i < ret; i++) {
			assert_int_equal(c[i].result, result);
			assert_non_null(c[i].user);
		}
		done += (unsigned int)ret;
	}
	assert_int_equal(iopmem_poll(q, c, 8, -1), 0);	/* nothing is in progress */
}

static void many_files_and_leases(void **state)
{
	struct iopmem_op ops[FILES * PIECES], commits[FILES];
	struct iovec iov[FILES * PIECES];
	struct iopmem_lease *lease[FILES];
	struct iopmem_file *file[FILES];
	struct iopmem_queue *q = new_queue(20);
	char name[8];

	(void)state;
	make_ops(ops, iov, IOPMEM_OP_WRITE);
	for (size_t f = 0; f < FILES; f++) {
		snprintf(name, sizeof(name), "f%zu", f);
		file[f] = new_file(name);
		assert_int_equal(iopmem_lease(file[f], 0, PIECES * PIECE, IOPMEM_LEASE_RW, 0,
					      &lease[f], NULL), 0);
		commits[f] = (struct iopmem_op){ .code = IOPMEM_OP_COMMIT, .lease = lease[f],
						 .user = &lease[f] };
	}
	for (size_t i = 0; i < FILES * PIECES; i++)
		ops[i].lease = lease[i % FILES];
	run_all(q, ops, FILES * PIECES, PIECE);
	run_all(q, commits, FILES, IOPMEM_LEVEL_POWER_LOSS);
	memset(mem, 0, (size_t)FILES * PIECES * PIECE);
	for (size_t i = 0; i < FILES * PIECES; i++)
		ops[i].code = IOPMEM_OP_READ;
	run_all(q, ops, FILES * PIECES, PIECE);
	for (size_t i = 0; i < FILES * PIECES; i++)
		assert_int_equal(((uint8_t *)iov[i].iov_base)[i % PIECE],
				 byte(i % FILES, (i / FILES * 13) % PIECES));
	iopmem_queue_free(q);
	for (size_t f = 0; f < FILES; f++)
		assert_int_equal(iopmem_close(file[f], NULL), 0);
	check_files();
}

static void calls_that_lease(void **state)
{
	struct iopmem_op ops[FILES * PIECES], syncs[FILES];
	struct iovec iov[FILES * PIECES];
	struct iopmem_file *file[FILES];
	struct iopmem_queue *q = new_queue(64);
	char name[8];

	(void)state;
	make_ops(ops, iov, IOPMEM_OP_PWRITE);
	for (size_t f = 0; f < FILES; f++) {
		snprintf(name, sizeof(name), "f%zu", f);
		file[f] = new_file(name);
		syncs[f] = (struct iopmem_op){ .code = IOPMEM_OP_SYNC, .file = file[f],
					       .user = &file[f] };
	}
	for (size_t i = 0; i < FILES * PIECES; i++)
		ops[i].file = file[i % FILES];
	run_all(q, ops, FILES * PIECES, PIECE);
	run_all(q, syncs, FILES, IOPMEM_LEVEL_POWER_LOSS);
	memset(mem, 0, (size_t)FILES * PIECES * PIECE);
	for (size_t i = 0; i < FILES * PIECES; i++)
		ops[i].code = IOPMEM_OP_PREAD;
	run_all(q, ops, FILES * PIECES, PIECE);
	for (size_t i = 0; i < FILES * PIECES; i++)
		assert_int_equal(((uint8_t *)iov[i].iov_base)[i % PIECE],
				 byte(i % FILES, (i / FILES * 13) % PIECES));
	iopmem_queue_free(q);
	for (size_t f = 0; f < FILES; f++)
		assert_int_equal(iopmem_close(file[f], NULL), 0);
	check_files();
}

/* The library never sleeps: poll(2) does, on the queue's descriptor. */
static void event_loop(void **state)
{
	struct iopmem_op ops[FILES * PIECES + 1];
	struct iovec iov[FILES * PIECES];
	struct iopmem_completion c[8];
	struct iopmem_lease *lease;
	struct iopmem_file *file = new_file("f0");
	struct iopmem_queue *q = new_queue(40);
	struct pollfd pfd = { .fd = iopmem_queue_fd(q), .events = POLLIN };
	unsigned int sent = 0, done = 0, total = FILES * PIECES;
	int ret;

	(void)state;
	make_ops(ops, iov, IOPMEM_OP_WRITE);
	assert_int_equal(iopmem_lease(file, 0, PIECES * PIECE, IOPMEM_LEASE_RW, 0, &lease, NULL),
			 0);
	for (size_t i = 0; i < total; i++)
		ops[i].lease = lease;
	while (done < total) {
		ret = iopmem_submit(q, ops + sent, total - sent, NULL);
		assert_true(ret >= 0);
		sent += (unsigned int)ret;
		while ((ret = iopmem_poll(q, c, 8, 0)) > 0)
			done += (unsigned int)ret;
		assert_int_equal(ret, 0);
		if (done < total && sent - done == 40)
			assert_int_equal(poll(&pfd, 1, RIG_PATIENCE_MS), 1);
	}
	/* An idle queue is not readable. */
	assert_int_equal(iopmem_poll(q, c, 8, 0), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	/* One by a helper thread. */
	ops[0] = (struct iopmem_op){ .code = IOPMEM_OP_COMMIT, .lease = lease };
	assert_int_equal(iopmem_submit(q, ops, 1, NULL), 1);
	while (!(ret = iopmem_poll(q, c, 8, 0)))
		assert_int_equal(poll(&pfd, 1, RIG_PATIENCE_MS), 1);
	assert_int_equal(ret, 1);
	assert_int_equal(c[0].result, IOPMEM_LEVEL_POWER_LOSS);
	iopmem_queue_free(q);
	assert_int_equal(iopmem_close(file, NULL), 0);
}

static void *open_again_and_again(void *arg)
{
	char path[128];

	(void)arg;
	rig_path(&rig, "f0", path);
	for (int i = 0; i < 20; i++) {
		int fd = open(path, O_RDWR);	/* recalls, and waits for it */

		if (fd >= 0)
			close(fd);
		usleep(1000);
	}
	return NULL;
}

/* Recalls take leases from under them: operations of the kind that leases again all succeed. */
static void recalls_meanwhile(void **state)
{
	struct iopmem_op ops[FILES * PIECES];
	struct iovec iov[FILES * PIECES];
	struct iopmem_file *file = new_file("f0");
	struct iopmem_queue *q = new_queue(16);
	pthread_t local;

	(void)state;
	make_ops(ops, iov, IOPMEM_OP_PWRITE);
	for (size_t i = 0; i < FILES * PIECES; i++) {
		ops[i].file = file;
		memset(iov[i].iov_base, byte(0, (i / FILES * 13) % PIECES), PIECE);
	}
	assert_int_equal(pthread_create(&local, NULL, open_again_and_again, NULL), 0);
	for (int round = 0; round < 10; round++)
		run_all(q, ops, FILES * PIECES, PIECE);
	pthread_join(local, NULL);
	assert_true(iopmem_sync(file, NULL) > 0);
	assert_int_equal(iopmem_file_lost(file, NULL, 0), 0);
	iopmem_queue_free(q);
	assert_int_equal(iopmem_close(file, NULL), 0);
	for (size_t p = 0; p < PIECES; p++)
		assert_true(rig_bytes(&rig, "f0", p * PIECE, PIECE, (char)byte(0, p)));
}

struct worker {
	pthread_t thread;
	struct iopmem_lease *lease;
	size_t n;
};

static void *write_own_part(void *arg)
{
	struct worker *w = arg;
	struct iovec iov = { mem + w->n * 4096, 4096 };
	struct iopmem_queue *q = new_queue(8);
	struct iopmem_op op = { .code = IOPMEM_OP_WRITE, .lease = w->lease, .buf = buf,
				.iov = &iov, .iovcnt = 1, .offset = w->n * 4096, .user = &op };
	struct iopmem_op ops[8] = { op, op, op, op, op, op, op, op };

	for (int round = 0; round < 50; round++)
		run_all(q, ops, 8, 4096);
	iopmem_queue_free(q);
	return NULL;
}

/* Several threads with a queue each, and one with plain calls, on one connection. */
static void threads(void **state)
{
	struct iopmem_file *file = new_file("f0");
	struct iopmem_lease *lease;
	struct worker w[4];

	(void)state;
	assert_int_equal(iopmem_lease(file, 0, 1 << 20, IOPMEM_LEASE_RW, 0, &lease, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		w[i] = (struct worker){ .lease = lease, .n = i };
		memset(mem + i * 4096, (int)i + 1, 4096);
		pthread_create(&w[i].thread, NULL, write_own_part, &w[i]);
	}
	memset(mem + 5 * 4096, 9, 4096);
	for (int round = 0; round < 200; round++)
		assert_int_equal(iopmem_write(lease, buf, mem + 5 * 4096, 4096, 5 * 4096, NULL),
				 4096);
	for (size_t i = 0; i < 4; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(iopmem_close(file, NULL), 0);
	for (size_t i = 0; i < 4; i++)
		assert_true(rig_bytes(&rig, "f0", i * 4096, 4096, (char)(i + 1)));
	assert_true(rig_bytes(&rig, "f0", 5 * 4096, 4096, 9));
}

/* Freed while operations are in progress: they are waited for. */
static void freed_early(void **state)
{
	struct iopmem_op ops[FILES * PIECES];
	struct iovec iov[FILES * PIECES];
	struct iopmem_file *file = new_file("f0");
	struct iopmem_queue *q = new_queue(FILES * PIECES);

	(void)state;
	make_ops(ops, iov, IOPMEM_OP_PWRITE);
	for (size_t i = 0; i < FILES * PIECES; i++)
		ops[i].file = file;
	assert_int_equal(iopmem_submit(q, ops, FILES * PIECES, NULL), FILES * PIECES);
	iopmem_queue_free(q);
	assert_int_equal(iopmem_close(file, NULL), 0);
	assert_int_equal(rig_size(&rig, "f0"), PIECES * PIECE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(many_files_and_leases, up, down),
		cmocka_unit_test_setup_teardown(calls_that_lease, up, down),
		cmocka_unit_test_setup_teardown(event_loop, up, down),
		cmocka_unit_test_setup_teardown(recalls_meanwhile, up, down),
		cmocka_unit_test_setup_teardown(threads, up, down),
		cmocka_unit_test_setup_teardown(freed_early, up, down),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
