// SPDX-License-Identifier: BSD-3-Clause
/* READ, WRITE, ALLOCATE, DEALLOCATE: what goes through the server, and layouts beside it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

#define RECALL_MS 1500
#define SYNC IOPMEM_FILE_SYNC

static struct rig rig;
static struct peer a, b;
static iopmem_stateid a_open, b_open;
static char buf[IOPMEM_IO_MAX];

/* "f" has eight pages and ten bytes of 'o'. */
static int up(void **state)
{
	struct rig_opts o = { .recall_ms = RECALL_MS };

	(void)state;
	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', 8 * PAGE + 10);
	peer_up(&a, &rig, "a");
	peer_up(&b, &rig, "b");
	assert_status(peer_open(&a, "f", 3, &a_open), IOPMEM_OK);
	assert_status(peer_open(&b, "f", 3, &b_open), IOPMEM_OK);
	return 0;
}

static int down(void **state)
{
	(void)state;
	peer_drop(&a);
	peer_drop(&b);
	rig_down(&rig);
	return 0;
}

static void finish(void)
{
	peer_down(&a);
	peer_down(&b);
	rig_stop(&rig);
}

static void assert_read(struct peer *p, const iopmem_stateid *id, uint64_t offset, u_int count,
			u_int want, bool want_eof)
{
	u_int n = 12345;
	bool eof = false;

	assert_status(peer_pread(p, id, offset, count, buf, &n, &eof), IOPMEM_OK);
	assert_int_equal(n, want);
	assert_int_equal(eof, want_eof);
}

static void assert_all(char byte, size_t from, size_t to)
{
	for (; from < to; from++)
		assert_int_equal(buf[from], byte);
}

static void read_laws(void **state)
{
	iopmem_stateid id = a_open, write_only;
	struct reply r;
	u_int n;
	bool eof;

	(void)state;
	assert_read(&a, &a_open, 0, PAGE, PAGE, false);
	assert_all('o', 0, PAGE);
	assert_read(&a, &a_open, 8 * PAGE, 10, 10, true);
	assert_read(&a, &a_open, 8 * PAGE, 9, 9, false);
	assert_read(&a, &a_open, 8 * PAGE + 5, PAGE, 5, true);
	assert_read(&a, &a_open, 8 * PAGE + 10, PAGE, 0, true);
	assert_read(&a, &a_open, 1ULL << 62, PAGE, 0, true);
	assert_read(&a, &a_open, 0, 0, 0, false);
	assert_read(&a, &a_open, 9 * PAGE, 0, 0, true);
	assert_status(peer_pread(&a, &a_open, UINT64_MAX - 5, 6, buf, &n, &eof), IOPMEM_INVAL);
	assert_status(peer_open(&a, "f", IOPMEM_ACCESS_WRITE, &write_only), IOPMEM_OK);
	assert_status(peer_pread(&a, &write_only, 0, 1, buf, &n, &eof), IOPMEM_OPENMODE);
	assert_status(peer_pread(&b, &a_open, 0, 1, buf, &n, &eof), IOPMEM_BAD_STATEID);
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_pread(&a, &id, 0, 1, buf, &n, &eof), IOPMEM_BAD_STATEID);
	assert_status(peer_close(&a, &write_only), IOPMEM_OK);
	assert_status(peer_pread(&a, &write_only, 0, 1, buf, &n, &eof), IOPMEM_BAD_STATEID);
	finish();
}

/* More than IO_MAX is asked for, the most a reply has comes. */
static void read_is_bounded(void **state)
{
	iopmem_read_args args = { { a.id, 0, 0 }, a_open, 0, UINT32_MAX };
	iopmem_read_res res = { 0 };

	(void)state;
	rig_fill(&rig, "big", 'x', 3 * IOPMEM_IO_MAX);
	assert_status(peer_open(&a, "big", 3, &args.stateid), IOPMEM_OK);
	assert_int_equal(wire_call(&a.rpc, IOPMEM_PROC_READ, WIRE_XDR(xdr_iopmem_read_args), &args,
				   WIRE_XDR(xdr_iopmem_read_res), &res), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_read_res_u.ok.data.data_len, IOPMEM_IO_MAX);
	assert_false(res.iopmem_read_res_u.ok.eof);
	xdr_free(WIRE_XDR(xdr_iopmem_read_res), &res);
	finish();
}

