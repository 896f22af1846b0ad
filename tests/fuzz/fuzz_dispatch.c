// SPDX-License-Identifier: BSD-3-Clause
/*
 * The whole server behind its RPC port: a client that sends any arguments, or no RPC at all.
 *
 * An input is a list of calls: procedure, flags, length (2 bytes, little-endian), so many bytes.
 * The bytes are the arguments as they go over the wire, or with RAW the whole stream.  So that
 * an input gets beyond the first check, SEQ puts the client's id and the next sequence of the
 * slot that is there into the first 16 bytes; OPENED and LEASED the stateid of the last open or layout over the
 * next 16.  EVENT_WAIT never waits.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "iopmem_rpc.h"
#include "status.h"

#define CALL_MAX 16384U
#define SLOTS 16U
#define LAST_FRAGMENT 0x80000000U
#define RPC_HEAD 68U		/* record mark to verifier, AUTH_SYS with an empty machine name */
#define REPLY_HEAD 24U		/* xid to accept status */

enum flags { RAW = 1, SEQ = 2, OPENED = 4, LEASED = 8 };

int iopmem_server_main(int argc, char **argv);	/* server/main.c */

static char dir[] = "/tmp/iopmem-fuzz.XXXXXX";
static char root[64], state[64], export_option[96], listen_option[32];
static uint16_t port;
static pthread_t server;

static int fd = -1;		/* the connection */
static uint32_t xid;
static uint8_t clientid[8], opened[16], leased[16];
static uint32_t sequence[SLOTS];

static void *run_server(void *arg)
{
	char *argv[] = { "iopmem-server", "--export", export_option, "--fabric", "tcp", "--listen",
			 listen_option, "--state-dir", state, "--recall-ms", "100", "--lease-ms", "2000",
			 "--log-level", "error", NULL };

	(void)arg;
	exit(iopmem_server_main(sizeof(argv) / sizeof(argv[0]) - 1, argv));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void clean_up(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void await_server(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timespec nap = { .tv_nsec = 10000000 };
	int i, s;

	for (i = 0; i < 2000; i++) {
		s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(s, (struct sockaddr *)&to, sizeof(to))) {
			close(s);
			return;
		}
		close(s);
		nanosleep(&nap, NULL);
	}
	abort();
}

static void choose_port(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(any);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(s, (struct sockaddr *)&any, sizeof(any)) ||
	    getsockname(s, (struct sockaddr *)&any, &len))
		abort();
	port = ntohs(any.sin_port);
	close(s);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!mkdtemp(dir))
		abort();
	atexit(clean_up);
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(export_option, sizeof(export_option), "d=%s,squash=none", root);
	choose_port();
	snprintf(listen_option, sizeof(listen_option), "127.0.0.1:%u", port);
	if (mkdir(root, 0777) || pthread_create(&server, NULL, run_server, NULL))
		abort();
	await_server();
	return 0;
}

/* ---- one connection ---- */

static void hang_up(void)
{
	close(fd);
	fd = -1;
}

static void dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger reset = { .l_onoff = 1 };
	struct timeval patience = { .tv_sec = 10 };
	int on = 1;

	if (fd >= 0)
		return;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		abort();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static bool receive(void *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, MSG_WAITALL);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		fprintf(stderr, "the server does not answer\n");
		abort();
	}
	return n == (ssize_t)len;
}

