// SPDX-License-Identifier: BSD-3-Clause
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cached.h"

#define DEFAULT_TIMEOUT_MS 30000
#define DEFAULT_DEPTH 64
#define DEPTH_MAX 4096
#define CLOSING_TIMEOUT_MS 5000

/* ---- shared helpers ---- */

void client_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

bool client_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ms)
{
	uint64_t now = clock_ms(), ms;
	struct timespec ts;

	if (until_ms == UINT64_MAX) {
		pthread_cond_wait(cond, lock);
		return true;
	}
	if (now >= until_ms)
		return false;
	ms = until_ms - now;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(ms / 1000);
	ts.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(cond, lock, &ts);
	return true;
}

void client_event(struct iopmem_client *client, enum iopmem_client_event event,
		  const char *path, uint64_t offset, uint64_t length)
{
	iopmem_event_fn fn;
	void *arg;

	pthread_mutex_lock(&client->lock);
	fn = client->event_fn;
	arg = client->event_arg;
	pthread_mutex_unlock(&client->lock);
	if (fn)
		fn(event, path, offset, length, arg);
}

void client_state_lost(struct iopmem_client *client, uint64_t generation)
{
	struct file *f;

	pthread_mutex_lock(&client->lock);
	for (f = client->files; f; f = f->next) {
		if (f->generation != generation)
			continue;
		pthread_mutex_lock(&f->lock);
		f->stale = true;
		f->layout_present = false;
		file_lose(f, (struct range){ 0, UINT64_MAX });
		pthread_mutex_unlock(&f->lock);
	}
	pthread_mutex_unlock(&client->lock);
}

void iopmem_set_event_fn(struct iopmem_client *client, iopmem_event_fn fn, void *arg)
{
	if (!client)
		return;
	pthread_mutex_lock(&client->lock);
	client->event_fn = fn;
	client->event_arg = arg;
	pthread_mutex_unlock(&client->lock);
}

void iopmem_set_cover_fn(struct iopmem_client *client, iopmem_cover_fn fn, void *arg)
{
	if (!client)
		return;
	pthread_mutex_lock(&client->lock);
	client->cover_fn = fn;
	client->cover_arg = arg;
	pthread_mutex_unlock(&client->lock);
}

/* ---- connect ---- */

static int make_owner(struct iopmem_client *c, const char *owner)
{
	char host[64] = "";
	uint64_t nonce;

	if (owner) {
		if (!*owner || strlen(owner) > IOPMEM_OWNER_MAX)
			return -EINVAL;
		strcpy(c->owner, owner);
		return 0;
	}
	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	gethostname(host, sizeof(host) - 1);
	snprintf(c->owner, sizeof(c->owner), "%s/%d/%016llx", host, (int)getpid(),
		 (unsigned long long)nonce);
	return 0;
}

static int apply_args(struct iopmem_client *c, const char *url,
		      const struct iopmem_connect_args *args, struct iopmem_err *err)
{
	struct iopmem_connect_args a = { .size = sizeof(a) };
	struct url *u;
	int ret;

	if (args && args->size < sizeof(a.size))
		return err_msg(err, EINVAL, "connect: args->size is not set");
	if (args)	/* a caller built against an older header passes less */
		memcpy(&a, args, args->size < sizeof(a) ? args->size : sizeof(a));
	if (a.depth > DEPTH_MAX)
		return err_msg(err, EINVAL, "connect: depth %u is above %u", a.depth, DEPTH_MAX);
	u = malloc(sizeof(*u));
	if (!u)
		return err_set(err, ENOMEM, "connect");
	ret = url_parse(url, u, err);
	if (!ret && a.flags)
		ret = err_msg(err, EINVAL, "connect: flags %#x are unknown", a.flags);
	if (!ret) {
		strcpy(c->target.host, u->host);
		c->target.port = u->port;
		c->target.sec = u->sec;
		strcpy(c->export_name, u->export_name);
		c->timeout_ms = a.timeout_ms ? a.timeout_ms : DEFAULT_TIMEOUT_MS;
		c->depth = a.depth ? a.depth : DEFAULT_DEPTH;
		c->spin_us = a.spin_us;
		c->cache_bytes = a.cache_bytes ? a.cache_bytes : CACHED_BYTES_DEFAULT;
		ret = make_owner(c, a.owner);
		if (ret)
			err_set(err, -ret, "connect: owner");
	}
	free(u);
	return ret;
}