static void write_laws(void **state)
{
	iopmem_stateid read_only, empty;
	iopmem_write_ok ok, more;

	(void)state;
	assert_status(peer_pwrite(&a, &a_open, PAGE - 3, 'w', 6, IOPMEM_UNSTABLE, &ok), IOPMEM_OK);
	assert_int_equal(ok.count, 6);
	assert_int_equal(ok.committed, IOPMEM_UNSTABLE);
	assert_int_equal(ok.size, 8 * PAGE + 10);
	assert_status(peer_pwrite(&a, &a_open, 2 * PAGE, 'x', PAGE, IOPMEM_DATA_SYNC, &more),
		      IOPMEM_OK);
	assert_int_equal(more.committed, IOPMEM_FILE_SYNC);
	assert_memory_equal(ok.verifier, more.verifier, sizeof(ok.verifier));
	/* past EOF, with a hole before it */
	assert_status(peer_pwrite(&a, &a_open, 10 * PAGE, 'y', 100, SYNC, &more), IOPMEM_OK);
	assert_int_equal(more.size, 10 * PAGE + 100);
	/* nothing but the sync */
	assert_status(peer_pwrite(&a, &a_open, 0, 0, 0, SYNC, &more), IOPMEM_OK);
	assert_int_equal(more.count, 0);
	assert_int_equal(more.size, 10 * PAGE + 100);
	assert_status(peer_pwrite(&a, &a_open, 0, 'z', 1, (iopmem_stable)3, NULL), IOPMEM_INVAL);
	assert_status(peer_pwrite(&a, &a_open, UINT64_MAX, 'z', 1, SYNC, NULL), IOPMEM_INVAL);
	assert_status(peer_pwrite(&a, &a_open, INT64_MAX, 'z', 1, SYNC, NULL), IOPMEM_FBIG);
	assert_status(peer_open(&a, "f", IOPMEM_ACCESS_READ, &read_only), IOPMEM_OK);
	assert_status(peer_pwrite(&a, &read_only, 0, 'z', 1, SYNC, NULL), IOPMEM_OPENMODE);
	assert_status(peer_pwrite(&a, &read_only, 0, 'z', 0, SYNC, NULL), IOPMEM_OPENMODE);
	assert_status(peer_pwrite(&b, &a_open, 0, 'z', 1, SYNC, NULL), IOPMEM_BAD_STATEID);
	assert_status(peer_create(&a, "new", 0644, true, &empty), IOPMEM_OK);
	assert_status(peer_pwrite(&a, &empty, 0, 'n', IOPMEM_IO_MAX, SYNC, &more), IOPMEM_OK);
	assert_int_equal(more.size, IOPMEM_IO_MAX);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 10 * PAGE + 100);
	assert_true(rig_bytes(&rig, "f", 0, PAGE - 3, 'o'));
	assert_true(rig_bytes(&rig, "f", PAGE - 3, 6, 'w'));
	assert_true(rig_bytes(&rig, "f", PAGE + 3, PAGE - 3, 'o'));
	assert_true(rig_bytes(&rig, "f", 2 * PAGE, PAGE, 'x'));
	assert_true(rig_bytes(&rig, "f", 8 * PAGE + 10, 2 * PAGE - 10, 0));
	assert_true(rig_bytes(&rig, "f", 10 * PAGE, 100, 'y'));
	assert_true(rig_bytes(&rig, "new", 0, IOPMEM_IO_MAX, 'n'));
}

