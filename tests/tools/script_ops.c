// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "client.h"
#include "script.h"

/* ---- helpers ---- */

void script_error(int ret, const struct iopmem_err *err)
{
	const char *name = strerrorname_np(-ret);

	printf("error %s %s\n", name ? name : "?", err && err->code ? err->text : "");
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 0);

	switch (*end) {
	case 'g':
		v *= 1024;	/* fall through */
	case 'm':
		v *= 1024;	/* fall through */
	case 'k':
		v *= 1024;
	}
	return v;
}

static uint8_t pattern(uint64_t x, uint64_t seed)
{
	return (uint8_t)(x * 31 + (x >> 12) * 7 + seed);
}

static void *find(struct named *table, const char *name)
{
	int i;

	for (i = 0; i < SCRIPT_NAMES; i++)
		if (table[i].object && !strcmp(table[i].name, name))
			return table[i].object;
	return NULL;
}

static void drop(struct named *table, const void *object)
{
	int i;

	for (i = 0; i < SCRIPT_NAMES; i++)
		if (table[i].object == object)
			table[i].object = NULL;
}

static int keep(struct named *table, const char *name, void *object)
{
	int i;

	for (i = 0; i < SCRIPT_NAMES; i++) {
		if (table[i].object)
			continue;
		snprintf(table[i].name, sizeof(table[i].name), "%s", name);
		table[i].object = object;
		return 0;
	}
	return -ENFILE;
}

static int report(int ret, const struct iopmem_err *err)
{
	if (ret < 0)
		script_error(ret, err);
	return ret < 0;
}

static void simple(int ret, const struct iopmem_err *err)
{
	if (!report(ret, err))
		puts("ok");
}

static void compare(const uint8_t *data, uint64_t offset, size_t len, const char *seed)
{
	bool zero = !strcmp(seed, "zero");
	uint64_t s = zero ? 0 : number(seed);
	size_t i;

	for (i = 0; i < len; i++) {
		uint8_t want = zero ? 0 : pattern(offset + i, s);

		if (data[i] != want) {
			printf("ok mismatch at=%" PRIu64 " got=%u want=%u\n", offset + i, data[i],
			       want);
			return;
		}
	}
	puts("ok match");
}

static void fill(uint8_t *data, uint64_t offset, size_t len, uint64_t seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = pattern(offset + i, seed);
}

/* ---- files ---- */

static void cmd_open(struct script *s, char **a)
{
	int flags = strncmp(a[3], "rw", 2) ? O_RDONLY : O_RDWR;
	struct iopmem_err err = { 0 };
	struct iopmem_file *f;
	const char *p;
	int ret;

	for (p = a[3]; *p; p++)
		flags |= *p == 'c' ? O_CREAT : *p == 'x' ? O_EXCL : *p == 't' ? O_TRUNC : 0;
	ret = iopmem_open(s->client, a[2], flags, 0644, &f, &err);
	simple(ret ? ret : keep(s->files, a[1], f), &err);
}

static void print_stat(int ret, const struct iopmem_stat *st, const struct iopmem_err *err)
{
	if (!report(ret, err))
		printf("ok type=%u size=%" PRIu64 " mode=%o change=%" PRIu64 "\n", st->type,
		       st->size, st->mode, st->change);
}

static void file_command(struct script *s, char **a)
{
	struct iopmem_file *f = find(s->files, a[1]);
	struct iopmem_err err = { 0 };
	struct iopmem_stat st;
	int i;

	if (!f) {
		puts("error EINVAL no such file name");
	} else if (!strcmp(a[0], "close")) {
		for (i = 0; i < SCRIPT_NAMES; i++) {	/* they go with it */
			struct iopmem_lease *l = s->leases[i].object;

			if (l && l->file == f)
				s->leases[i].object = NULL;
		}
		drop(s->files, f);
		simple(iopmem_close(f, &err), &err);
	} else if (!strcmp(a[0], "truncate")) {
		simple(iopmem_ftruncate(f, number(a[2]), &err), &err);
	} else {
		print_stat(iopmem_fstat(f, &st, &err), &st, &err);
	}
}

static void path_command(struct script *s, char **a)
{
	struct iopmem_err err = { 0 };
	struct iopmem_stat st;

	if (!strcmp(a[0], "mkdir"))
		simple(iopmem_mkdir(s->client, a[1], 0755, &err), &err);
	else if (!strcmp(a[0], "remove"))
		simple(iopmem_remove(s->client, a[1], &err), &err);
	else
		print_stat(iopmem_stat(s->client, a[1], &st, &err), &st, &err);
}

