// SPDX-License-Identifier: BSD-3-Clause
/*
 * Each public call with what nobody should give it: NULL, the wrong state, ranges that
 * overflow, other clients' objects, from the thread that made the object and from another
 * one.  A documented error, and nothing happens.  (Built with sanitizers as well.)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iopmem.h"
#include "rig.h"

#define HUGE_SIZE ((size_t)SSIZE_MAX + 1)
#define is(call, errno_) assert_int_equal((call), -(errno_))

static struct rig rig;
static char url[64];
static struct iopmem_client *client, *other;
static struct iopmem_file *file, *rd_file;
static struct iopmem_lease *lease, *rd_lease;
static struct iopmem_buf *buf, *other_buf;
static struct iopmem_queue *queue;
static uint8_t *mem;
static uint8_t outside[16];

static int up(void **state)
{
	struct iopmem_err err = { 0 };

	(void)state;
	rig_up(&rig, NULL);
	snprintf(url, sizeof(url), "iopmem://127.0.0.1:%u/d", rig.port);
	if (iopmem_connect(url, NULL, &client, &err) || iopmem_connect(url, NULL, &other, &err) ||
	    iopmem_buf_alloc(client, 65536, &buf, &err) ||
	    iopmem_buf_alloc(other, 65536, &other_buf, &err) ||
	    iopmem_open(client, "f", O_RDWR | O_CREAT, 0644, &file, &err) ||
	    iopmem_pwrite(file, "0123456789", 10, 0, &err) != 10 || iopmem_sync(file, &err) < 0 ||
	    iopmem_open(client, "f", O_RDONLY, 0, &rd_file, &err) ||
	    iopmem_lease(file, 0, 4096, IOPMEM_LEASE_RW, 0, &lease, &err) ||
	    iopmem_lease(rd_file, 0, 4096, IOPMEM_LEASE_READ, 0, &rd_lease, &err) ||
	    iopmem_queue_new(client, 4, &queue, &err))
		fail_msg("%s", err.text);
	mem = iopmem_buf_addr(buf);
	return 0;
}

static int down(void **state)
{
	(void)state;
	iopmem_queue_free(queue);
	assert_int_equal(iopmem_disconnect(client), 0);	/* closes, returns; bytes of it are there */
	iopmem_buf_unregister(buf);		/* outlives its client */
	assert_int_equal(iopmem_disconnect(other), 0);
	iopmem_buf_unregister(other_buf);
	assert_true(rig_size(&rig, "f") == 10);
	rig_end(&rig);
	return 0;
}

static int no_entry(const char *name, const struct iopmem_stat *st, void *arg)
{
	(void)name, (void)st, (void)arg;
	return 7;
}

