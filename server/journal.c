// SPDX-License-Identifier: BSD-3-Clause
#include "journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION	/* of this file it would be */
#include <systemd/sd-journal.h>

#include "base/log.h"

#define FIELDS_MAX 8

struct entry {
	struct iovec field[FIELDS_MAX];
	int n;
};

/* @len bytes of @value.  Without memory the entry has one field less. */
static void add(struct entry *e, const char *name, const char *value, size_t len)
{
	char *text = malloc(strlen(name) + 1 + len);

	if (!text)
		return;
	strcpy(text, name);
	memcpy(text + strlen(name), value, len);
	e->field[e->n].iov_base = text;
	e->field[e->n++].iov_len = strlen(name) + len;
}

static void add_text(struct entry *e, const char *name, const char *value)
{
	if (value && *value)
		add(e, name, value, strlen(value));
}

static void to_journal(enum log_level level, const char *line, const struct log_about *about,
		       void *arg)
{
	static const char *const priority[] = {
		[LOG_LEVEL_ERROR] = "3", [LOG_LEVEL_WARN] = "4", [LOG_LEVEL_INFO] = "6",
		[LOG_LEVEL_DEBUG] = "7",
	};
	struct entry e = { .n = 0 };
	int i;

	(void)arg;
	add_text(&e, "MESSAGE=", line);
	add_text(&e, "PRIORITY=", priority[level]);
	add_text(&e, "SYSLOG_IDENTIFIER=", "iopmem-server");
	if (about) {
		add_text(&e, "IOPMEM_CLIENT=", about->client);
		add_text(&e, "IOPMEM_FILE=", about->file);
		add_text(&e, "IOPMEM_LAYOUT=", about->layout);
		if (about->export)
			add_text(&e, "IOPMEM_EXPORT=", about->export);
		else if (about->file && strchr(about->file, '/'))	/* "export/path" */
			add(&e, "IOPMEM_EXPORT=", about->file, strcspn(about->file, "/"));
	}
	if (sd_journal_sendv(e.field, e.n))
		fprintf(stderr, "%s\n", line);
	for (i = 0; i < e.n; i++)
		free(e.field[i].iov_base);
}

void journal_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t dev, ino;
	struct stat st;

	/* A child whose standard error was sent elsewhere inherits the variable, too. */
	if (stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &dev, &ino) == 2 && !fstat(2, &st) &&
	    st.st_dev == dev && st.st_ino == ino)
		log_set_sink(to_journal, NULL);
}