/* ---- leases ---- */

static void cmd_lease(struct script *s, int argc, char **a)
{
	struct iopmem_file *f = find(s->files, a[2]);
	struct iopmem_err err = { 0 };
	struct iopmem_lease *l;
	int ret;

	ret = iopmem_lease(f, number(a[3]), number(a[4]),
			   strcmp(a[5], "rw") ? IOPMEM_LEASE_READ : IOPMEM_LEASE_RW,
			   argc > 6 ? (uint32_t)number(a[6]) : 0, &l, &err);
	simple(ret ? ret : keep(s->leases, a[1], l), &err);
}

static void cmd_io(struct script *s, struct iopmem_lease *l, char **a)
{
	uint64_t offset = number(a[2]);
	size_t len = number(a[3]);
	struct iopmem_err err = { 0 };
	ssize_t ret;

	if (len > SCRIPT_BUF) {
		puts("error E2BIG more than the buffer");
	} else if (!strcmp(a[0], "write")) {
		fill(s->memory, offset, len, number(a[4]));
		ret = iopmem_write(l, s->buf, s->memory, len, offset, &err);
		simple(ret < 0 ? (int)ret : 0, &err);
	} else {
		memset(s->memory, 0xa5, len);
		ret = iopmem_read(l, s->buf, s->memory, len, offset, &err);
		if (!report(ret < 0 ? (int)ret : 0, &err))
			compare(s->memory, offset, len, a[4]);
	}
}

static void cmd_blast(struct script *s, struct iopmem_lease *l, char **a)
{
	uint64_t offset = number(a[2]), count = number(a[4]), n;
	size_t len = number(a[3]);
	struct iopmem_err err = { 0 };
	ssize_t ret = 0;

	fill(s->memory, offset, len < SCRIPT_BUF ? len : 0, 0xb1);
	for (n = 0; n < count; n++) {
		ret = iopmem_write(l, s->buf, s->memory, len, offset, &err);
		if (ret < 0)
			break;
		if (s->tell_writes)
			fprintf(stderr, "blast %" PRIu64 "\n", n + 1);
	}
	printf("ok writes=%" PRIu64 " error=%s %s\n", n,
	       ret < 0 ? strerrorname_np((int)-ret) : "none", ret < 0 ? err.text : "");
}

static void cmd_lost(struct iopmem_lease *l)
{
	struct iopmem_range r[WRITTEN_MAX];
	size_t i, n = iopmem_lease_lost(l, r, WRITTEN_MAX);

	printf("ok n=%zu", n);
	for (i = 0; i < n; i++)
		printf(" %" PRIu64 "+%" PRIu64, r[i].offset, r[i].length);
	puts("");
}

static void cmd_keys(struct iopmem_lease *l)
{
	struct iopmem_file *f = l->file;
	char text[4096];
	size_t i, n = 0, at = 0;
	int m;

	text[0] = '\0';
	pthread_mutex_lock(&f->lock);
	for (m = 0; m < 2; m++) {
		for (i = 0; i < f->maps[m].n && at < sizeof(text) - 100; i++) {
			const struct extent *e = &f->maps[m].v[i];

			if (!range_overlaps(e->r, l->wire))
				continue;
			n++;
			at += (size_t)snprintf(text + at, sizeof(text) - at,
					       " %" PRIu64 "+%" PRIu64 ":%#x:%#" PRIx64 ":%s",
					       e->r.offset, range_len(e->r), e->rkey, e->addr,
					       m ? "rw" : "r");
		}
	}
	pthread_mutex_unlock(&f->lock);
	printf("ok n=%zu%s\n", n, text);
}

static void lease_command(struct script *s, char **a)
{
	struct iopmem_lease *l = find(s->leases, a[1]);
	struct iopmem_err err = { 0 };
	int ret;

	if (!l) {
		puts("error EINVAL no such lease name");
	} else if (!strcmp(a[0], "write") || !strcmp(a[0], "read")) {
		cmd_io(s, l, a);
	} else if (!strcmp(a[0], "blast")) {
		cmd_blast(s, l, a);
	} else if (!strcmp(a[0], "lost")) {
		cmd_lost(l);
	} else if (!strcmp(a[0], "keys")) {
		cmd_keys(l);
	} else if (!strcmp(a[0], "return")) {
		drop(s->leases, l);
		simple(iopmem_return(l, &err), &err);
	} else {
		ret = iopmem_commit(l, &err);
		if (!report(ret, &err))
			printf("ok level=%d\n", ret);
	}
}

