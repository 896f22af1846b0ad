/* SPDX-License-Identifier: BSD-3-Clause */
/* What put, get, cat and cp have in common: options, memory, one file at a time. */
#ifndef CLIENT_CLI_TRANSFER_H
#define CLIENT_CLI_TRANSFER_H

#include "flow.h"

/* The options as a child parser; its input is a struct transfer. */
extern const struct argp transfer_argp;

struct transfer {
	const char *verb;
	int mode;			/* PROGRESS_AUTO, ... */
	bool resume, json;
	enum sparse sparse;
	const char *algorithm;		/* of the checksum, or NULL */
	struct digest *digest;
	struct windows ws;
	struct progress progress;
	uint64_t bytes;			/* of all files so far */
};

/* Before the arguments are parsed. */
void transfer_init(struct transfer *t, const char *verb);
/* After: memory and checksum.  transfer_fini() even after an error. */
int transfer_start(struct transfer *t, struct iopmem_err *err);
void transfer_fini(struct transfer *t);

/*
 * transfer_file() - One file; @mode, or the source's own when it is 0, if it is new.
 * What was made and is not whole is removed, unless the transfer can be resumed.
 */
int transfer_file(struct transfer *t, const struct place *from, const struct place *to,
		  uint32_t mode, struct flow_result *result, struct iopmem_err *err);

/* The summary of one file: a line on stderr, or JSON on stdout. */
void transfer_print(struct transfer *t, const char *from, const char *to,
		    const struct flow_result *result);

#endif
