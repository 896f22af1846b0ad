// SPDX-License-Identifier: BSD-3-Clause
/*
 * The tcp fabric's server: a peer that says anything.  Whatever comes, bytes outside the peer's
 * regions, and those it may only read, stay as they are.
 *
 * An input is a list of items, each with a byte before it: HELLO (a right one, then nothing
 * more of the item), RAW (a length byte and so many bytes as they are), REQUEST (32 bytes;
 * the key is replaced by that of a region; a WRITE's bytes are added).
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "fabric/tcp.h"

#define SIZE 65536U
#define MARK 0x5a

enum item { HELLO, RAW, REQUEST_RW, REQUEST_RO, REQUEST_ANY, NR_ITEMS };

static struct fabric_server *server;
static struct fabric_info info;
static struct fabric_peer *peer;
static struct fabric_mr *rw, *ro;
static uint8_t *memory;

static void on_event(void *arg, enum fabric_event ev, uint64_t clientid)
{
	(void)arg;
	(void)ev;
	(void)clientid;
}

static struct fabric_mr *region(uint32_t at, uint32_t rights)
{
	struct memsrc src = { .addr = memory + at, .fd = -1, .file_offset = at, .length = SIZE };
	struct iopmem_err err = { 0 };
	struct fabric_mr *mr;

	if (fabric_mr_reg(peer, &src, rights, &mr, &err))
		abort();
	return mr;
}

/* Guard, read-write, guard, read-only, guard. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct fabric_server_attr attr = { .provider = "tcp", .address = "127.0.0.1",
					   .event = on_event };
	struct iopmem_err err = { 0 };

	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	memory = mmap(NULL, 5 * SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || fabric_server_open(&attr, &server, &err) ||
	    fabric_peer_new(server, 1, &peer, &err))
		abort();
	memset(memory, MARK, 5 * SIZE);
	fabric_server_info(server, &info);
	rw = region(SIZE, FABRIC_READ | FABRIC_WRITE);
	ro = region(3 * SIZE, FABRIC_READ);
	return 0;
}

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(info.port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger reset = { .l_onoff = 1 };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		abort();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void say(int fd, const void *data, size_t len)
{
	/* Replies nobody reads must not stop us: the socket buffers are larger than an input's. */
	(void)!send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_hello(int fd)
{
	struct tcp_hello hello = { .magic = htonl(TCP_MAGIC), .version = htons(TCP_VERSION) };

	if (fabric_peer_token(peer, hello.token))
		abort();
	say(fd, &hello, sizeof(hello));
}

static void say_request(int fd, enum item item, const uint8_t *data)
{
	static const uint8_t bytes[2 * SIZE];
	struct tcp_request req;
	uint32_t len;

	memcpy(&req, data, sizeof(req));
	if (item == REQUEST_RW)
		req.rkey = htonl(fabric_mr_rkey(rw));
	else if (item == REQUEST_RO)
		req.rkey = htonl(fabric_mr_rkey(ro));
	say(fd, &req, sizeof(req));
	len = ntohl(req.len);
	if (ntohl(req.op) == TCP_WRITE)
		say(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes));
}

static void talk(int fd, const uint8_t *data, size_t size)
{
	enum item item;
	size_t len;

	while (size--) {
		item = *data++ % NR_ITEMS;
		if (item == HELLO) {
			say_hello(fd);
			continue;
		}
		len = sizeof(struct tcp_request);
		if (item == RAW && size) {
			len = *data++;
			size--;
		}
		if (size < len)
			return;
		if (item == RAW)
			say(fd, data, len);
		else
			say_request(fd, item, data);
		data += len;
		size -= len;
	}
}

static bool untouched(uint32_t at)
{
	static uint8_t marks[SIZE];

	if (!marks[0])
		memset(marks, MARK, sizeof(marks));
	return !memcmp(memory + at, marks, sizeof(marks));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reply[4096];
	ssize_t n;
	int fd = dial();

	talk(fd, data, size);
	shutdown(fd, SHUT_WR);
	/* The server has heard the end, or has hung up.  -1 by time-out: it is stuck. */
	do
		n = recv(fd, reply, sizeof(reply), 0);
	while (n > 0);
	close(fd);
	fabric_peer_disconnect(peer);
	if (!untouched(0) || !untouched(2 * SIZE) || !untouched(3 * SIZE) || !untouched(4 * SIZE))
		abort();
	return 0;
}