/* ---- the rest ---- */

static void cmd_raw(struct script *s, char **a)
{
	bool write = !strcmp(a[0], "rawwrite");
	uint64_t addr = number(a[2]);
	size_t len = number(a[3]);
	struct iopmem_err err = { 0 };
	int ret;

	if (!len || len > SCRIPT_BUF) {
		puts("error E2BIG more than the buffer");
		return;
	}
	if (write)
		fill(s->memory, addr, len, number(a[4]));
	conn_lock(s->client);
	ret = conn_ensure(s->client, &s->client->control, &err);
	if (!ret) {
		conn_post(s->client, write ? FABRIC_OP_WRITE : FABRIC_OP_READ, s->buf, s->memory,
			  (uint32_t)len, (uint32_t)number(a[1]), addr);
		ret = conn_drain(s->client);
	}
	conn_unlock(s->client);
	if (report(ret, &err))
		return;
	if (write)
		puts("ok");
	else
		compare(s->memory, addr, len, a[4]);
}

static const char *const event_names[] = { "?", "recalled", "revoked", "expired", "restarted" };

void script_on_event(enum iopmem_client_event event, const char *path, uint64_t offset,
		     uint64_t length, void *arg)
{
	struct script *s = arg;
	struct script_event *e;

	pthread_mutex_lock(&s->lock);
	e = &s->events[s->tail++ % SCRIPT_EVENTS];
	if (s->tail - s->head > SCRIPT_EVENTS)
		s->head++;
	e->type = event;
	snprintf(e->path, sizeof(e->path), "%s", path);
	e->offset = offset;
	e->length = length;
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

/* Takes events in order; others than the one waited for are dropped. */
static void cmd_wait_event(struct script *s, char **a)
{
	uint64_t until = clock_ms() + number(a[2]);
	struct script_event e;
	bool got = false;

	pthread_mutex_lock(&s->lock);
	while (!got) {
		while (s->head == s->tail)
			if (!client_cond_wait(&s->cond, &s->lock, until))
				goto out;
		e = s->events[s->head++ % SCRIPT_EVENTS];
		got = !strcmp(a[1], event_names[e.type]);
	}
out:
	pthread_mutex_unlock(&s->lock);
	if (got)
		printf("ok %s path=%s offset=%" PRIu64 " length=%" PRIu64 "\n", a[1], e.path,
		       e.offset, e.length);
	else
		puts("error ETIMEDOUT no such event");
}

static void other_command(struct script *s, char **a)
{
	if (!strcmp(a[0], "sleep")) {
		uint64_t ms = number(a[1]);
		struct timespec ts = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000L };

		nanosleep(&ts, NULL);
		puts("ok");
	} else if (!strcmp(a[0], "io-align")) {
		conn_lock(s->client);
		s->client->conn.io_align = (uint32_t)number(a[1]);
		conn_unlock(s->client);
		puts("ok");
	} else if (!strcmp(a[0], "ignore-recall")) {
		client_test_ignore_recalls(s->client, !strcmp(a[1], "on"));
		puts("ok");
	} else {
		cmd_wait_event(s, a);
	}
}

void script_run(struct script *s, int argc, char **a)
{
	static const struct {
		const char *name;
		int args;
		void (*run)(struct script *s, char **a);
	} commands[] = {
		{ "open", 3, cmd_open }, { "close", 1, file_command },
		{ "truncate", 2, file_command }, { "stat", 1, file_command },
		{ "lookup", 1, path_command }, { "mkdir", 1, path_command },
		{ "remove", 1, path_command }, { "write", 4, lease_command },
		{ "read", 4, lease_command }, { "commit", 1, lease_command },
		{ "lost", 1, lease_command }, { "return", 1, lease_command },
		{ "keys", 1, lease_command }, { "blast", 4, lease_command },
		{ "rawwrite", 4, cmd_raw }, { "rawread", 4, cmd_raw },
		{ "sleep", 1, other_command }, { "ignore-recall", 1, other_command },
		{ "wait-event", 2, other_command }, { "io-align", 1, other_command },
	};
	size_t i;

	if (!strcmp(a[0], "lease") && argc >= 6) {
		cmd_lease(s, argc, a);
		return;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(a[0], commands[i].name) || argc != commands[i].args + 1)
			continue;
		commands[i].run(s, a);
		return;
	}
	puts("error EINVAL no such command, or wrong number of arguments");
}
