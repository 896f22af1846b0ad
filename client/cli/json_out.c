// SPDX-License-Identifier: BSD-3-Clause
#include "json_out.h"

#include <stdio.h>

static void add_u64(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

const char *stat_type(const struct iopmem_stat *st)
{
	static const char *const types[] = { "unknown", "file", "directory", "block device",
		"character device", "symbolic link", "socket", "fifo" };

	return types[st->type <= IOPMEM_STAT_FIFO ? st->type : 0];
}

static void add_time(struct json_object *o, const char *key, int64_t sec, uint32_t nsec)
{
	char text[48];

	/* Digits as they are: a double has too few for nanoseconds. */
	snprintf(text, sizeof(text), "%lld.%09u", (long long)sec, nsec);
	json_object_object_add(o, key,
			       json_object_new_double_s((double)sec + nsec / 1e9, text));
}

struct json_object *json_stat(const char *name, const struct iopmem_stat *st)
{
	struct json_object *o = json_object_new_object();
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", st->mode & 07777);
	add_text(o, "name", name);
	add_text(o, "type", stat_type(st));
	add_u64(o, "size", st->size);
	add_u64(o, "space_used", st->space_used);
	add_text(o, "mode", mode);
	add_u64(o, "links", st->nlink);
	add_u64(o, "uid", st->uid);
	add_u64(o, "gid", st->gid);
	add_u64(o, "fileid", st->fileid);
	add_u64(o, "change", st->change);
	add_time(o, "modified", st->mtime_sec, st->mtime_nsec);
	add_time(o, "changed", st->ctime_sec, st->ctime_nsec);
	return o;
}

void json_transfer(const struct transfer *t, const char *from, const char *to,
		   const struct flow_result *r, double seconds)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "command", t->verb);
	add_text(o, "source", from);
	add_text(o, "target", to);
	add_u64(o, "size", r->size);
	add_u64(o, "moved", r->moved);
	add_u64(o, "kept", r->kept);
	add_u64(o, "holes", r->holes);
	json_object_object_add(o, "seconds", json_object_new_double(seconds));
	if (t->algorithm)
		add_text(o, t->algorithm, r->digest);
	json_print(o);
}

void json_print(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
