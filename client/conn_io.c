// SPDX-License-Identifier: BSD-3-Clause
/* Operations on the fabric connection: posting, completions, waiting. */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/clock.h"
#include "client.h"
#include "conn_io.h"

#define REAP_BATCH 32

/* ---- completions ---- */

void conn_done(struct iopmem_client *client, int status)
{
	struct conn *c = &client->conn;
	struct conn_wait *w = c->ring[c->reaped++ % c->ring_size];

	/* The offender's own status says more than what was queued behind it. */
	if (status && (!w->status || (w->status == -ECONNRESET && status == -EACCES)))
		w->status = status;
	if (status)
		c->dead = true;
	if (++w->done == w->posted && !w->open && w->complete)
		w->complete(w);
}

void conn_run_backlog(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	struct conn_backlog *b;

	while ((b = c->backlog)) {
		c->backlog = b->next;
		if (!b->post(b)) {
			b->next = c->backlog;
			c->backlog = b;
			break;
		}
	}
	conn_kick(client);
}

void conn_backlog_add(struct iopmem_client *client, struct conn_backlog *b)
{
	struct conn_backlog **p = &client->conn.backlog;

	while (*p)
		p = &(*p)->next;
	b->next = NULL;
	*p = b;
}

/* What is to be waited for on the descriptors may have changed. */
static void update_events(struct conn *c)
{
	short events[FABRIC_FDS];
	int fds[FABRIC_FDS], i, n = fabric_fds(c->fc, fds, events);

	for (i = 0; i < n && i < c->nr_fds; i++) {
		struct epoll_event ev = { .events = (uint32_t)events[i], .data.fd = fds[i] };

		if (events[i] == c->events[i])
			continue;
		epoll_ctl(c->poll_fd, EPOLL_CTL_MOD, fds[i], &ev);
		c->events[i] = events[i];
	}
}

unsigned int conn_reap(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	struct fabric_wc wc[REAP_BATCH];
	unsigned int total = 0;
	int i, n;

	while (c->fc && c->reaped < c->posted) {
		n = fabric_poll(c->fc, wc, REAP_BATCH, 0);
		if (n < 0)
			conn_disconnect(client, n);	/* completes the rest */
		for (i = 0; i < n; i++)
			conn_done(client, wc[i].status);
		total += n < 0 ? 1 : (unsigned int)n;
		if (n < REAP_BATCH)
			break;
	}
	if (!total)
		return 0;
	c->moved_ms = clock_ms();
	if (c->backlog)
		conn_run_backlog(client);
	if (c->fc && c->dead && c->reaped == c->posted)
		conn_disconnect(client, -ECONNRESET);
	pthread_cond_broadcast(&c->cond);
	if (c->sleeping)
		eventfd_write(c->wake_fd, 1);
	return total;
}

/* ---- posting ---- */

int conn_post(struct iopmem_client *client, struct conn_wait *w, const struct conn_op *op)
{
	struct conn *c = &client->conn;
	uint64_t inflight = c->posted - c->reaped;
	int ret;

	if (!c->fc || c->dead || !op->buf->fb)
		return -ECONNRESET;
	if (inflight >= (op->urgent ? c->ring_size : client->depth))
		return -EAGAIN;
	ret = fabric_post_more(c->fc, op->op, op->buf->fb, op->addr, op->len, op->rkey,
			       op->raddr, NULL);
	if (ret) {
		if (ret != -EAGAIN && ret != -EINVAL)	/* else the caller's; the connection lives */
			c->dead = true;
		return ret;
	}
	if (!inflight)
		c->moved_ms = clock_ms();
	c->ring[c->posted++ % c->ring_size] = w;
	w->posted++;
	return 0;
}

void conn_kick(struct iopmem_client *client)
{
	struct conn *c = &client->conn;

	if (!c->fc)
		return;
	fabric_kick(c->fc);
	if (c->sleeping)	/* else who will sleep does it */
		update_events(c);
}

