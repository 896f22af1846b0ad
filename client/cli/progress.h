/* SPDX-License-Identifier: BSD-3-Clause */
/* The progress line on stderr: at most ten updates a second. */
#ifndef CLIENT_CLI_PROGRESS_H
#define CLIENT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_AUTO (-1)	/* bar when stderr is a terminal; the summary always */

struct progress {
	const char *verb;
	int mode;		/* PROGRESS_AUTO, 1 bar, 0 nothing */
	bool bar;
	uint64_t total;		/* 0 = not known */
	double start, shown;
};

void progress_start(struct progress *p, const char *verb, int mode, uint64_t total);
void progress_update(struct progress *p, uint64_t done);
/* The final line: bytes, seconds, MB/s.  Returns the seconds. */
double progress_finish(struct progress *p, uint64_t done);
/* Clears the line before an error message. */
void progress_abort(struct progress *p);

#endif
