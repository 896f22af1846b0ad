// SPDX-License-Identifier: BSD-3-Clause
/*
 * P4: how many pairs of LAYOUTGET and LAYOUTRETURN a server does in a second, and how many
 * null calls a server of libtirpc's own makes of it; 8 clients each, loopback.  Each client
 * is a process with a file of its own ("dir", tcp), of which it keeps one segment all the
 * time and gets and returns another one.  The two take turns.  Prints JSON, a line a turn.
 * Assumes: nothing else runs on the machine.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../protocol/peer.h"
#include "bench.h"

#define CLIENTS 8
#define TURNS 3
#define TURN_MS 3000
#define NULL_PROG 0x20000990u
#define NULL_VERS 1u

static struct rig rig;

/* ---- libtirpc alone ---- */

static void null_dispatch(struct svc_req *req, SVCXPRT *xprt)
{
	if (req->rq_proc == NULLPROC)
		svc_sendreply(xprt, WIRE_XDR(xdr_void), NULL);
	else
		svcerr_noproc(xprt);
}

/* Like rpcgen's servers: svc_run() and nothing else. */
static pid_t null_server(struct sockaddr_in *sin)
{
	socklen_t len = sizeof(*sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SVCXPRT *xprt;
	pid_t pid;

	*sin = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)sin, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)sin, &len), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	xprt = svc_vc_create(fd, 0, 0);
	if (!xprt || !svc_reg(xprt, NULL_PROG, NULL_VERS, null_dispatch, NULL))
		_exit(1);
	svc_run();
	_exit(1);
}

static unsigned long null_calls(const struct sockaddr_in *sin, uint64_t until)
{
	struct netbuf addr = { .len = sizeof(*sin), .maxlen = sizeof(*sin), .buf = (void *)(uintptr_t)sin };
	struct timeval patience = { 10, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	unsigned long n = 0;
	CLIENT *clnt;

	if (connect(fd, (const struct sockaddr *)sin, sizeof(*sin)))
		_exit(1);
	clnt = clnt_vc_create(fd, &addr, NULL_PROG, NULL_VERS, 0, 0);
	if (!clnt)
		_exit(1);
	for (; now_ms() < until; n++)
		if (clnt_call(clnt, NULLPROC, WIRE_XDR(xdr_void), NULL, WIRE_XDR(xdr_void), NULL,
			      patience) != RPC_SUCCESS)
			_exit(1);
	clnt_destroy(clnt);
	return n;
}

/* ---- ours ---- */

static unsigned long pairs(int i, uint64_t until)
{
	iopmem_stateid id, keep;
	unsigned long n = 0;
	struct reply r;
	struct peer p;
	char name[16];

	snprintf(name, sizeof(name), "f%d", i);
	peer_up(&p, &rig, name);
	assert_status(peer_open(&p, name, 3, &keep), IOPMEM_OK);
	id = keep;
	assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 0, PAGE, &r), IOPMEM_OK);
	for (; now_ms() < until; n++) {
		assert_status(peer_layoutget(&p, &id, IOPMEM_WIRE_RW, 2 * PAGE, PAGE, &r), IOPMEM_OK);
		assert_status(peer_layoutreturn(&p, &id, 2 * PAGE, PAGE, &r), IOPMEM_OK);
	}
	peer_down(&p);
	return n;
}

/* ---- turns ---- */

struct result {
	double rate;		/* in a second */
	double server_us, client_us;
};

static double clients_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* All clients for one turn with @server; @sin: of the null server, or NULL for ours. */
static struct result turn(pid_t server, const struct sockaddr_in *sin)
{
	double server_us = cpu_us(server), client_us = clients_us();
	uint64_t until = now_ms() + TURN_MS;
	unsigned long n, sum = 0;
	int fds[2], i, status;

	assert_int_equal(pipe(fds), 0);
	for (i = 0; i < CLIENTS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		n = sin ? null_calls(sin, until) : pairs(i, until);
		_exit(write(fds[1], &n, sizeof(n)) != sizeof(n));
	}
	close(fds[1]);
	for (i = 0; i < CLIENTS; i++) {
		assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
		sum += n;
	}
	close(fds[0]);
	for (i = 0; i < CLIENTS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	return (struct result){ (double)sum * 1000 / TURN_MS,
				(cpu_us(server) - server_us) / (double)sum,
				(clients_us() - client_us) / (double)sum };
}

static void print(const char *what, struct result r)
{
	printf("\"%s\": {\"rate\": %.0f, \"server_cpu\": %.1f, \"client_cpu\": %.1f}", what, r.rate,
	       r.server_us, r.client_us);
}

static void bench(void **state)
{
	struct sockaddr_in sin;
	char name[16];
	pid_t null;
	int i;

	(void)state;
	rig_up(&rig, NULL);
	for (i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		rig_fill(&rig, name, 'o', 4 * PAGE);
	}
	null = null_server(&sin);
	for (i = 0; i < TURNS; i++) {
		printf("{");
		print("null_calls", turn(null, &sin));
		printf(", ");
		print("pairs", turn(rig.pid, NULL));
		printf("}\n");
		fflush(stdout);
	}
	kill(null, SIGKILL);
	assert_int_equal(waitpid(null, NULL, 0), null);
	rig_stop(&rig);
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, "pairs_bench", bench, down);
}
