// SPDX-License-Identifier: BSD-3-Clause
/* fuzz_NAME DIR|FILE...: each file once; any crash or failed check ends the program. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX (1 << 20)

static unsigned int runs;

static void run_file(int dir, const char *name)
{
	static uint8_t data[INPUT_MAX];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof(data));
	uint8_t *exact;

	if (n < 0) {
		perror(name);
		exit(1);
	}
	close(fd);
	/* An allocation of its own: what reads past the end is seen by a sanitizer. */
	exact = malloc((size_t)n + 1);
	if (!exact)
		exit(1);
	for (ssize_t i = 0; i < n; i++)
		exact[i] = data[i];
	fprintf(stderr, "%s\n", name);
	LLVMFuzzerTestOneInput(exact, (size_t)n);
	free(exact);
	runs++;
}

static void run_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	if (!dir) {
		perror(path);
		exit(1);
	}
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			run_file(dirfd(dir), d->d_name);
	closedir(dir);
}

int main(int argc, char **argv)
{
	struct stat st;
	int i;

	LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < argc; i++) {
		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode))
			run_folder(argv[i]);
		else
			run_file(AT_FDCWD, argv[i]);
	}
	printf("%u inputs\n", runs);
	return !runs;
}
