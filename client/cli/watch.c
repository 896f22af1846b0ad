// SPDX-License-Identifier: BSD-3-Clause
/*
 * watch: prints a line for each change of a file, or of what is in a directory.  It
 * asks the server at an interval; it holds no layout, so it stands in nobody's way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_out.h"

struct entry {
	char *name;
	struct iopmem_stat st;
};

struct state {
	struct entry *entry;
	size_t n, room;
};

struct watch {
	struct cli_list list;
	double interval;
	unsigned long count;	/* of changes, then it ends; 0: never */
	bool json;
	unsigned long seen;
};

static error_t parse(int key, char *arg, struct argp_state *argp)
{
	struct watch *w = argp->input;
	char *end;

	switch (key) {
	case 'i':
		w->interval = strtod(arg, &end);
		if (*end || end == arg || !(w->interval >= 0.01 && w->interval <= 86400))
			argp_error(argp, "--interval: '%s' is not a number of seconds from 0.01 to 86400", arg);
		return 0;
	case 'n':
		errno = 0;
		w->count = strtoul(arg, &end, 10);
		if (*end || end == arg || errno || *arg == '-')
			argp_error(argp, "--count: '%s' is not a number", arg);
		return 0;
	case 'j':
		w->json = true;
		return 0;
	default:
		return cli_list_parse(key, &w->list, argp);
	}
}

static int add(const char *name, const struct iopmem_stat *st, void *arg)
{
	struct state *s = arg;
	size_t room = s->room ? s->room * 2 : 64;
	struct entry *grown;

	if (s->n == s->room) {
		grown = reallocarray(s->entry, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->entry = grown;
		s->room = room;
	}
	s->entry[s->n] = (struct entry){ strdup(name), *st };
	return s->entry[s->n].name ? (s->n++, 0) : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void state_free(struct state *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->entry[i].name);
	free(s->entry);
}

/* The file itself, or what is in the directory. What is not there is an empty state. */
static int look(const struct place *p, struct state *s, struct iopmem_err *err)
{
	struct iopmem_err first = { 0 };
	struct iopmem_stat st;
	int ret;

	*s = (struct state){ 0 };
	ret = place_stat(p, true, &st, &first);
	if (!ret && st.type == IOPMEM_STAT_DIR)
		ret = iopmem_readdir(p->remote->client, p->path, add, s, &first);
	else if (!ret)
		ret = add(place_name(p), &st, s);
	if (ret == -ENOENT)
		return 0;
	if (ret && !first.code)
		cli_error(&first, -ret, "look at", p->path);
	if (ret)
		*err = first;
	if (s->n)
		qsort(s->entry, s->n, sizeof(*s->entry), compare);
	return ret;
}

static void tell(struct watch *w, const char *what, const struct entry *e)
{
	struct json_object *o;

	if (w->count && w->seen >= w->count)
		return;
	w->seen++;
	if (w->json) {
		o = json_stat(e->name, &e->st);
		json_object_object_add(o, "event", json_object_new_string(what));
		json_print(o);
	} else {
		printf("%s %s %" PRIu64 "\n", what, e->name, e->st.size);
	}
	fflush(stdout);
}

/* Both are sorted. */
static void tell_difference(struct watch *w, const struct state *old, const struct state *new)
{
	size_t i = 0, j = 0;
	int c;

	while (i < old->n || j < new->n) {
		c = i == old->n ? 1 : j == new->n ? -1 :
		    strcmp(old->entry[i].name, new->entry[j].name);
		if (c < 0)
			tell(w, "removed", &old->entry[i++]);
		else if (c > 0)
			tell(w, "created", &new->entry[j++]);
		else if (old->entry[i].st.fileid != new->entry[j].st.fileid)
			tell(w, "replaced", &new->entry[j]);
		else if (old->entry[i].st.change != new->entry[j].st.change ||
			 old->entry[i].st.size != new->entry[j].st.size)
			tell(w, "changed", &new->entry[j]);
		if (!c) {
			i++;
			j++;
		}
	}
}

static int watch(struct watch *w, const struct place *p, struct iopmem_err *err)
{
	const struct timespec pause = {
		(time_t)w->interval, (long)((w->interval - (double)(time_t)w->interval) * 1e9),
	};
	struct state old, new;
	int ret;

	ret = look(p, &old, err);
	if (!ret) {
		fprintf(stderr, "iopmem: watching '%s'\n", *p->path ? p->path : "/");
		fflush(stderr);
	}
	while (!ret && (!w->count || w->seen < w->count) && !ferror(stdout)) {
		nanosleep(&pause, NULL);
		ret = look(p, &new, err);
		if (!ret)
			tell_difference(w, &old, &new);
		state_free(&old);
		old = new;
	}
	state_free(&old);
	return ret;
}

int cmd_watch(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "interval", 'i', "SECONDS", 0, "Between two looks, 1 unless given", 0 },
		{ "count", 'n', "N", 0, "End after N changes", 0 },
		{ "json", 'j', NULL, 0, "Print an object on a line for each change", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "URL", "Tell when a file, or what is in a directory, changes.",
		NULL, NULL, NULL,
	};
	struct watch w = { .list = { .min = 1, .max = 1 }, .interval = 1 };
	struct iopmem_err err = { 0 };
	struct place p;
	struct remote r;
	int ret;

	cli_parse(&argp, argc, argv, &w);
	ret = remote_open(w.list.arg[0], &r, &err);
	if (!ret) {
		place_remote(&r, &p);
		ret = watch(&w, &p, &err);
	}
	remote_close(&r);
	return ret ? cli_fail("watch", w.list.arg[0], &err) : 0;
}
