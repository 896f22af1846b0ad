// SPDX-License-Identifier: BSD-3-Clause
/* The event queue of a client, with the dispatcher and the timers as fakes. */
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "call.h"
#include "client.h"
#include "events.h"

/* ---- fakes ---- */

static struct client client;
static struct server srv;

/* What was answered last. */
static struct call *answered;
static u_int answered_status, nr_events;
static iopmem_event answered_events[IOPMEM_EVENTS_MAX];
static int nr_answers;

static struct timer *armed;
static uint64_t armed_ms;

static void take_answer(struct call *call, u_int status)
{
	iopmem_event_wait_ok *ok = &call->res.event_wait.iopmem_event_wait_res_u.ok;

	answered = call;
	answered_status = status;
	nr_answers++;
	nr_events = status ? 0 : ok->events.events_len;
	if (nr_events)
		memcpy(answered_events, ok->events.events_val,
		       nr_events * sizeof(*answered_events));
	free(ok->events.events_val);
	memset(&call->res, 0, sizeof(call->res));
}

void call_reply(struct call *call)
{
	take_answer(call, call->res.status);
}

void call_status(struct call *call, enum iopmem_status status)
{
	take_answer(call, status);
}

void timer_arm(struct loop *loop, struct timer *t, uint64_t delay_ms)
{
	(void)loop;
	armed = t;
	armed_ms = delay_ms;
}

void timer_cancel(struct loop *loop, struct timer *t)
{
	(void)loop;
	if (armed == t)
		armed = NULL;
}

static int up(void **state)
{
	(void)state;
	memset(&client, 0, sizeof(client));
	memset(&srv, 0, sizeof(srv));
	srv.cfg.lease_ms = 9000;
	client.srv = &srv;
	answered = NULL;
	armed = NULL;
	nr_answers = 0;
	return 0;
}

static int down(void **state)
{
	(void)state;
	event_queue_fini(&client, IOPMEM_STALE_CLIENTID);
	return 0;
}

/* An hour: what is left of it is more than any test takes. */
#define DEADLINE_MS 3600000

static void push(uint64_t offset)
{
	iopmem_event ev = { .type = IOPMEM_EVENT_RECALL, .offset = offset };

	event_push(&client, &ev, clock_ms() + DEADLINE_MS);
}

/* ---- tests ---- */

static void parked_call_gets_the_event(void **state)
{
	struct call call = { 0 };

	(void)state;
	event_wait(&client, &call, 0, 1000);
	assert_null(answered);
	assert_ptr_equal(armed, &client.events.timeout);
	assert_int_equal(armed_ms, 1000);
	push(7);
	assert_ptr_equal(answered, &call);
	assert_int_equal(answered_status, IOPMEM_OK);
	assert_int_equal(nr_events, 1);
	assert_int_equal(answered_events[0].number, 1);
	assert_int_equal(answered_events[0].offset, 7);
	assert_in_range(answered_events[0].deadline_ms, 1, DEADLINE_MS);
	assert_null(armed);
	/* nobody waits: kept */
	push(8);
	assert_int_equal(nr_answers, 1);
}

static void repeated_until_acknowledged(void **state)
{
	struct call call = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		push((uint64_t)i);
	for (i = 0; i < 3; i++) {
		event_wait(&client, &call, 0, 1000);
		assert_int_equal(nr_answers, i + 1);
		assert_int_equal(nr_events, 5);
	}
	event_wait(&client, &call, 3, 1000);
	assert_int_equal(nr_events, 2);
	assert_int_equal(answered_events[0].number, 4);
	assert_int_equal(answered_events[1].number, 5);
	/* an old acknowledgement takes nothing back */
	event_wait(&client, &call, 1, 1000);
	assert_int_equal(nr_events, 2);
	event_wait(&client, &call, 5, 1000);
	assert_int_equal(nr_answers, 5);	/* parked */
	push(9);
	assert_int_equal(answered_events[0].number, 6);
	assert_int_equal(nr_events, 1);
}