/* T19: the second time is an answer, not a write. */
static void retransmitted_write(void **state)
{
	char data[] = "first";
	iopmem_write_args args = { peer_seq(&a, 2), a_open, 0, SYNC, { 5, data } };
	iopmem_write_res res = { 0 };

	(void)state;
	assert_int_equal(wire_call(&a.rpc, IOPMEM_PROC_WRITE, WIRE_XDR(xdr_iopmem_write_args),
				   &args, WIRE_XDR(xdr_iopmem_write_res), &res), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_status(peer_pwrite(&b, &b_open, 0, '2', 5, SYNC, NULL), IOPMEM_OK);
	peer_reconnect(&a);
	assert_int_equal(wire_call(&a.rpc, IOPMEM_PROC_WRITE, WIRE_XDR(xdr_iopmem_write_args),
				   &args, WIRE_XDR(xdr_iopmem_write_res), &res), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_write_res_u.ok.count, 5);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, 5, '2'));
}

static void read_recalls_writers(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_event ev;
	struct reply r, rb;
	u_int n;
	bool eof;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 2 * PAGE, 2 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 2 * PAGE), 'a',
				    2 * PAGE), 0);
	/* beside it: readers' layouts, and bytes of nobody */
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_READ, 6 * PAGE, PAGE, &rb), IOPMEM_OK);
	assert_read(&b, &b_open, 0, 2 * PAGE, 2 * PAGE, false);
	assert_read(&b, &b_open, 4 * PAGE, 4 * PAGE, 4 * PAGE, false);
	assert_read(&a, &a_open, 6 * PAGE, PAGE, PAGE, false);
	assert_false(peer_event(&a, &ev, 20));
	/* one byte of it: recalled, answered at once */
	assert_status(peer_pread(&b, &b_open, 4 * PAGE - 1, 2, buf, &n, &eof),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, 1000));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	assert_int_equal(ev.offset, 2 * PAGE);
	assert_int_equal(ev.length, 2 * PAGE);
	id.seqid = ev.stateid.seqid;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_read(&b, &b_open, 2 * PAGE, 3 * PAGE, 3 * PAGE, false);
	assert_all('a', 0, 2 * PAGE);
	assert_all('o', 2 * PAGE, 3 * PAGE);
	/* one's own as well */
	id = a_open;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_status(peer_pread(&a, &a_open, 0, 1, buf, &n, &eof), IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, 1000));
	assert_memory_equal(ev.stateid.other, id.other, sizeof(id.other));
	finish();
}

/* It sees what is committed, not what was grown for a grant. */
static void read_ends_at_the_committed_size(void **state)
{
	iopmem_stateid id = a_open;
	struct reply r;
	uint64_t size;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 9 * PAGE, 4 * PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 9 * PAGE), 'a',
				    4 * PAGE), 0);
	assert_read(&b, &b_open, 8 * PAGE, PAGE, 10, true);
	assert_status(peer_commit(&a, &id, 9 * PAGE, PAGE, 9 * PAGE + 7, &size), IOPMEM_OK);
	assert_read(&b, &b_open, 8 * PAGE, PAGE, PAGE, false);
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_read(&b, &b_open, 9 * PAGE, PAGE, 7, true);
	assert_all('a', 0, 7);
	finish();
}

