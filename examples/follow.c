// SPDX-License-Identifier: BSD-3-Clause
/*
 * follow URL FILE BYTES: prints a file while others write it, until so many bytes are out.
 *
 * The size that iopmem_fstat() tells is the committed one: what lies below it is whole and
 * survives the server.  Layouts for reading stay with the library between two reads and go
 * back when a writer needs them.
 */
#include <fcntl.h>
#include <iopmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static char data[1 << 16];

/* What is there and was not printed; returns the number of bytes or a negative errno. */
static ssize_t print_new(struct iopmem_file *file, uint64_t from, struct iopmem_err *err)
{
	struct iopmem_stat st;
	size_t want;
	ssize_t n;

	if (iopmem_fstat(file, &st, err))
		return -1;
	if (st.size <= from)
		return 0;
	want = st.size - from < sizeof(data) ? (size_t)(st.size - from) : sizeof(data);
	n = iopmem_pread(file, data, want, from, err);
	if (n > 0 && fwrite(data, 1, (size_t)n, stdout) != (size_t)n)
		return -1;
	return n;
}

static int follow(struct iopmem_file *file, uint64_t until, struct iopmem_err *err)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };
	uint64_t printed = 0;
	ssize_t n;

	while (printed < until) {
		n = print_new(file, printed, err);
		if (n < 0)
			return -1;
		printed += (uint64_t)n;
		if (!n) {
			fflush(stdout);
			nanosleep(&pause, NULL);
		}
	}
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	struct iopmem_err err = { 0 };
	struct iopmem_client *client = NULL;
	struct iopmem_file *file = NULL;
	int ret = -1;

	if (argc != 4) {
		fprintf(stderr, "usage: follow URL FILE BYTES\n");
		return 64;
	}
	if (!iopmem_connect(argv[1], NULL, &client, &err) &&
	    !iopmem_open(client, argv[2], O_RDONLY, 0, &file, &err))
		ret = follow(file, strtoull(argv[3], NULL, 10), &err);
	if (ret)
		fprintf(stderr, "follow: %s\n", err.code ? err.text : "cannot write standard output");
	if (file)
		iopmem_close(file, NULL);
	return iopmem_disconnect(client) || ret;
}