static void more_than_fit_come_in_turns(void **state)
{
	uint64_t acked = 0, want = 1;
	struct call call = { 0 };
	u_int i;

	(void)state;
	for (i = 0; i < 3 * IOPMEM_EVENTS_MAX / 2; i++)
		push(i);
	while (want <= 3 * IOPMEM_EVENTS_MAX / 2) {
		event_wait(&client, &call, acked, 0);
		assert_true(nr_events > 0 && nr_events <= IOPMEM_EVENTS_MAX);
		for (i = 0; i < nr_events; i++)
			assert_int_equal(answered_events[i].number, want++);
		acked = want - 1;
	}
	event_wait(&client, &call, acked, 0);
	assert_int_equal(nr_events, 0);
}

static void timeouts(void **state)
{
	struct call call = { 0 };

	(void)state;
	event_wait(&client, &call, 0, 0);	/* at once */
	assert_int_equal(nr_answers, 1);
	assert_int_equal(nr_events, 0);
	event_wait(&client, &call, 0, 0xffffffff);
	assert_int_equal(armed_ms, 3000);	/* a third of the lease */
	armed->fire(armed);
	assert_int_equal(nr_answers, 2);
	assert_int_equal(answered_status, IOPMEM_OK);
	assert_int_equal(nr_events, 0);
	assert_null(client.events.waiting);
}

static void second_waiter_replaces_the_first(void **state)
{
	struct call first = { 0 }, second = { 0 };

	(void)state;
	event_wait(&client, &first, 0, 1000);
	event_wait(&client, &second, 0, 1000);
	assert_ptr_equal(answered, &first);
	assert_int_equal(nr_events, 0);
	assert_ptr_equal(client.events.waiting, &second);
	push(1);
	assert_ptr_equal(answered, &second);
	assert_int_equal(nr_events, 1);
}

static void lost_connection(void **state)
{
	struct call call = { 0 }, other = { 0 };

	(void)state;
	event_wait(&client, &call, 0, 1000);
	event_call_lost(&client, &other);	/* not the parked one: nothing */
	assert_int_equal(nr_answers, 0);
	event_call_lost(&client, &call);
	assert_int_equal(nr_answers, 1);	/* ended, though nobody hears it */
	assert_null(client.events.waiting);
	assert_null(armed);
	push(1);				/* waits for the next */
	event_wait(&client, &other, 0, 1000);
	assert_int_equal(nr_events, 1);
	assert_int_equal(answered_events[0].number, 1);
}

static void end_of_the_client(void **state)
{
	struct call call = { 0 };

	(void)state;
	event_wait(&client, &call, 0, 1000);
	event_queue_fini(&client, IOPMEM_STALE_CLIENTID);
	assert_ptr_equal(answered, &call);
	assert_int_equal(answered_status, IOPMEM_STALE_CLIENTID);
	assert_null(armed);
	push(1);
	event_queue_fini(&client, IOPMEM_STALE_CLIENTID);
	assert_null(client.events.head);
	assert_int_equal(nr_answers, 1);
	/* what comes behind its end (a recall while it is fenced) is not kept for ever */
	client.dying = true;
	push(2);
	assert_null(client.events.head);
}

static void passed_deadlines_are_zero(void **state)
{
	iopmem_event ev = { .type = IOPMEM_EVENT_RECALL };
	struct call call = { 0 };

	(void)state;
	event_push(&client, &ev, clock_ms() + DEADLINE_MS);
	ev.type = IOPMEM_EVENT_REVOKED;
	event_push(&client, &ev, 0);
	clock_step(DEADLINE_MS + 1);
	event_wait(&client, &call, 0, 0);
	assert_int_equal(nr_events, 2);
	assert_int_equal(answered_events[0].deadline_ms, 0);
	assert_int_equal(answered_events[1].deadline_ms, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(parked_call_gets_the_event),
		T(repeated_until_acknowledged),
		T(more_than_fit_come_in_turns),
		T(timeouts),
		T(second_waiter_replaces_the_first),
		T(lost_connection),
		T(end_of_the_client),
		T(passed_deadlines_are_zero),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