static void write_recalls_everybody(void **state)
{
	iopmem_stateid id = a_open, other = b_open;
	iopmem_write_ok ok;
	iopmem_event ev;
	struct reply r, rb;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 0, PAGE, &r), IOPMEM_OK);
	/* the writer's own, with growth that it never commits */
	assert_status(peer_layoutget(&b, &other, IOPMEM_WIRE_RW, 9 * PAGE, 2 * PAGE, &rb),
		      IOPMEM_OK);
	assert_int_equal(peer_write(&b, rb.seg[0].rkey, peer_raddr(&rb.seg[0], 9 * PAGE), 'b',
				    2 * PAGE), 0);
	/* a sync alone disturbs nobody */
	assert_status(peer_pwrite(&b, &b_open, 0, 0, 0, SYNC, NULL), IOPMEM_OK);
	assert_false(peer_event(&a, &ev, 20));
	assert_status(peer_pwrite(&b, &b_open, 4 * PAGE, 'w', 10, SYNC, NULL),
		      IOPMEM_RECALLCONFLICT);
	assert_true(peer_event(&a, &ev, 1000));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	id.seqid = ev.stateid.seqid;
	assert_true(peer_event(&b, &ev, 1000));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	other.seqid = ev.stateid.seqid;
	assert_status(peer_layoutreturn(&a, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_status(peer_pwrite(&b, &b_open, 4 * PAGE, 'w', 10, SYNC, NULL),
		      IOPMEM_RECALLCONFLICT);
	assert_status(peer_layoutreturn(&b, &other, 0, TO_END, &rb), IOPMEM_OK);
	assert_status(peer_pwrite(&b, &b_open, 4 * PAGE, 'w', 10, SYNC, &ok), IOPMEM_OK);
	assert_int_equal(ok.size, 8 * PAGE + 10);	/* what was not committed never was */
	/* and layouts go on */
	id = a_open;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_READ, 4 * PAGE, PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_read(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 4 * PAGE), buf, 20), 0);
	assert_all('w', 0, 10);
	assert_all('o', 10, 20);
	finish();
	assert_true(rig_bytes(&rig, "f", 4 * PAGE, 10, 'w'));
}

/* The holder never answers: after the fence the write gets through, the dead key does not. */
static void silent_holder_is_fenced(void **state)
{
	iopmem_stateid id = a_open;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	assert_int_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a', PAGE), 0);
	await(peer_pwrite(&b, &b_open, 0, 'b', PAGE, SYNC, NULL) == IOPMEM_OK);
	assert_int_not_equal(peer_write(&a, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'a', PAGE),
			     0);
	assert_int_equal(rig_logged(&rig, "is fenced"), 1);
	/* the fenced client is not shut out of the server */
	assert_status(peer_pwrite(&a, &a_open, PAGE, 'A', PAGE, SYNC, NULL), IOPMEM_OK);
	assert_read(&a, &a_open, 0, PAGE, PAGE, false);
	assert_all('b', 0, PAGE);
	finish();
	assert_true(rig_bytes(&rig, "f", 0, PAGE, 'b'));
	assert_true(rig_bytes(&rig, "f", PAGE, PAGE, 'A'));
}

