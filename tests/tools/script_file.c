// SPDX-License-Identifier: BSD-3-Clause
/* Commands for the calls that lease by themselves. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "script.h"

/* Memory that is registered nowhere, cut into @parts pieces. */
static void cmd_io(struct iopmem_file *f, char **a, bool write)
{
	uint64_t offset = script_number(a[2]);
	size_t len = script_number(a[3]);
	struct iopmem_err err = { 0 };
	struct iovec iov[3];
	uint8_t *mem;
	ssize_t n;

	if (len > SCRIPT_BUF || !(mem = malloc(len + 1))) {
		puts("error E2BIG more than the buffer");
		return;
	}
	iov[0] = (struct iovec){ mem, len / 3 };
	iov[1] = (struct iovec){ mem + len / 3, 0 };
	iov[2] = (struct iovec){ mem + len / 3, len - len / 3 };
	if (write) {
		script_fill(mem, offset, len, script_number(a[4]));
		n = iopmem_pwritev(f, iov, 3, offset, &err);
	} else {
		memset(mem, 0xa5, len);
		n = iopmem_preadv(f, iov, 3, offset, &err);
	}
	if (n < 0)
		script_error((int)n, &err);
	else if (write || (size_t)n < len)
		printf("ok n=%zd\n", n);
	else
		script_compare(mem, offset, len, a[4]);
	free(mem);
}

static void cmd_append(struct iopmem_file *f, char **a)
{
	size_t len = script_number(a[2]);
	struct iopmem_err err = { 0 };
	uint64_t at = 0;
	uint8_t *mem;
	ssize_t n;

	if (len > SCRIPT_BUF || !(mem = malloc(len + 1))) {
		puts("error E2BIG more than the buffer");
		return;
	}
	memset(mem, (int)script_number(a[3]), len);
	n = iopmem_append(f, mem, len, &at, &err);
	if (n < 0)
		script_error((int)n, &err);
	else
		printf("ok n=%zd at=%" PRIu64 "\n", n, at);
	free(mem);
}

static void cmd_lost(struct iopmem_file *f)
{
	struct iopmem_range r[WRITTEN_MAX];
	size_t i, n = iopmem_file_lost(f, r, WRITTEN_MAX);

	printf("ok n=%zu", n);
	for (i = 0; i < n; i++)
		printf(" %" PRIu64 "+%" PRIu64, r[i].offset, r[i].length);
	puts("");
}

/* How many leases the calls keep, and their bytes. */
static void cmd_kept(struct iopmem_file *handle)
{
	struct file *f = handle->file;
	struct iopmem_lease *l;
	uint64_t bytes = 0;
	unsigned int n = 0;

	pthread_mutex_lock(&f->lock);
	for (l = f->leases; l; l = l->next) {
		if (!l->cached || l->state != LEASE_ACTIVE)
			continue;
		n++;
		bytes += range_len(l->range);
	}
	pthread_mutex_unlock(&f->lock);
	printf("ok n=%u bytes=%" PRIu64 "\n", n, bytes);
}

void script_file_command(struct script *s, char **a)
{
	struct iopmem_file *f = script_file(s, a[1]);
	struct iopmem_err err = { 0 };
	int ret;

	if (!f) {
		puts("error EINVAL no such file name");
	} else if (!strcmp(a[0], "pread") || !strcmp(a[0], "pwrite")) {
		cmd_io(f, a, a[0][1] == 'w');
	} else if (!strcmp(a[0], "append")) {
		cmd_append(f, a);
	} else if (!strcmp(a[0], "file-lost")) {
		cmd_lost(f);
	} else if (!strcmp(a[0], "kept")) {
		cmd_kept(f);
	} else {
		ret = strcmp(a[0], "sync") ? iopmem_file_return(f, &err) : iopmem_sync(f, &err);
		if (ret < 0)
			script_error(ret, &err);
		else
			printf("ok level=%d\n", ret);
	}
}