/* Everything that has threads or sockets; what fails is undone by teardown(). */
static int establish(struct iopmem_client *c, struct iopmem_err *err)
{
	uint64_t generation, clientid;
	int ret;

	pthread_mutex_lock(&c->main.lock);
	ret = session_identify(c, &c->main, c->timeout_ms, true, &generation, &clientid, err);
	pthread_mutex_unlock(&c->main.lock);
	if (ret)
		return ret;
	conn_lock(c);
	ret = conn_ensure(c, &c->main, err);
	conn_unlock(c);
	if (ret)
		return ret;
	ret = events_start(c);
	return ret ? err_set(err, -ret, "connect: start a thread") : 0;
}

static void destroy_clientid(struct iopmem_client *c)
{
	iopmem_client_args args = { 0 };
	iopmem_status_res res;
	struct session_op op = SESSION_OP(DESTROY_CLIENTID, client_args, status_res, &args, &res,
					  c->session.generation, 0);

	op.timeout_ms = CLOSING_TIMEOUT_MS;
	if (c->session.identified)
		session_do(c, &c->main, &op, NULL, "disconnect");
}

static void teardown(struct iopmem_client *c)
{
	c->closing = true;
	events_fini(c);
	recall_fini(c);
	destroy_clientid(c);
	workers_fini(&c->workers);
	pool_fini(&c->pool);
	conn_fini(c);
	channel_fini(&c->main);
	channel_fini(&c->control);
	session_fini(&c->session);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->gets_lock);
	pthread_mutex_destroy(&c->append_lock);
	pthread_cond_destroy(&c->gets_cond);
	pthread_cond_destroy(&c->files_cond);
	free(c);
}

int iopmem_connect(const char *url, const struct iopmem_connect_args *args,
		   struct iopmem_client **client, struct iopmem_err *err)
{
	struct iopmem_client *c;
	int ret;

	if (!url || !client)
		return err_msg(err, EINVAL, "connect: invalid argument");
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, ENOMEM, "connect");
	ret = apply_args(c, url, args, err);
	if (ret)
		goto err_free;
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->gets_lock, NULL);
	pthread_mutex_init(&c->append_lock, NULL);
	pool_init(&c->pool);
	workers_init(&c->workers);
	client_cond_init(&c->gets_cond);
	client_cond_init(&c->files_cond);
	session_init(&c->session);
	channel_init(&c->main, &c->target);
	channel_init(&c->control, &c->target);
	events_init(c);
	ret = conn_init(c);
	if (!ret)
		ret = recall_init(c);
	if (ret)
		err_set(err, -ret, "connect");
	else
		ret = establish(c, err);
	if (ret) {
		teardown(c);
		return ret;
	}
	*client = c;
	return 0;

err_free:
	free(c);
	return ret;
}

int iopmem_info(struct iopmem_client *client, struct iopmem_info *info, struct iopmem_err *err)
{
	struct iopmem_info i = { 0 };
	struct conn *c;
	int ret;

	if (!client || !info || info->size < sizeof(info->size))
		return err_msg(err, EINVAL, "info: invalid argument");
	c = &client->conn;
	conn_lock(client);
	ret = conn_ensure(client, &client->control, err);
	i.size = info->size < sizeof(i) ? info->size : sizeof(i);
	snprintf(i.fabric, sizeof(i.fabric), "%s", c->fabric);
	conn_unlock(client);
	if (ret)
		return ret;
	strcpy(i.flush, "read");
	i.io_align = c->io_align;
	i.granule = c->granule;
	i.durable = c->durable;
	i.lease_ms = client->session.lease_ms;
	memcpy(info, &i, i.size);
	return 0;
}

int iopmem_disconnect(struct iopmem_client *client)
{
	int ret = 0, one;

	if (!client)
		return 0;
	client->closing = true;
	while (client->queues)
		iopmem_queue_free(client->queues);
	/* The application is done with its handles: nobody else walks this list. */
	while (client->handles) {
		one = iopmem_close(client->handles, NULL);
		ret = ret ? ret : one;
	}
	teardown(client);
	return ret;
}