/* No layout can be had (the file is open elsewhere): the server's own I/O works. */
static void without_layouts(void **state)
{
	iopmem_stateid id;
	struct reply r;
	char path[128];
	int fd;

	(void)state;
	rig_path(&rig, "f", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	id = a_open;
	assert_status(peer_layoutget(&a, &id, IOPMEM_WIRE_RW, 0, PAGE, &r),
		      IOPMEM_LAYOUTUNAVAILABLE);
	assert_status(peer_pwrite(&a, &a_open, 10, 'w', 20, SYNC, NULL), IOPMEM_OK);
	assert_read(&b, &b_open, 0, 40, 40, false);
	assert_all('o', 0, 10);
	assert_all('w', 10, 30);
	assert_all('o', 30, 40);
	assert_int_equal(pread(fd, buf, 30, 0), 30);
	assert_all('w', 10, 30);
	close(fd);
	finish();
}

/* It is the caller who writes: as any write(2) of theirs it takes the setuid bit away. */
static void write_is_the_callers(void **state)
{
	struct stat st;
	char path[128];

	(void)state;
	if (geteuid()) {
		print_message("SKIP: needs root, to be several users\n");
		skip();
	}
	rig_path(&rig, "f", path);
	assert_int_equal(chmod(path, 06777), 0);
	assert_status(peer_pwrite(&a, &a_open, 0, 'w', 1, SYNC, NULL), IOPMEM_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0777);
	finish();
}

static void punch_and_allocate(void **state)
{
	iopmem_stateid id = b_open, read_only;
	iopmem_allocate_args args;
	iopmem_attr_res res = { 0 };
	iopmem_event ev;
	iopmem_attr attr;
	struct reply r;

	(void)state;
	assert_status(peer_layoutget(&b, &id, IOPMEM_WIRE_RW, 0, 2 * PAGE, &r), IOPMEM_OK);
	/* it waits until the layout is back, and nothing is granted meanwhile */
	args = (iopmem_allocate_args){ peer_seq(&a, 1), a_open, PAGE, 2 * PAGE };
	assert_int_equal(wire_send(&a.rpc, IOPMEM_PROC_DEALLOCATE,
				   WIRE_XDR(xdr_iopmem_allocate_args), &args), 0);
	assert_true(peer_event(&b, &ev, 1000));
	assert_int_equal(ev.type, IOPMEM_EVENT_RECALL);
	id.seqid = ev.stateid.seqid;
	{
		iopmem_stateid more = id;
		struct reply none;

		assert_status(peer_layoutget(&b, &more, IOPMEM_WIRE_READ, 6 * PAGE, PAGE, &none),
			      IOPMEM_RECALLCONFLICT);
	}
	assert_int_equal(peer_write(&b, r.seg[0].rkey, peer_raddr(&r.seg[0], 0), 'b', 2 * PAGE), 0);
	assert_status(peer_layoutreturn(&b, &id, 0, TO_END, &r), IOPMEM_OK);
	assert_int_equal(wire_recv(&a.rpc, WIRE_XDR(xdr_iopmem_attr_res), &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_attr_res_u.attr.size, 8 * PAGE + 10);
	assert_read(&a, &a_open, 0, 4 * PAGE, 4 * PAGE, false);
	assert_all('b', 0, PAGE);
	assert_all(0, PAGE, 3 * PAGE);
	assert_all('o', 3 * PAGE, 4 * PAGE);

	assert_status(peer_allocate(&a, &a_open, PAGE, PAGE, false, &attr), IOPMEM_OK);
	assert_int_equal(attr.size, 8 * PAGE + 10);
	assert_status(peer_allocate(&a, &a_open, 20 * PAGE, 100, false, &attr), IOPMEM_OK);
	assert_int_equal(attr.size, 20 * PAGE + 100);
	assert_status(peer_allocate(&a, &a_open, 30 * PAGE, PAGE, true, &attr), IOPMEM_OK);
	assert_int_equal(attr.size, 20 * PAGE + 100);
	assert_status(peer_allocate(&a, &a_open, 0, 0, true, NULL), IOPMEM_INVAL);
	assert_status(peer_allocate(&a, &a_open, 1, UINT64_MAX, true, NULL), IOPMEM_INVAL);
	assert_status(peer_allocate(&a, &a_open, INT64_MAX, 1, false, NULL), IOPMEM_FBIG);
	assert_status(peer_open(&a, "f", IOPMEM_ACCESS_READ, &read_only), IOPMEM_OK);
	assert_status(peer_allocate(&a, &read_only, 0, PAGE, true, NULL), IOPMEM_OPENMODE);
	finish();
	assert_int_equal(rig_size(&rig, "f"), 20 * PAGE + 100);
	assert_true(rig_bytes(&rig, "f", PAGE, 2 * PAGE, 0));
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(read_laws),
		T(read_is_bounded),
		T(write_laws),
		T(retransmitted_write),
		T(read_recalls_writers),
		T(read_ends_at_the_committed_size),
		T(write_recalls_everybody),
		T(silent_holder_is_fenced),
		T(without_layouts),
		T(write_is_the_callers),
		T(punch_and_allocate),
	};

	rig_main(argc, argv);
	return cmocka_run_group_tests_name("through", tests, NULL, NULL);
}