static void put(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

/* The results, their first @*len bytes.  False: the connection is gone, or RPC refused. */
static bool call(uint32_t proc, const uint8_t *args, size_t size, uint8_t *res, size_t *len)
{
	static const uint32_t head[] = { 0, 0, CALL, 2, IOPMEM_PROGRAM, IOPMEM_V1, 0, AUTH_SYS, 20,
					 0, 0, 0, 0, 0, AUTH_NONE, 0 };
	static uint8_t message[RPC_HEAD + CALL_MAX], reply[1 << 20];
	uint32_t i, total;

	_Static_assert(sizeof(head) + 4 == RPC_HEAD, "length of the head");
	for (i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		put(message + 4 * i, head[i]);
	total = (uint32_t)(sizeof(head) + size);
	put(message, LAST_FRAGMENT | (total - 4));
	put(message + 4, ++xid);
	put(message + 24, proc);
	memcpy(message + sizeof(head), args, size);
	dial();
	if (send(fd, message, total, MSG_NOSIGNAL) != (ssize_t)total || !receive(message, 4))
		return hang_up(), false;
	total = get(message) & ~LAST_FRAGMENT;
	if (total > sizeof(reply))
		abort();
	if (!receive(reply, total))
		return hang_up(), false;
	if (total < REPLY_HEAD || get(reply + 8) || get(reply + 20))
		return false;
	*len = total - REPLY_HEAD < *len ? total - REPLY_HEAD : *len;
	memcpy(res, reply + REPLY_HEAD, *len);
	return true;
}

static void exchange_id(void)
{
	struct timespec nap = { .tv_nsec = 10000000 };
	uint8_t args[32] = { 0 }, res[16];
	size_t len = sizeof(res);
	int tries = 1000;

	put(args, 4);			/* owner */
	memcpy(args + 4, "fuzz", 4);
	put(args + 8, ++xid);		/* a verifier that is new: what was is gone */
	put(args + 12, xid);
	/* DELAY: a call of the last input's client goes on.  Its connection may be closed: what
	 * cannot be decoded ends it. */
	while (!call(IOPMEM_PROC_EXCHANGE_ID, args, 16, res, &len) || get(res) == IOPMEM_DELAY) {
		if (!tries--) {
			fprintf(stderr, "EXCHANGE_ID fails\n");
			abort();
		}
		nanosleep(&nap, NULL);
		len = sizeof(res);
	}
	if (len < 12 || get(res)) {
		fprintf(stderr, "EXCHANGE_ID: status %u\n", get(res));
		abort();
	}
	memcpy(clientid, res + 4, sizeof(clientid));
	memset(sequence, 0, sizeof(sequence));
}

static void call_one(uint32_t proc, unsigned int flags, const uint8_t *data, size_t size)
{
	uint8_t args[CALL_MAX] = { 0 }, res[64];
	size_t len = sizeof(res);
	uint32_t slot;

	memcpy(args, data, size);
	size = (size + 3) & ~(size_t)3;
	slot = get(args + 8);
	if (flags & SEQ && size >= 16) {
		memcpy(args, clientid, 8);
		if (slot < SLOTS)
			put(args + 12, sequence[slot] + 1);
	}
	if (flags & (OPENED | LEASED) && size >= 32)
		memcpy(args + 16, flags & OPENED ? opened : leased, 16);
	if (proc == IOPMEM_PROC_EVENT_WAIT && size >= 20) {
		memcpy(args, clientid, 8);
		put(args + 16, 0);
	}
	if (!call(proc, args, size, res, &len) || len < 4)
		return;
	if (flags & SEQ && slot < SLOTS)
		sequence[slot]++;	/* wrong where the call has none: then the next is refused */
	if (get(res) || len < 20)
		return;
	if (proc == IOPMEM_PROC_OPEN || proc == IOPMEM_PROC_CREATE)
		memcpy(opened, res + 4, 16);
	else if (proc == IOPMEM_PROC_LAYOUTGET)
		memcpy(leased, res + 4, 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int proc, flags;
	size_t len;

	exchange_id();
	while (size >= 4) {
		proc = data[0];
		flags = data[1];
		len = data[2] | (size_t)data[3] << 8;
		data += 4;
		size -= 4;
		if (len > size)
			len = size;
		if (len > CALL_MAX)
			len = CALL_MAX;
		if (flags & RAW) {
			dial();
			(void)!send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
			hang_up();
		} else {
			call_one(proc, flags, data, len);
		}
		data += len;
		size -= len;
	}
	return 0;
}
