// SPDX-License-Identifier: BSD-3-Clause
#include "through.h"

#include <errno.h>
#include <string.h>

#include "rig.h"

static void expect_read(struct rig *rig, uint64_t offset, size_t want, int byte, size_t got, bool eof)
{
	char buf[4 * PAGE];
	bool at_end = !eof;
	size_t n = want;

	assert_true(want <= sizeof(buf));
	assert_ok(rig, rig->ops->read(rig->file, buf, &n, offset, &at_end, &rig->err));
	assert_int_equal(n, got);
	assert_int_equal(at_end, eof);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf[i], byte);
}

static void put(struct rig *rig, uint64_t offset, int byte, size_t len)
{
	char buf[4 * PAGE];
	size_t n = len;

	memset(buf, byte, len);
	assert_ok(rig, rig->ops->write(rig->file, buf, &n, offset, &rig->err));
	assert_int_equal(n, len);
}

/* What changes blocks is refused, not waited for: it would be for its own lease. */
static void beside_a_layout(struct rig *rig)
{
	char byte = 'x';
	size_t n = 1;

	assert_ok(rig, rig->ops->layout_open(rig->file, &rig->err));
	rig_map_rw(rig, RANGE(0, 8 * PAGE));
	rig_write(rig, RANGE(0, 8 * PAGE), 'r');
	assert_int_equal(rig->ops->write(rig->file, &byte, &n, 0, NULL), -EBUSY);
	assert_int_equal(rig->ops->set_size(rig->file, 0, NULL), -EBUSY);
	assert_int_equal(rig->ops->allocate(rig->file, RANGE(0, PAGE), true, NULL), -EBUSY);
	assert_int_equal(rig->ops->allocate(rig->file, RANGE(0, PAGE), false, NULL), -EBUSY);
	assert_ok(rig, rig->ops->sync(rig->file, &rig->err));
	/* the bytes of a peer, up to the committed size */
	expect_read(rig, 0, 2 * PAGE, 'r', 2 * PAGE, false);
	expect_read(rig, 3 * PAGE, 2 * PAGE, 'r', 5, true);
	if (rig->ops->unmap)
		assert_ok(rig, rig->ops->unmap(rig->file, RANGE(0, 8 * PAGE), &rig->err));
	rig->ops->layout_close(rig->file);
	assert_int_equal(rig_size(rig, "t"), 3 * PAGE + 5);
}

void through_the_server(struct rig *rig)
{
	struct stat st;

	rig_file(rig, "t", 0);
	rig_open(rig, "t");
	expect_read(rig, 0, 10, 0, 0, true);
	put(rig, 0, 'a', 3);
	put(rig, 3 * PAGE + 1, 'b', 4);
	assert_ok(rig, rig->ops->sync(rig->file, &rig->err));
	assert_int_equal(rig->ops->file_stat(rig->file, &st), 0);
	assert_int_equal(st.st_size, 3 * PAGE + 5);
	expect_read(rig, 0, 3, 'a', 3, false);
	expect_read(rig, 3, 100, 0, 100, false);
	expect_read(rig, 3 * PAGE + 1, 100, 'b', 4, true);
	expect_read(rig, 3 * PAGE + 5, 1, 0, 0, true);
	beside_a_layout(rig);
	put(rig, PAGE, 'c', 2 * PAGE);
	assert_ok(rig, rig->ops->allocate(rig->file, RANGE(PAGE, 2 * PAGE), true, &rig->err));
	expect_read(rig, PAGE, PAGE, 0, PAGE, false);
	expect_read(rig, 2 * PAGE, PAGE, 'c', PAGE, false);
	assert_ok(rig, rig->ops->allocate(rig->file, RANGE(2 * PAGE, 16 * PAGE + 1), false, &rig->err));
	assert_int_equal(rig_size(rig, "t"), 16 * PAGE + 1);
	expect_read(rig, 2 * PAGE, PAGE, 'c', PAGE, false);
	expect_read(rig, 8 * PAGE, PAGE, 0, PAGE, false);
	rig_stat(rig, "t", &st);
	assert_true(st.st_blocks * 512 >= (blkcnt_t)(12 * PAGE));
}
