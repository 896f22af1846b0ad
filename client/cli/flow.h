/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of one file from one end to the other. */
#ifndef CLIENT_CLI_FLOW_H
#define CLIENT_CLI_FLOW_H

#include "digest.h"
#include "end.h"

enum sparse { SPARSE_AUTO, SPARSE_ALWAYS, SPARSE_NEVER };

struct flow_options {
	bool resume;		/* keep what the sink has and is the same */
	enum sparse sparse;
	struct digest *digest;	/* NULL, or of what the source gives; then the sink is read back */
};

struct flow_result {
	uint64_t size;		/* of the file */
	uint64_t moved;		/* bytes written to the sink */
	uint64_t kept;		/* bytes that the sink had already */
	uint64_t holes;		/* bytes neither moved nor kept */
	char digest[DIGEST_TEXT_MAX];
};

/*
 * flow_run() - Moves @from to @to through @ws, which must be registered at each remote
 * end.  -EILSEQ: the sink, read back, has another checksum.
 */
int flow_run(struct windows *ws, struct end *from, struct end *to,
	     const struct flow_options *options, struct flow_result *result,
	     struct iopmem_err *err);

#endif
