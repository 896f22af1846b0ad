// SPDX-License-Identifier: BSD-3-Clause
/* Answers of the server as text: tables, and a page for status. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

#define CELL_MAX	320
#define COLUMNS_MAX	12

enum cell { CELL_TEXT, CELL_NUMBER, CELL_BYTES, CELL_MS, CELL_FLAG };

struct column {
	const char *key, *title;
	enum cell type;
};

static const struct column client_columns[] = {
	{ "id", "ID", CELL_TEXT }, { "name", "NAME", CELL_TEXT }, { "uid", "UID", CELL_NUMBER },
	{ "state", "STATE", CELL_TEXT }, { "silent_ms", "SILENT", CELL_MS },
	{ "lease_ms", "LEASE", CELL_MS }, { "calls", "CALLS", CELL_NUMBER },
	{ "opens", "OPENS", CELL_NUMBER }, { "layouts", "LAYOUTS", CELL_NUMBER },
	{ "segments", "SEGMENTS", CELL_NUMBER }, { "owner", "OWNER", CELL_TEXT }, { 0 },
};

static const struct column layout_columns[] = {
	{ "id", "ID", CELL_TEXT }, { "client", "CLIENT", CELL_TEXT }, { "file", "FILE", CELL_TEXT },
	{ "offset", "OFFSET", CELL_BYTES }, { "end", "END", CELL_BYTES },
	{ "mode", "MODE", CELL_TEXT }, { "state", "STATE", CELL_TEXT },
	{ "recalled_ms", "RECALLED", CELL_MS }, { 0 },
};

static const struct column export_columns[] = {
	{ "name", "NAME", CELL_TEXT }, { "state", "STATE", CELL_TEXT },
	{ "backing", "BACKING", CELL_TEXT }, { "memory", "MEMORY", CELL_TEXT },
	{ "read_only", "READ-ONLY", CELL_FLAG }, { "squash", "SQUASH", CELL_TEXT },
	{ "anon_uid", "ANON-UID", CELL_NUMBER }, { "anon_gid", "ANON-GID", CELL_NUMBER },
	{ "path", "PATH", CELL_TEXT }, { 0 },
};

static const struct column wait_columns[] = {
	{ "ms", "WAITING", CELL_MS }, { "type", "TYPE", CELL_TEXT }, { "for", "FOR", CELL_TEXT },
	{ 0 },
};

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "-";
}

static uint64_t number_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value) : 0;
}

static void bytes_text(uint64_t n, char *text, size_t size)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;

	while (n && n % 1024 == 0 && i < 4) {
		n /= 1024;
		i++;
	}
	snprintf(text, size, "%" PRIu64 "%s%s", n, i ? " " : "", units[i]);
}

static void cell_text(struct json_object *row, const struct column *c, char *text, size_t size)
{
	uint64_t n = number_of(row, c->key);
	struct json_object *value;

	if (!json_object_object_get_ex(row, c->key, &value))
		snprintf(text, size, "-");
	else if (c->type == CELL_BYTES)
		bytes_text(n, text, size);
	else if (c->type == CELL_MS)
		snprintf(text, size, "%" PRIu64 ".%" PRIu64 " s", n / 1000, n / 100 % 10);
	else if (c->type == CELL_FLAG)
		snprintf(text, size, "%s", json_object_get_boolean(value) ? "yes" : "no");
	else
		snprintf(text, size, "%s", json_object_get_string(value));
	/* Names of files are clients' choice, and this goes to a terminal. */
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

static void print_cell(const char *text, size_t width, bool last)
{
	if (last)
		puts(text);
	else
		printf("%-*s  ", (int)width, text);
}

