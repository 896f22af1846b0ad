// SPDX-License-Identifier: BSD-3-Clause
/* cp: files and trees between here and servers, and between servers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transfer.h"

struct cp {
	struct transfer transfer;
	struct cli_list list;
	bool recursive;
	unsigned int files, failed;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cp *cp = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &cp->transfer;
		return 0;
	case 'r':
		cp->recursive = true;
		return 0;
	default:
		return cli_list_parse(key, &cp->list, state);
	}
}

/* An open place, and the connection it may need. */
struct spot {
	const char *text;
	struct place place;
	struct remote remote;
};

static int spot_open(const char *text, struct spot *s, struct iopmem_err *err)
{
	int ret;

	s->text = text;
	s->remote = (struct remote){ 0 };
	if (!place_is_url(text))
		return place_local(text, &s->place, err);
	ret = remote_open(text, &s->remote, err);
	if (!ret)
		place_remote(&s->remote, &s->place);
	return ret;
}

static void cp_failed(struct cp *cp, const struct place *p, const struct iopmem_err *err)
{
	progress_abort(&cp->transfer.progress);
	cli_fail("cp", *p->path ? p->path : "/", err);
	cp->failed++;
}

static void copy(struct cp *cp, const struct place *from, const struct place *to, bool top);

static void copy_names(struct cp *cp, const struct place *from, const struct place *to,
		       const struct names *names)
{
	struct place *p = malloc(2 * sizeof(*p));
	size_t i;

	for (i = 0; i < names->n; i++) {
		struct iopmem_err err = { 0 };

		if (!p)
			cli_error(&err, ENOMEM, "copy", names->name[i]);
		if (!p || place_join(from, names->name[i], &p[0], &err) ||
		    place_join(to, names->name[i], &p[1], &err))
			cp_failed(cp, from, &err);
		else
			copy(cp, &p[0], &p[1], false);
	}
	free(p);
}

static int copy_folder(struct cp *cp, const struct place *from, const struct place *to,
		       uint32_t mode, struct iopmem_err *err)
{
	struct names names;
	int ret;

	ret = place_list(from, &names, err);
	if (!ret)	/* its owner must be able to fill it */
		ret = place_mkdir(to, (mode & 0777) | 0700, err);
	if (!ret)
		copy_names(cp, from, to, &names);
	names_free(&names);
	return ret;
}

static int copy_link(const struct place *from, const struct place *to, struct iopmem_err *err)
{
	char target[4096];
	int ret = place_readlink(from, target, sizeof(target), err);

	return ret ? ret : place_symlink(to, target, err);
}

static void copy(struct cp *cp, const struct place *from, const struct place *to, bool top)
{
	struct iopmem_err err = { 0 };
	struct flow_result result;
	struct iopmem_stat st;
	int ret;

	ret = place_stat(from, top, &st, &err);
	if (!ret && st.type == IOPMEM_STAT_DIR) {
		ret = cp->recursive ? copy_folder(cp, from, to, st.mode, &err) :
				      cli_error(&err, EISDIR, "without -r", from->path);
	} else if (!ret && st.type == IOPMEM_STAT_LNK) {
		ret = copy_link(from, to, &err);
	} else if (!ret && st.type != IOPMEM_STAT_REG && !top) {
		ret = -EINVAL;
		err.code = EINVAL;
		snprintf(err.text, sizeof(err.text), "neither file, directory nor symbolic link: left out");
	} else if (!ret) {
		ret = transfer_file(&cp->transfer, from, to, 0, &result, &err);
		if (!ret)
			cp->files++;
		if (!ret && cp->transfer.json)
			transfer_print(&cp->transfer, from->path, to->path, &result);
	}
	if (ret)
		cp_failed(cp, from, &err);
}

/* Would a copy of @from to @to contain itself? */
static bool inside(const struct place *from, const struct place *to)
{
	size_t n = strlen(from->path);

	return from->remote && to->remote && from->remote->url.port == to->remote->url.port &&
	       !strcmp(from->remote->url.host, to->remote->url.host) &&
	       !strcmp(from->remote->url.export_name, to->remote->url.export_name) &&
	       !strncmp(from->path, to->path, n) && (!n || !to->path[n] || to->path[n] == '/');
}

static int copy_source(struct cp *cp, const char *text, const struct place *to, bool into,
		       struct iopmem_err *err)
{
	struct spot from;
	struct place target = *to;
	struct iopmem_stat st;
	int ret;

	ret = spot_open(text, &from, err);
	if (!ret && !from.place.remote && !to->remote) {
		ret = -EINVAL;
		err->code = EINVAL;
		snprintf(err->text, sizeof(err->text), "neither this nor the target is an iopmem:// URL");
	}
	if (!ret && into)
		ret = place_join(to, place_name(&from.place), &target, err);
	if (!ret && inside(&from.place, &target) &&
	    !place_stat(&from.place, true, &st, NULL) && st.type == IOPMEM_STAT_DIR) {
		ret = -EINVAL;
		err->code = EINVAL;
		snprintf(err->text, sizeof(err->text), "the copy would contain itself");
	}
	if (!ret)
		copy(cp, &from.place, &target, true);
	remote_close(&from.remote);
	return ret;
}

static void copy_all(struct cp *cp, struct spot *target)
{
	struct iopmem_stat st;
	bool into = !place_stat(&target->place, true, &st, NULL) && st.type == IOPMEM_STAT_DIR;
	int i;

	for (i = 0; i < cp->list.n - 1; i++) {
		struct iopmem_err err = { 0 };

		if (cp->list.n > 2 && !into)
			cli_error(&err, ENOTDIR, "copy several into", target->text);
		if (err.code || copy_source(cp, cp->list.arg[i], &target->place, into, &err)) {
			cli_fail("cp", cp->list.arg[i], &err);
			cp->failed++;
		}
	}
}

int cmd_cp(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "recursive", 'r', NULL, 0, "Copy directories with what is in them", 0 }, { 0 },
	};
	static const struct argp_child children[] = { { &transfer_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		options, parse, "SOURCE... TARGET",
		"Copy files; at least one of source and target is a URL.", children, NULL, NULL,
	};
	struct cp cp = { .list = { .min = 2 } };
	struct iopmem_err err = { 0 };
	struct spot target;
	struct progress whole;

	transfer_init(&cp.transfer, "cp");
	cli_parse(&argp, argc, argv, &cp);
	progress_start(&whole, "cp", cp.transfer.mode, 0);
	whole.bar = false;
	if (transfer_start(&cp.transfer, &err) ||
	    spot_open(cp.list.arg[cp.list.n - 1], &target, &err)) {
		cli_fail("cp", cp.list.arg[cp.list.n - 1], &err);
		cp.failed++;
	} else {
		copy_all(&cp, &target);
		remote_close(&target.remote);
	}
	if (cp.transfer.bytes && !cp.transfer.json) {
		progress_abort(&cp.transfer.progress);
		progress_finish(&whole, cp.transfer.bytes);
	}
	transfer_fini(&cp.transfer);
	return cp.failed ? 1 : 0;
}