void conn_post_wait(struct iopmem_client *client, struct conn_wait *w, const struct conn_op *op)
{
	int ret;

	while ((ret = conn_post(client, w, op)) == -EAGAIN) {
		conn_kick(client);
		conn_step(client);
	}
	if (ret && !w->status)
		w->status = ret;
}

int conn_drain(struct iopmem_client *client, struct conn_wait *w)
{
	int status;

	conn_kick(client);
	while (w->done < w->posted)
		conn_step(client);
	status = w->status;
	*w = (struct conn_wait){ 0 };
	return status;
}

/* ---- waiting ---- */

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Looks for completions for a while before anybody sleeps. */
static bool spin(struct iopmem_client *client)
{
	uint64_t until = now_us() + client->spin_us;

	do {
		if (conn_reap(client))
			return true;
		if (client->conn.contenders) {	/* let them post */
			conn_unlock(client);
			sched_yield();
			conn_lock(client);
		}
	} while (client->conn.fc && now_us() < until);
	return false;
}

static int left_ms(uint64_t until_ms, uint32_t limit_ms)
{
	uint64_t now = clock_ms(), left = until_ms > now ? until_ms - now : 0;

	return (int)(left < limit_ms ? left : limit_ms);
}

static void sleep_for_all(struct iopmem_client *client, uint64_t until_ms)
{
	struct conn *c = &client->conn;
	struct epoll_event ev[FABRIC_FDS + 1];
	eventfd_t ignored;
	uint64_t silent;

	update_events(c);
	c->sleeping = true;
	conn_unlock(client);
	epoll_wait(c->poll_fd, ev, FABRIC_FDS + 1, left_ms(until_ms, client->timeout_ms));
	conn_lock(client);
	c->sleeping = false;
	eventfd_read(c->wake_fd, &ignored);
	pthread_cond_broadcast(&c->cond);	/* one of the others sleeps next */
	silent = clock_ms() - c->moved_ms;
	/* Silent for so long: what is in flight will never be known. */
	if (!conn_reap(client) && c->fc && c->reaped < c->posted && silent >= client->timeout_ms)
		conn_disconnect(client, -ETIMEDOUT);
}

bool conn_step_until(struct iopmem_client *client, uint64_t until_ms)
{
	struct conn *c = &client->conn;

	if (conn_reap(client))
		return true;
	/* Nothing of the fabric's to wait for, or somebody does: what we wait for broadcasts. */
	if (!c->fc || c->reaped == c->posted || c->sleeping)
		return client_cond_wait(&c->cond, &c->lock, until_ms);
	if (client->spin_us && spin(client))
		return true;
	if (!c->fc || c->sleeping || fabric_arm(c->fc))
		return true;
	if (until_ms != UINT64_MAX && clock_ms() >= until_ms)
		return false;
	sleep_for_all(client, until_ms);
	return true;
}

void conn_step(struct iopmem_client *client)
{
	struct conn *c = &client->conn;

	if (c->fc && c->reaped < c->posted)
		conn_step_until(client, UINT64_MAX);
}

void conn_watch(struct iopmem_client *client)
{
	struct conn *c = &client->conn;
	eventfd_t ignored;

	while (c->fc && c->reaped < c->posted && fabric_arm(c->fc))
		if (!conn_reap(client))
			break;
	if (c->fc)
		update_events(c);
	if (!c->sleeping)
		eventfd_read(c->wake_fd, &ignored);
}

void conn_scratch_get(struct iopmem_client *client)
{
	struct conn *c = &client->conn;

	while (c->scratch_busy)
		pthread_cond_wait(&c->cond, &c->lock);
	c->scratch_busy = true;
}

void conn_scratch_put(struct iopmem_client *client)
{
	client->conn.scratch_busy = false;
	pthread_cond_broadcast(&client->conn.cond);
}