static void null_for_names(void)
{
	struct iopmem_changes c = { .size = sizeof(c) };
	struct iopmem_statfs fs = { .size = sizeof(fs) };
	struct iopmem_stat st;
	char text[8];

	is(iopmem_stat(NULL, "f", &st, NULL), EINVAL);
	is(iopmem_stat(client, NULL, &st, NULL), EINVAL);
	is(iopmem_stat(client, "f", NULL, NULL), EINVAL);
	is(iopmem_lstat(NULL, "f", &st, NULL), EINVAL);
	is(iopmem_lstat(client, "f", NULL, NULL), EINVAL);
	is(iopmem_mkdir(NULL, "x", 0, NULL), EINVAL);
	is(iopmem_mkdir(client, NULL, 0, NULL), EINVAL);
	is(iopmem_remove(NULL, "x", NULL), EINVAL);
	is(iopmem_remove(client, NULL, NULL), EINVAL);
	is(iopmem_rename(NULL, "f", "g", 0, NULL), EINVAL);
	is(iopmem_rename(client, NULL, "g", 0, NULL), EINVAL);
	is(iopmem_rename(client, "f", NULL, 0, NULL), EINVAL);
	is(iopmem_rename(client, "f", "g", 4, NULL), EINVAL);
	is(iopmem_link(NULL, "f", "g", NULL), EINVAL);
	is(iopmem_link(client, NULL, "g", NULL), EINVAL);
	is(iopmem_link(client, "f", NULL, NULL), EINVAL);
	is(iopmem_symlink(NULL, "f", "g", NULL), EINVAL);
	is(iopmem_symlink(client, NULL, "g", NULL), EINVAL);
	is(iopmem_symlink(client, "", "g", NULL), EINVAL);
	is(iopmem_symlink(client, "f", NULL, NULL), EINVAL);
	is(iopmem_readlink(NULL, "f", text, 8, NULL), EINVAL);
	is(iopmem_readlink(client, NULL, text, 8, NULL), EINVAL);
	is(iopmem_readlink(client, "f", NULL, 8, NULL), EINVAL);
	is(iopmem_readlink(client, "f", text, 0, NULL), EINVAL);
	is(iopmem_readdir(NULL, "", no_entry, NULL, NULL), EINVAL);
	is(iopmem_readdir(client, NULL, no_entry, NULL, NULL), EINVAL);
	is(iopmem_readdir(client, "", NULL, NULL, NULL), EINVAL);
	is(iopmem_setattr(NULL, "f", &c, 0, NULL, NULL), EINVAL);
	is(iopmem_setattr(client, NULL, &c, 0, NULL, NULL), EINVAL);
	is(iopmem_setattr(client, "f", NULL, 0, NULL, NULL), EINVAL);
	is(iopmem_setattr(client, "f", &c, 2, NULL, NULL), EINVAL);
	is(iopmem_fsetattr(NULL, &c, NULL, NULL), EINVAL);
	is(iopmem_fsetattr(file, NULL, NULL, NULL), EINVAL);
	c.size = 3;
	is(iopmem_setattr(client, "f", &c, 0, NULL, NULL), EINVAL);
	is(iopmem_chmod(NULL, "f", 0, NULL), EINVAL);
	is(iopmem_chmod(client, NULL, 0, NULL), EINVAL);
	is(iopmem_statfs(NULL, &fs, NULL), EINVAL);
	is(iopmem_statfs(client, NULL, NULL), EINVAL);
	fs.size = 0;
	is(iopmem_statfs(client, &fs, NULL), EINVAL);
	is(iopmem_truncate(NULL, "f", 0, NULL), EINVAL);
	is(iopmem_truncate(client, NULL, 0, NULL), EINVAL);
}

static void null_for_objects(void)
{
	struct iopmem_connect_args args = { 0 };
	struct iopmem_info info = { 0 };
	struct iopmem_client *c = NULL;
	struct iopmem_file *f = NULL;
	struct iopmem_lease *l = NULL;
	struct iopmem_buf *b = NULL;
	struct iopmem_stat st;
	struct iopmem_err err = { 0 };

	is(iopmem_connect(NULL, NULL, &c, NULL), EINVAL);
	is(iopmem_connect(url, NULL, NULL, NULL), EINVAL);
	is(iopmem_connect("http://x/y", NULL, &c, NULL), EINVAL);
	is(iopmem_connect(url, &args, &c, &err), EINVAL);	/* size is not set */
	assert_int_equal(err.code, EINVAL);
	assert_true(err.text[0]);
	args = (struct iopmem_connect_args){ .size = sizeof(args), .flags = 0x80 };
	is(iopmem_connect(url, &args, &c, NULL), EINVAL);
	args = (struct iopmem_connect_args){ .size = sizeof(args), .depth = UINT32_MAX };
	is(iopmem_connect(url, &args, &c, NULL), EINVAL);
	args = (struct iopmem_connect_args){ .size = sizeof(args), .owner = "" };
	is(iopmem_connect(url, &args, &c, NULL), EINVAL);
	assert_int_equal(iopmem_disconnect(NULL), 0);
	is(iopmem_info(NULL, &info, NULL), EINVAL);
	is(iopmem_info(client, NULL, NULL), EINVAL);
	is(iopmem_info(client, &info, NULL), EINVAL);		/* size is not set */
	iopmem_set_event_fn(NULL, NULL, NULL);
	iopmem_set_cover_fn(NULL, NULL, NULL);
	is(iopmem_open(NULL, "f", O_RDWR, 0, &f, NULL), EINVAL);
	is(iopmem_open(client, NULL, O_RDWR, 0, &f, NULL), EINVAL);
	is(iopmem_open(client, "f", O_RDWR, 0, NULL, NULL), EINVAL);
	is(iopmem_open(client, "f", O_ACCMODE, 0, &f, NULL), EINVAL);
	is(iopmem_open(client, "f", O_RDWR | O_APPEND, 0, &f, NULL), EINVAL);
	is(iopmem_open(client, "f", O_RDONLY | O_TRUNC, 0, &f, NULL), EINVAL);
	is(iopmem_close(NULL, NULL), EINVAL);
	is(iopmem_fstat(NULL, &st, NULL), EINVAL);
	is(iopmem_fstat(file, NULL, NULL), EINVAL);
	is(iopmem_ftruncate(NULL, 0, NULL), EINVAL);
	is(iopmem_buf_register(NULL, mem, 1, &b, NULL), EINVAL);
	is(iopmem_buf_register(client, NULL, 1, &b, NULL), EINVAL);
	is(iopmem_buf_register(client, mem, 0, &b, NULL), EINVAL);
	is(iopmem_buf_register(client, mem, 1, NULL, NULL), EINVAL);
	is(iopmem_buf_register(client, mem, SIZE_MAX, &b, NULL), EINVAL);
	is(iopmem_buf_alloc(NULL, 1, &b, NULL), EINVAL);
	is(iopmem_buf_alloc(client, 0, &b, NULL), EINVAL);
	is(iopmem_buf_alloc(client, 1, NULL, NULL), EINVAL);
	is(iopmem_buf_alloc(client, SIZE_MAX, &b, NULL), EINVAL);
	assert_null(iopmem_buf_addr(NULL));
	iopmem_buf_unregister(NULL);
	is(iopmem_lease(NULL, 0, 1, IOPMEM_LEASE_RW, 0, &l, NULL), EINVAL);
	is(iopmem_lease(file, 0, 1, IOPMEM_LEASE_RW, 0, NULL, NULL), EINVAL);
	is(iopmem_lease(file, 0, 1, 3, 0, &l, NULL), EINVAL);
	is(iopmem_commit(NULL, NULL), EINVAL);
	is(iopmem_return(NULL, NULL), EINVAL);
	assert_int_equal(iopmem_lease_lost(NULL, NULL, 0), 0);
	assert_int_equal(iopmem_file_lost(NULL, NULL, 0), 0);
	assert_int_equal(iopmem_file_written(NULL), 0);
	is(iopmem_sync(NULL, NULL), EINVAL);
	is(iopmem_file_return(NULL, NULL), EINVAL);
	assert_true(!c && !f && !l && !b);		/* results are written on success only */
}

