/* SPDX-License-Identifier: BSD-3-Clause */
/* The log sink: one per process, stderr unless replaced.  Safe from any thread. */
#ifndef IOPMEM_BASE_LOG_H
#define IOPMEM_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* One line without newline.  Called with no lock held, from any thread. */
typedef void (*log_fn)(enum log_level level, const char *line, void *arg);

void log_set_sink(log_fn fn, void *arg);	/* fn NULL: stderr again */
void log_set_level(enum log_level level);	/* default LOG_LEVEL_INFO */

void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)	log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)	log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