static void print_rows(struct json_object *rows, const struct column *columns)
{
	size_t width[COLUMNS_MAX], i, n = json_object_array_length(rows);
	char text[CELL_MAX];
	const struct column *c;

	for (c = columns; c->key; c++) {
		width[c - columns] = strlen(c->title);
		for (i = 0; i < n; i++) {
			cell_text(json_object_array_get_idx(rows, i), c, text, sizeof(text));
			if (strlen(text) > width[c - columns])
				width[c - columns] = strlen(text);
		}
	}
	for (c = columns; c->key; c++)
		print_cell(c->title, width[c - columns], !c[1].key);
	for (i = 0; i < n; i++) {
		for (c = columns; c->key; c++) {
			cell_text(json_object_array_get_idx(rows, i), c, text, sizeof(text));
			print_cell(text, width[c - columns], !c[1].key);
		}
	}
}

static void print_list(struct json_object *answer, const char *key, const char *more,
		       const struct column *columns, const char *none)
{
	struct json_object *rows;

	if (!json_object_object_get_ex(answer, key, &rows))
		return;
	if (json_object_array_length(rows))
		print_rows(rows, columns);
	else
		puts(none);
	if (number_of(answer, more))
		printf("and %" PRIu64 " more (--limit)\n", number_of(answer, more));
}

static void print_status(struct json_object *a)
{
	uint64_t up = number_of(a, "uptime_ms") / 1000;
	char bytes[32];

	bytes_text(number_of(a, "granted_bytes"), bytes, sizeof(bytes));
	printf("iopmem-server %s, %s, process %s, up %" PRIu64 ":%02" PRIu64 ":%02" PRIu64
	       ", instance %s\n", text_of(a, "version"), text_of(a, "state"), text_of(a, "pid"),
	       up / 3600, up / 60 % 60, up % 60, text_of(a, "instance"));
	printf("listen %s (port %s); fabric %s on port %s: %s\n", text_of(a, "listen"),
	       text_of(a, "port"), text_of(a, "fabric"), text_of(a, "fabric_port"),
	       text_of(a, "fabric_why"));
	printf("lease %s ms, recall %s ms, log level %s\n", text_of(a, "lease_ms"),
	       text_of(a, "recall_ms"), text_of(a, "log_level"));
	printf("%s export(s), %s quiesced; %s client(s), %s of %s connections\n",
	       text_of(a, "exports"), text_of(a, "quiesced"), text_of(a, "clients"),
	       text_of(a, "connections"), text_of(a, "max_connections"));
	printf("%s file(s), %s open(s), %s layout(s) of %s segment(s), %s granted, "
	       "%s memory region(s), %s recall(s) pending\n", text_of(a, "files"),
	       text_of(a, "opens"), text_of(a, "layouts"), text_of(a, "segments"), bytes,
	       text_of(a, "memory_regions"), text_of(a, "recalls_pending"));
	print_list(a, "waits", "more_waits", wait_columns, "no waits of more than a second");
}

void ctl_print(const char *command, struct json_object *a)
{
	if (!strcmp(command, "status"))
		print_status(a);
	else if (!strcmp(command, "clients"))
		print_list(a, "clients", "more", client_columns, "no clients");
	else if (!strcmp(command, "layouts"))
		print_list(a, "layouts", "more", layout_columns, "no layouts");
	else if (!strcmp(command, "exports"))
		print_list(a, "exports", "more", export_columns, "no exports");
	else if (!strcmp(command, "waits"))
		print_list(a, "waits", "more", wait_columns, "no waits of more than a second");
	else if (!strcmp(command, "metrics"))
		fputs(text_of(a, "text"), stdout);
	else if (!strcmp(command, "log-level"))
		puts(text_of(a, "level"));
	else if (!strcmp(command, "recall"))
		printf("%s layout(s) recalled\n", text_of(a, "recalled"));
	else if (!strcmp(command, "revoke"))
		printf("revoked: %s\n", text_of(a, "revoked"));
	else if (!strcmp(command, "quiesce"))
		printf("export '%s' is quiesced after %s ms\n", text_of(a, "quiesced"),
		       text_of(a, "ms"));
	else if (!strcmp(command, "reload"))
		printf("%s option(s) changed%s%s\n", text_of(a, "changed"),
		       text_of(a, "left")[0] ? "; need a restart: " : "", text_of(a, "left"));
	else if (!strcmp(command, "resume"))
		printf("export '%s' is resumed\n", text_of(a, "resumed"));
}