static void null_for_io(void)
{
	struct iovec iov = { mem, 1 }, nowhere = { NULL, 1 };

	is(iopmem_write(NULL, buf, mem, 1, 0, NULL), EINVAL);
	is(iopmem_write(lease, NULL, mem, 1, 0, NULL), EINVAL);
	is(iopmem_write(lease, buf, NULL, 1, 0, NULL), EINVAL);
	is(iopmem_read(NULL, buf, mem, 1, 0, NULL), EINVAL);
	is(iopmem_read(lease, NULL, mem, 1, 0, NULL), EINVAL);
	is(iopmem_read(lease, buf, NULL, 1, 0, NULL), EINVAL);
	is(iopmem_writev(NULL, buf, &iov, 1, 0, NULL), EINVAL);
	is(iopmem_writev(lease, buf, NULL, 1, 0, NULL), EINVAL);
	is(iopmem_readv(lease, buf, &nowhere, 1, 0, NULL), EINVAL);
	is(iopmem_pread(NULL, mem, 1, 0, NULL), EINVAL);
	is(iopmem_pread(file, NULL, 1, 0, NULL), EINVAL);
	is(iopmem_pwrite(NULL, mem, 1, 0, NULL), EINVAL);
	is(iopmem_pwrite(file, NULL, 1, 0, NULL), EINVAL);
	is(iopmem_preadv(file, NULL, 1, 0, NULL), EINVAL);
	is(iopmem_pwritev(file, &nowhere, 1, 0, NULL), EINVAL);
	is(iopmem_append(NULL, mem, 1, NULL, NULL), EINVAL);
	is(iopmem_append(file, NULL, 1, NULL, NULL), EINVAL);
	/* Nothing to do is no error. */
	assert_int_equal(iopmem_write(lease, buf, NULL, 0, 0, NULL), 0);
	assert_int_equal(iopmem_preadv(file, NULL, 0, 0, NULL), 0);
	assert_int_equal(iopmem_append(file, NULL, 0, NULL, NULL), 0);
}

