// SPDX-License-Identifier: BSD-3-Clause
/*
 * append_log URL FILE: appends each line of standard input to a log that others append to
 * as well.
 *
 * iopmem_append() finds the end of the file, so that no two writers share a byte, and
 * returns when the line is committed.  A program with many small records would gather them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <iopmem.h>
#include <stdio.h>
#include <stdlib.h>

static int append_lines(struct iopmem_file *file, struct iopmem_err *err)
{
	uint64_t lines = 0, offset;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int ret = 0;

	while (!ret && (n = getline(&line, &room, stdin)) > 0) {
		if (iopmem_append(file, line, (size_t)n, &offset, err) < 0)
			ret = -1;
		else
			lines++;
	}
	free(line);
	if (!ret)
		printf("%" PRIu64 " lines, the last at %" PRIu64 "\n", lines, lines ? offset : 0);
	return ret;
}

int main(int argc, char **argv)
{
	struct iopmem_err err = { 0 };
	struct iopmem_client *client = NULL;
	struct iopmem_file *file = NULL;
	int ret = -1;

	if (argc != 3) {
		fprintf(stderr, "usage: append_log URL FILE\n");
		return 64;
	}
	if (!iopmem_connect(argv[1], NULL, &client, &err) &&
	    !iopmem_open(client, argv[2], O_RDWR | O_CREAT, 0644, &file, &err))
		ret = append_lines(file, &err);
	if (ret)
		fprintf(stderr, "append_log: %s\n", err.text);
	if (file)
		iopmem_close(file, NULL);
	return iopmem_disconnect(client) || ret;
}
