/* SPDX-License-Identifier: BSD-3-Clause */
/* The log sink: one per process, stderr unless replaced.  Safe from any thread. */
#ifndef IOPMEM_BASE_LOG_H
#define IOPMEM_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Whom and what a line is about, for sinks that keep fields.  The line names them, too.  NULL: nobody. */
struct log_about {
	const char *client;
	const char *file;
	const char *export;
	const char *layout;		/* its stateid without the seqid, in hex */
};

/* One line without newline; @about may be NULL.  Called with no lock held, from any thread. */
typedef void (*log_fn)(enum log_level level, const char *line, const struct log_about *about,
		       void *arg);

void log_set_sink(log_fn fn, void *arg);	/* fn NULL: stderr again */
void log_set_level(enum log_level level);	/* default LOG_LEVEL_INFO */
enum log_level log_get_level(void);

void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_write_about(enum log_level level, const struct log_about *about, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...)	log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)	log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
