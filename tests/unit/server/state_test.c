// SPDX-License-Identifier: BSD-3-Clause
/* I7, T12: stateids around the end of the number space; tombstones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client.h"
#include "fence.h"
#include "file.h"
#include "layout.h"
#include "state.h"
#include "turn.h"

static struct server srv;
static struct client client, other;
static struct state st;

void fence_layout(struct layout *l, struct range r, const char *why)
{
	(void)l;
	(void)r;
	(void)why;
}

struct layout *layout_find(struct file *f, struct client *c)
{
	(void)f;
	(void)c;
	return NULL;
}

void file_put(struct file *f)
{
	(void)f;
}

void turn_forget(struct file *f, struct client *c)
{
	(void)f;
	(void)c;
}

static int up(void **state)
{
	(void)state;
	memset(&srv, 0, sizeof(srv));
	memset(&client, 0, sizeof(client));
	memset(&other, 0, sizeof(other));
	srv.cfg.client_tombstones = 2;
	client.srv = other.srv = &srv;
	state_add(&srv, &st, STATE_LAYOUT, &client);
	return 0;
}

static int down(void **state)
{
	(void)state;
	state_remove(&srv, &st);
	return 0;
}

static u_int find(uint32_t seqid)
{
	struct state *found = NULL;
	iopmem_stateid id;
	u_int status;

	state_wire(&st, &id);
	id.seqid = seqid;
	status = state_find(&srv, &client, &id, &found);
	if (!status)
		assert_ptr_equal(found, &st);
	return status;
}

/* 0xFFFFFFFE, 0xFFFFFFFF, 1, 2: 0 is never one. */
static void T12_seqid_wraps_over_zero(void **state)
{
	static const uint32_t want[] = { 0xfffffffe, 0xffffffff, 1, 2 };
	size_t i;

	(void)state;
	st.seqid = 0xfffffffd;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		state_bump(&st);
		assert_int_equal(st.seqid, want[i]);
		assert_int_equal(find(st.seqid), IOPMEM_OK);
		assert_int_equal(find(0), IOPMEM_BAD_STATEID);
	}
}

/* Older, newer and too old are told apart modulo 2^32. */
static void T12_comparison_is_modulo(void **state)
{
	(void)state;
	st.seqid = 3;
	assert_int_equal(find(4), IOPMEM_BAD_STATEID);		/* future */
	assert_int_equal(find(0xffffffff), IOPMEM_OK);		/* before the wrap */
	assert_int_equal(find((uint32_t)(3 - 2 * CLIENT_SLOTS)), IOPMEM_OK);
	assert_int_equal(find((uint32_t)(3 - 2 * CLIENT_SLOTS - 1)), IOPMEM_OLD_STATEID);
	assert_int_equal(find(0x7fffffff), IOPMEM_BAD_STATEID);
	st.seqid = 0xffffffff;
	assert_int_equal(find(1), IOPMEM_BAD_STATEID);		/* future, behind the wrap */
	assert_int_equal(find(0xfffffff0), IOPMEM_OK);
}

static void another_clients_is_unknown(void **state)
{
	struct state *found;
	iopmem_stateid id;

	(void)state;
	state_wire(&st, &id);
	assert_int_equal(state_find(&srv, &other, &id, &found), IOPMEM_BAD_STATEID);
	id.other[3] = (char)(id.other[3] ^ 1);
	assert_int_equal(state_find(&srv, &client, &id, &found), IOPMEM_BAD_STATEID);
}

/* The id of what was fenced says so, the object goes on under another; the oldest are forgotten. */
static void I20_tombstones_are_bounded(void **state)
{
	iopmem_stateid id[3];
	struct state *found, *grave;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		state_wire(&st, &id[i]);
		id[i].seqid = 1;
		state_revoke(&srv, &st);
		assert_int_equal(st.seqid, 0);
		st.seqid = 1;
	}
	assert_int_equal(client.nr_revoked, 2);
	assert_int_equal(state_find(&srv, &client, &id[0], &found), IOPMEM_BAD_STATEID);
	assert_int_equal(state_find(&srv, &client, &id[1], &found), IOPMEM_ADMIN_REVOKED);
	assert_int_equal(state_find(&srv, &client, &id[2], &found), IOPMEM_ADMIN_REVOKED);
	assert_int_equal(state_find(&srv, &other, &id[2], &found), IOPMEM_BAD_STATEID);
	assert_int_equal(find(1), IOPMEM_OK);
	while ((grave = client.revoked)) {
		client.revoked = grave->next;
		state_remove(&srv, grave);
		free(grave);
	}
}

/* Any of the client's opens gives the right; all of them must say SHARED. */
static void opens_count_together(void **state)
{
	const uint32_t rd = IOPMEM_ACCESS_READ, wr = IOPMEM_ACCESS_WRITE;
	struct sockaddr_storage from = { 0 };
	struct cred cred = { 0 };
	struct file f = { 0 };
	struct open *a, *b;
	bool shared;

	(void)state;
	assert_int_equal(open_any_may(&f, &client, rd, &shared), IOPMEM_BAD_STATEID);
	a = open_new(&client, &f, rd | IOPMEM_ACCESS_SHARED, &cred, &from);
	assert_int_equal(open_any_may(&f, &client, rd, &shared), IOPMEM_OK);
	assert_true(shared);
	assert_int_equal(open_any_may(&f, &client, wr, &shared), IOPMEM_OPENMODE);
	assert_int_equal(open_any_may(&f, &other, rd, &shared), IOPMEM_BAD_STATEID);
	b = open_new(&client, &f, rd | wr, &cred, &from);
	assert_int_equal(open_any_may(&f, &client, wr, &shared), IOPMEM_OK);
	assert_false(shared);
	b->access = rd;		/* withdrawn: that is another answer */
	assert_int_equal(open_any_may(&f, &client, wr, &shared), IOPMEM_ACCESS);
	assert_int_equal(client.usage.opens, 2);
	open_close(b);
	assert_true(open_any(&f, &client));
	open_close(a);
	assert_false(open_any(&f, &client));
	assert_int_equal(client.usage.opens, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)
	const struct CMUnitTest tests[] = {
		T(T12_seqid_wraps_over_zero),
		T(T12_comparison_is_modulo),
		T(another_clients_is_unknown),
		T(I20_tombstones_are_bounded),
		T(opens_count_together),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