static void ranges_that_overflow(void)
{
	struct iovec two[2] = { { mem, SSIZE_MAX }, { mem, SSIZE_MAX } };
	struct iovec wraps = { mem, SIZE_MAX };
	struct iopmem_lease *l;

	is(iopmem_lease(file, UINT64_MAX, 2, IOPMEM_LEASE_READ, 0, &l, NULL), EINVAL);
	is(iopmem_lease(file, 1, UINT64_MAX - 1, IOPMEM_LEASE_RW, 0, &l, NULL), EINVAL);
	is(iopmem_lease(file, 0, 0, IOPMEM_LEASE_RW, 0, &l, NULL), EINVAL);
	is(iopmem_ftruncate(file, UINT64_MAX, NULL), EINVAL);
	is(iopmem_write(lease, buf, mem, HUGE_SIZE, 0, NULL), EINVAL);
	is(iopmem_write(lease, buf, mem, 1, 4096, NULL), ERANGE);
	is(iopmem_write(lease, buf, mem, 4097, 0, NULL), ERANGE);
	is(iopmem_write(lease, buf, mem, 2, UINT64_MAX, NULL), ERANGE);
	is(iopmem_write(lease, buf, outside, 16, 0, NULL), ERANGE);
	is(iopmem_write(lease, buf, mem + 65535, 2, 0, NULL), ERANGE);
	is(iopmem_read(lease, buf, outside, 16, 0, NULL), ERANGE);
	is(iopmem_writev(lease, buf, two, 2, 0, NULL), EINVAL);
	is(iopmem_writev(lease, buf, &wraps, 1, 0, NULL), EINVAL);
	is(iopmem_readv(lease, buf, two, -1, 0, NULL), EINVAL);
	is(iopmem_preadv(file, two, IOV_MAX + 1, 0, NULL), EINVAL);
	is(iopmem_pwritev(file, two, 2, 0, NULL), EINVAL);
	is(iopmem_pread(file, mem, HUGE_SIZE, 0, NULL), EINVAL);
	is(iopmem_pwrite(file, mem, HUGE_SIZE, 0, NULL), EINVAL);
	is(iopmem_pread(file, mem, 1, UINT64_MAX, NULL), EFBIG);
	is(iopmem_pwrite(file, mem, 2, INT64_MAX, NULL), EFBIG);
	is(iopmem_append(file, mem, HUGE_SIZE, NULL, NULL), EINVAL);
}

static void wrong_state(void)
{
	char *name = test_malloc(5000);
	struct iopmem_stat st;
	struct iopmem_lease *l;

	memset(name, 'n', 4999);
	name[4999] = '\0';
	is(iopmem_stat(client, name, &st, NULL), ENAMETOOLONG);
	test_free(name);
	is(iopmem_lease(rd_file, 0, 1, IOPMEM_LEASE_RW, 0, &l, NULL), EBADF);
	is(iopmem_write(rd_lease, buf, mem, 1, 0, NULL), EBADF);
	is(iopmem_pwrite(rd_file, mem, 1, 0, NULL), EBADF);
	is(iopmem_append(rd_file, mem, 1, NULL, NULL), EBADF);
	is(iopmem_ftruncate(rd_file, 0, NULL), EBADF);
	is(iopmem_write(lease, other_buf, iopmem_buf_addr(other_buf), 1, 0, NULL), EINVAL);
	is(iopmem_stat(client, "f/x", &st, NULL), ENOTDIR);
	is(iopmem_mkdir(client, "f", 0755, NULL), EEXIST);
	assert_int_equal(iopmem_readdir(client, "", no_entry, NULL, NULL), 7);
	/* A lease that is gone: the handle stays good for asking, committing, returning. */
	assert_int_equal(iopmem_commit(rd_lease, NULL) > 0, 1);
}

