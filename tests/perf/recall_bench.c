// SPDX-License-Identifier: BSD-3-Clause
/*
 * P6: how long a local truncate(2) takes that recalls a file from 1 and from 100 clients, all
 * of which answer at once (where: rig.h).  Each holds a READ layout of the same page and has
 * its EVENT_WAIT parked.  One thread plays all clients, so 100 include 100 times its own
 * work.  Prints JSON, a line for each number of clients.
 * Assumes: nothing else runs on the machine.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../protocol/peer.h"
#include "../protocol/took.h"
#include "bench.h"

#define CLIENTS_MAX 100
#define ROUNDS 100

static struct rig rig;
static struct peer peers[CLIENTS_MAX];
static iopmem_stateid opens[CLIENTS_MAX], ids[CLIENTS_MAX];
static char path[128];

/* A thread: *@arg becomes what it took. */
static void *cut(void *arg)
{
	static off_t size = 4 * PAGE;
	double *took = arg, start = now_us();
	int rc;

	size ^= PAGE;
	rc = truncate(path, size);
	*took = now_us() - start;
	return rc ? arg : NULL;
}

/* All hold the page and wait for events. */
static void hold(int n)
{
	struct reply r;
	int i;

	for (i = 0; i < n; i++) {
		do {	/* the file may still be on its way back from the last truncate */
			ids[i] = opens[i];
			peer_layoutget(&peers[i], &ids[i], IOPMEM_WIRE_READ, 0, PAGE, &r);
		} while (r.status == IOPMEM_RECALLCONFLICT || r.status == IOPMEM_LAYOUTTRYLATER ||
			 r.status == IOPMEM_LAYOUTUNAVAILABLE || r.status == IOPMEM_DELAY);
		assert_status(r.status, IOPMEM_OK);
		peer_event_park(&peers[i], 60000);
	}
	/* All are parked: what came before has been answered. */
	for (i = 0; i < n; i++)
		assert_status(peer_renew(&peers[i]), IOPMEM_OK);
}

static void give_back(struct peer *p, iopmem_stateid *id)
{
	iopmem_event_wait_res res;
	struct reply r;

	assert_int_equal(peer_event_reply(p, &res, RIG_PATIENCE_MS), 0);
	assert_status(res.status, IOPMEM_OK);
	assert_int_equal(res.iopmem_event_wait_res_u.ok.events.events_len, 1);
	p->acked = res.iopmem_event_wait_res_u.ok.events.events_val[0].number;
	xdr_free(WIRE_XDR(xdr_iopmem_event_wait_res), &res);
	assert_status(peer_layoutreturn(p, id, 0, TO_END, &r), IOPMEM_OK);
}

static void give_back_all(int n)
{
	struct pollfd fds[CLIENTS_MAX];
	int i, left = n;

	for (i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = peers[i].events.fd, .events = POLLIN };
	while (left) {
		assert_true(poll(fds, (nfds_t)n, RIG_PATIENCE_MS) > 0);
		for (i = 0; i < n; i++) {
			if (!fds[i].revents)
				continue;
			give_back(&peers[i], &ids[i]);
			fds[i].fd = -1;
			left--;
		}
	}
}

static void level(int n)
{
	double took[ROUNDS], alone[ROUNDS];
	pthread_t thread;
	void *failed;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		assert_null(cut(&alone[i]));
		hold(n);
		assert_int_equal(pthread_create(&thread, NULL, cut, &took[i]), 0);
		give_back_all(n);
		pthread_join(thread, &failed);
		assert_null(failed);
	}
	took_sort(took, ROUNDS);
	took_sort(alone, ROUNDS);
	printf("{\"clients\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f, \"alone_us\": %.1f}\n", n,
	       took[ROUNDS / 2], took[ROUNDS * 99 / 100], alone[ROUNDS / 2]);
	fflush(stdout);
}

static void bench(void **state)
{
	struct rig_opts o = { .lease_ms = 600000 };
	char name[16];
	int i;

	(void)state;
	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', 4 * PAGE);
	rig_path(&rig, "f", path);
	for (i = 0; i < CLIENTS_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		peer_up(&peers[i], &rig, name);
		assert_status(peer_open(&peers[i], "f", IOPMEM_ACCESS_READ, &opens[i]), IOPMEM_OK);
	}
	level(1);
	level(CLIENTS_MAX);
	for (i = 0; i < CLIENTS_MAX; i++)
		peer_down(&peers[i]);
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
	return bench_main(argc, argv, "recall_bench", bench, down);
}
