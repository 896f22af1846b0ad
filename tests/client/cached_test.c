// SPDX-License-Identifier: BSD-3-Clause
/* Leases under threads: given back and trimmed by others, committed beside each other. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iopmem.h"
#include "rig.h"

#define FILES 2
#define WRITERS 3
#define PIECE 4096
#define PIECES 96		/* of each writer in each file */
#define ROUNDS 6

static struct rig rig;
static struct iopmem_client *client;
static struct iopmem_file *file[FILES];
static atomic_bool over;

/* Somebody who keeps copies and takes a moment to drop them. */
static void cover(enum iopmem_cover what, uint64_t fileid, uint64_t offset, uint64_t length,
		  void *arg)
{
	(void)fileid;
	(void)offset;
	(void)length;
	(void)arg;
	if (what == IOPMEM_COVER_ENDS)
		usleep(500);
}

static int up(void **state)
{
	struct iopmem_connect_args args = { .size = sizeof(args), .cache_bytes = 64 * PIECE };
	struct iopmem_err err = { 0 };
	char url[64], name[8];

	(void)state;
	rig_up(&rig, NULL);
	snprintf(url, sizeof(url), "iopmem://127.0.0.1:%u/d", rig.port);
	if (iopmem_connect(url, &args, &client, &err))
		fail_msg("%s", err.text);
	iopmem_set_cover_fn(client, cover, NULL);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		if (iopmem_open(client, name, O_RDWR | O_CREAT, 0644, &file[i], &err))
			fail_msg("%s", err.text);
	}
	over = false;
	return 0;
}

static int down(void **state)
{
	(void)state;
	iopmem_disconnect(client);
	rig_end(&rig);
	return 0;
}

static uint8_t byte(size_t writer, size_t piece, int round)
{
	return (uint8_t)(writer * 77 + piece * 3 + (size_t)round + 1);
}

static uint64_t at(size_t writer, size_t piece)
{
	return (piece * WRITERS + writer) * PIECE;
}

/* Its pieces of each file, again and again. */
static void *write_pieces(void *arg)
{
	size_t writer = (size_t)(uintptr_t)arg;
	uint8_t block[PIECE];

	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < (size_t)PIECES * FILES; i++) {
			size_t piece = i / FILES * 13 % PIECES;

			memset(block, byte(writer, piece, round), PIECE);
			if (iopmem_pwrite(file[i % FILES], block, PIECE, at(writer, piece),
					  NULL) != PIECE)
				return "write";
		}
	return NULL;
}

static void *give_back(void *arg)
{
	(void)arg;
	while (!over)
		for (int i = 0; i < FILES; i++)
			if (iopmem_file_return(file[i], NULL) < 0)
				return "return";
	return NULL;
}

static void returned_under_writers(void **state)
{
	pthread_t writer[WRITERS], returner;
	char name[8];
	void *failed;

	(void)state;
	assert_int_equal(pthread_create(&returner, NULL, give_back, NULL), 0);
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writer[i], NULL, write_pieces,
						(void *)(uintptr_t)i), 0);
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_join(writer[i], &failed);
		assert_null(failed);
	}
	over = true;
	pthread_join(returner, &failed);
	assert_null(failed);
	for (int i = 0; i < FILES; i++) {
		assert_true(iopmem_sync(file[i], NULL) > 0);
		assert_int_equal(iopmem_file_lost(file[i], NULL, 0), 0);
		assert_int_equal(iopmem_close(file[i], NULL), 0);
		snprintf(name, sizeof(name), "f%d", i);
		for (size_t w = 0; w < WRITERS; w++)
			for (size_t p = 0; p < PIECES; p++)
				assert_true(rig_bytes(&rig, name, at(w, p), PIECE,
						      (char)byte(w, p, ROUNDS - 1)));
	}
}

/* ---- a sync of the file beside the commits of its leases ---- */

#define LEASES 300

static void *sync_file(void *arg)
{
	(void)arg;
	while (!over)
		if (iopmem_sync(file[0], NULL) < 0)
			return "sync";
	return NULL;
}

/* Each lease is taken, written, committed and given back. */
static void *lease_and_commit(void *arg)
{
	size_t writer = (size_t)(uintptr_t)arg;
	struct iopmem_lease *lease;
	struct iopmem_buf *buf;
	uint8_t *block;
	bool ok = true;

	if (iopmem_buf_alloc(client, PIECE, &buf, NULL))
		return "buffer";
	block = iopmem_buf_addr(buf);
	for (size_t i = 0; ok && i < LEASES; i++) {
		memset(block, byte(writer, i % PIECES, 0), PIECE);
		ok = !iopmem_lease(file[0], at(writer, i % PIECES), PIECE, IOPMEM_LEASE_RW, 0,
				   &lease, NULL);
		if (!ok)
			break;
		ok = iopmem_write(lease, buf, block, PIECE, at(writer, i % PIECES), NULL) == PIECE &&
		     iopmem_commit(lease, NULL) > 0;
		ok = !iopmem_return(lease, NULL) && ok;
	}
	iopmem_buf_unregister(buf);
	return ok ? NULL : "lease";
}

static void synced_beside_commits(void **state)
{
	pthread_t writer[WRITERS], syncer;
	void *failed;

	(void)state;
	assert_int_equal(pthread_create(&syncer, NULL, sync_file, NULL), 0);
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writer[i], NULL, lease_and_commit,
						(void *)(uintptr_t)i), 0);
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_join(writer[i], &failed);
		assert_null(failed);
	}
	over = true;
	pthread_join(syncer, &failed);
	assert_null(failed);
	for (size_t w = 0; w < WRITERS; w++)
		for (size_t p = 0; p < PIECES; p++)
			assert_true(rig_bytes(&rig, "f0", at(w, p), PIECE, (char)byte(w, p, 0)));
	for (int i = 0; i < FILES; i++)
		assert_int_equal(iopmem_close(file[i], NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(returned_under_writers, up, down),
		cmocka_unit_test_setup_teardown(synced_beside_commits, up, down),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
