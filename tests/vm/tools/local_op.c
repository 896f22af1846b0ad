// SPDX-License-Identifier: BSD-3-Clause
/*
 * local_op FILE COMMAND...: what a local process does to a file that remote clients
 * lease.  Commands run in order on one descriptor; each prints "COMMAND MS" when done.
 *   touch           map the whole file shared and write-touch every page, stay mapped
 *   touchread       the same, reading
 *   truncate SIZE   fallocate OFF LEN   punch OFF LEN   zero OFF LEN
 *   collapse OFF LEN   insert OFF LEN
 *   write OFF LEN BYTE   read OFF LEN
 *   store OFF LEN BYTE   through a mapping
 *   check OFF LEN BYTE   by read(2): fails unless every byte is BYTE
 *   match OFF LEN SEED   the same against iopmem_script's pattern
 *   size SIZE       fails unless the file has that size
 *   ready FD        writes a line to descriptor FD
 *   wait            until a line comes on standard input
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fd;
static char **next;

static void die(const char *what)
{
	fprintf(stderr, "local_op: %s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

static unsigned long long number(void)
{
	if (!*next)
		die("a number is missing");
	return strtoull(*next++, NULL, 0);
}

static size_t file_size(void)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return (size_t)st.st_size;
}

static void touch(int writing)
{
	size_t i, size = file_size();
	volatile char *p;

	if (!size)
		die("touch of an empty file");
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	for (i = 0; i < size; i += 4096) {
		char c = p[i];

		if (writing)
			p[i] = c;
	}
}

enum transfer { WRITE, CHECK, MATCH };

/* tests/tools/iopmem_script.c */
static void pattern(char *p, size_t len, unsigned long long x, unsigned long long seed)
{
	for (; len--; x++)
		*p++ = (char)(x * 31 + (x >> 12) * 7 + seed);
}

static void transfer(enum transfer what)
{
	unsigned long long off = number(), len = number(), byte = number(), done;
	static char buf[1 << 20], want[1 << 20];
	int reading = what != WRITE;
	ssize_t n;

	memset(want, (int)byte, sizeof(want));
	for (done = 0; done < len; done += (unsigned long long)n) {
		size_t chunk = len - done < sizeof(buf) ? (size_t)(len - done) : sizeof(buf);

		n = reading ? pread(fd, buf, chunk, (off_t)(off + done)) :
			      pwrite(fd, want, chunk, (off_t)(off + done));
		if (n <= 0)
			die(reading ? "pread" : "pwrite");
		if (what == MATCH)
			pattern(want, (size_t)n, off + done, byte);
		if (reading && memcmp(buf, want, (size_t)n)) {
			size_t i = 0;

			while (buf[i] == want[i])
				i++;
			fprintf(stderr, "local_op: byte %llu is 0x%02x, not 0x%02x\n",
				off + done + i, (unsigned int)(unsigned char)buf[i],
				(unsigned int)(unsigned char)want[i]);
			exit(1);
		}
	}
}

static void just_read(void)
{
	unsigned long long off = number(), len = number();
	char *buf = malloc(len ? len : 1);

	if (!buf || pread(fd, buf, len, (off_t)off) < 0)
		die("pread");
	free(buf);
}

static void store(void)
{
	unsigned long long off = number(), len = number(), start = off & ~4095ULL;
	int byte = (int)number();
	char *p = mmap(NULL, off + len - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)start);

	if (p == MAP_FAILED)
		die("mmap");
	memset(p + (off - start), byte, len);
	munmap(p, off + len - start);
}

static void space(int mode, const char *what)
{
	unsigned long long off = number(), len = number();

	if (fallocate(fd, mode, (off_t)off, (off_t)len))
		die(what);
}

static void run(const char *cmd)
{
	char line[16] = "ready\n";

	if (!strcmp(cmd, "touch"))
		touch(1);
	else if (!strcmp(cmd, "touchread"))
		touch(0);
	else if (!strcmp(cmd, "truncate")) {
		if (ftruncate(fd, (off_t)number()))
			die(cmd);
	} else if (!strcmp(cmd, "fallocate"))
		space(0, cmd);
	else if (!strcmp(cmd, "punch"))
		space(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, cmd);
	else if (!strcmp(cmd, "zero"))
		space(FALLOC_FL_ZERO_RANGE, cmd);
	else if (!strcmp(cmd, "collapse"))
		space(FALLOC_FL_COLLAPSE_RANGE, cmd);
	else if (!strcmp(cmd, "insert"))
		space(FALLOC_FL_INSERT_RANGE, cmd);
	else if (!strcmp(cmd, "write"))
		transfer(WRITE);
	else if (!strcmp(cmd, "check"))
		transfer(CHECK);
	else if (!strcmp(cmd, "match"))
		transfer(MATCH);
	else if (!strcmp(cmd, "read"))
		just_read();
	else if (!strcmp(cmd, "store"))
		store();
	else if (!strcmp(cmd, "size")) {
		unsigned long long want = number();

		errno = 0;
		if (file_size() != want) {
			fprintf(stderr, "local_op: size is %zu, not %llu\n", file_size(), want);
			exit(1);
		}
	} else if (!strcmp(cmd, "ready")) {
		if (write((int)number(), line, 6) != 6)
			die(cmd);
	} else if (!strcmp(cmd, "wait")) {
		if (read(0, line, sizeof(line)) <= 0)
			die(cmd);
	} else {
		errno = EINVAL;
		die(cmd);
	}
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: local_op FILE COMMAND...\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		die(argv[1]);
	for (next = argv + 2; *next;) {
		const char *cmd = *next++;
		double start = now_ms();

		run(cmd);
		printf("%s %.1f\n", cmd, now_ms() - start);
		fflush(stdout);
	}
	return 0;
}