static void queues(void)
{
	struct iopmem_queue *q = NULL;
	struct iopmem_completion c[8];
	struct iovec iov = { mem, 1 }, out = { outside, 1 };
	struct iopmem_op ok = { .code = IOPMEM_OP_READ, .lease = lease, .buf = buf, .iov = &iov,
				.iovcnt = 1 };
	struct iopmem_op op, full[6] = { ok, ok, ok, ok, ok, ok };

	is(iopmem_queue_new(NULL, 1, &q, NULL), EINVAL);
	is(iopmem_queue_new(client, 0, &q, NULL), EINVAL);
	is(iopmem_queue_new(client, UINT32_MAX, &q, NULL), EINVAL);
	is(iopmem_queue_new(client, 1, NULL, NULL), EINVAL);
	assert_null(q);
	is(iopmem_queue_fd(NULL), EINVAL);
	iopmem_queue_free(NULL);
	is(iopmem_submit(NULL, &ok, 1, NULL), EINVAL);
	is(iopmem_submit(queue, NULL, 1, NULL), EINVAL);
	assert_int_equal(iopmem_submit(queue, NULL, 0, NULL), 0);
	is(iopmem_poll(NULL, c, 1, 0), EINVAL);
	is(iopmem_poll(queue, NULL, 1, 0), EINVAL);
	is(iopmem_poll(queue, c, 0, 0), EINVAL);
#define bad(errno_, ...) do { \
	op = (__VA_ARGS__); \
	is(iopmem_submit(queue, &op, 1, NULL), errno_); \
} while (0)
	bad(EINVAL, (struct iopmem_op){ 0 });
	bad(EINVAL, (struct iopmem_op){ .code = 99 });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_READ, .buf = buf, .iov = &iov, .iovcnt = 1 });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_READ, .lease = lease, .iov = &iov,
					.iovcnt = 1 });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_READ, .lease = lease, .buf = buf,
					.iovcnt = 1 });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_READ, .lease = lease, .buf = other_buf,
					.iov = &iov, .iovcnt = 1 });
	bad(ERANGE, (struct iopmem_op){ .code = IOPMEM_OP_READ, .lease = lease, .buf = buf,
					.iov = &out, .iovcnt = 1 });
	bad(ERANGE, (struct iopmem_op){ .code = IOPMEM_OP_READ, .lease = lease, .buf = buf,
					.iov = &iov, .iovcnt = 1, .offset = 4096 });
	bad(EBADF, (struct iopmem_op){ .code = IOPMEM_OP_WRITE, .lease = rd_lease, .buf = buf,
				       .iov = &iov, .iovcnt = 1 });
	bad(EBADF, (struct iopmem_op){ .code = IOPMEM_OP_PWRITE, .file = rd_file, .iov = &iov,
				       .iovcnt = 1 });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_PREAD, .iov = &iov, .iovcnt = 1 });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_COMMIT });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_SYNC });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_SYNC, .file = file, .flags = 1 });
	bad(EINVAL, (struct iopmem_op){ .code = IOPMEM_OP_SYNC, .file = file, .reserved = { 0, 0, 1 } });
	/* More than its entries: some are taken; what comes after an invalid one is not. */
	assert_int_equal(iopmem_submit(queue, full, 6, NULL), 4);
	for (int n = 0; n < 4;) {
		int ret = iopmem_poll(queue, c, 8, 5000);

		assert_true(ret > 0);
		n += ret;
	}
	full[1].code = 0;
	assert_int_equal(iopmem_submit(queue, full, 6, NULL), 1);
	assert_int_equal(iopmem_poll(queue, c, 8, 5000), 1);
	assert_int_equal(c[0].result, 1);
}

static void *all(void *arg)
{
	(void)arg;
	null_for_names();
	null_for_objects();
	null_for_io();
	ranges_that_overflow();
	wrong_state();
	queues();
	return NULL;
}

static void same_thread(void **state)
{
	(void)state;
	all(NULL);
}

static void other_thread(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, all, NULL), 0);
	pthread_join(thread, NULL);
}

/* Gone from under the handles, of which two are of one file. */
static void gone(void **state)
{
	struct iopmem_range r[4];
	char path[128];
	int fd;

	(void)state;
	assert_int_equal(iopmem_write(lease, buf, mem, 10, 0, NULL), 10);
	rig_path(&rig, "f", path);
	fd = open(path, O_RDWR);	/* recalls both leases, and waits for it */
	assert_true(fd >= 0);
	close(fd);
	is(iopmem_write(lease, buf, mem, 1, 0, NULL), ESTALE);
	is(iopmem_read(rd_lease, buf, mem, 1, 0, NULL), ESTALE);
	assert_true(iopmem_commit(lease, NULL) > 0);
	assert_int_equal(iopmem_lease_lost(lease, r, 4), 0);
	assert_int_equal(iopmem_return(lease, NULL), 0);
	assert_int_equal(iopmem_pread(file, mem, 10, 0, NULL), 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_thread, up, down),
		cmocka_unit_test_setup_teardown(other_thread, up, down),
		cmocka_unit_test_setup_teardown(gone, up, down),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
