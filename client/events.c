// SPDX-License-Identifier: BSD-3-Clause
#include "events.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "cover.h"

#define SLACK_MS 5000	/* beyond the long poll's own time */

void events_init(struct iopmem_client *client)
{
	channel_init(&client->events.ch, &client->target);
}

static void revoked(struct iopmem_client *client, const iopmem_event *ev, struct range r)
{
	struct file *file = file_find_layout(client, &ev->stateid);

	if (!file)
		return;
	pthread_mutex_lock(&file->lock);
	file_lose(file, r);
	pthread_mutex_unlock(&file->lock);
	/* The leases that it touches are over as a whole. */
	cover_tell(client, IOPMEM_COVER_NONE, file->fileid, (struct range){ 0, UINT64_MAX });
	client_event(client, IOPMEM_CLIENT_REVOKED, file->path, ev->offset, ev->length);
	file_put(file);
}

/* The file that was opened as the @nth of those that are open, from 0; with a reference. */
static struct file *opened_as(struct iopmem_client *client, unsigned int nth)
{
	struct file *f, *found = NULL;
	unsigned int n = 0;

	pthread_mutex_lock(&client->lock);
	for (f = client->files; f; f = f->next)
		n++;
	for (f = client->files; f; f = f->next)		/* the newest is first */
		if (n-- == nth + 1)
			found = f;
	if (found)
		found->refs++;
	pthread_mutex_unlock(&client->lock);
	return found;
}

static size_t held(struct file *f, iopmem_stateid *stateid)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->layout_present && !f->stale ? f->maps[0].n + f->maps[1].n : 0;
	*stateid = f->layout;
	pthread_mutex_unlock(&f->lock);
	return n;
}

/*
 * Regions are scarce at the server: the files opened first give back what they hold, as if
 * it were recalled, until no more than ev->keep segments are left.
 */
static int recall_any(struct iopmem_client *client, const iopmem_event *ev)
{
	iopmem_event one = *ev;
	struct file *f;
	size_t total = 0, n;
	unsigned int i;
	int ret = 0;

	for (i = 0; (f = opened_as(client, i)); i++) {
		total += held(f, &one.stateid);
		file_put(f);
	}
	for (i = 0; !ret && total > ev->keep && (f = opened_as(client, i)); i++) {
		n = held(f, &one.stateid);
		file_put(f);
		if (n)
			ret = recall_queue(client, &one, (struct range){ 0, UINT64_MAX });
		total -= n < total ? n : total;
	}
	return ret;
}

static int take(struct iopmem_client *client, const iopmem_event *ev)
{
	struct range r;

	if (!range_make(ev->offset, ev->length, &r))
		r = (struct range){ 0, UINT64_MAX };
	if (ev->type == IOPMEM_EVENT_REVOKED)
		revoked(client, ev, r);
	else if (ev->type == IOPMEM_EVENT_RECALL && !client->events.ignore_recalls)
		return recall_queue(client, ev, r);
	else if (ev->type == IOPMEM_EVENT_RECALL_ANY && !client->events.ignore_recalls)
		return recall_any(client, ev);
	return 0;
}

static int wait_once(struct iopmem_client *client)
{
	struct events *e = &client->events;
	iopmem_event_wait_args args = { 0 };
	iopmem_event_wait_res res;
	const iopmem_event_wait_ok *ok = &res.iopmem_event_wait_res_u.ok;
	uint64_t generation, clientid;
	unsigned int status = 0;
	u_int i;
	int ret;

	pthread_mutex_lock(&e->ch.lock);
	ret = session_identify(client, &e->ch, client->timeout_ms, true, &generation, &clientid,
			       NULL);
	pthread_mutex_unlock(&e->ch.lock);
	if (ret)
		return ret;
	if (generation != e->generation) {
		e->generation = generation;
		e->acked = 0;
	}
	args.acked = e->acked;
	args.timeout_ms = client->session.lease_ms / 3;
	struct session_op op = SESSION_OP(EVENT_WAIT, event_wait_args, event_wait_res, &args,
					  &res, generation, 0);
	op.timeout_ms = args.timeout_ms + SLACK_MS;
	ret = session_call(client, &e->ch, &op, &status, NULL);
	if (ret)
		return ret;
	if (status)
		ret = status_to_errno(status);
	for (i = 0; !ret && i < ok->events.events_len; i++) {
		const iopmem_event *ev = &ok->events.events_val[i];

		if (ev->number <= e->acked)
			continue;
		ret = take(client, ev);
		if (!ret)
			e->acked = ev->number;
	}
	session_free(&op);
	return ret;
}

static void *events_main(void *arg)
{
	struct iopmem_client *client = arg;
	struct events *e = &client->events;
	struct backoff backoff = { 0 };

	while (!e->stop) {
		if (!wait_once(client))
			backoff.ms = 0;
		else if (!e->stop)
			backoff_sleep(&backoff);
	}
	return NULL;
}

int events_start(struct iopmem_client *client)
{
	int ret = pthread_create(&client->events.thread, NULL, events_main, client);

	client->events.started = !ret;
	return -ret;
}

void events_fini(struct iopmem_client *client)
{
	struct events *e = &client->events;

	e->stop = true;
	channel_abort(&e->ch);
	if (e->started)
		pthread_join(e->thread, NULL);
	channel_fini(&e->ch);
}

void client_test_ignore_recalls(struct iopmem_client *client, bool ignore)
{
	client->events.ignore_recalls = ignore;
}
