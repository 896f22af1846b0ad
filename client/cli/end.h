/* SPDX-License-Identifier: BSD-3-Clause */
/* One end of a transfer: an open file, here or on a server. */
#ifndef CLIENT_CLI_END_H
#define CLIENT_CLI_END_H

#include "place.h"
#include "progress.h"
#include "window.h"

/* What is moved between two updates of the progress line. */
#define PIECE (8U << 20)

struct end {
	const struct end_ops *ops;
	const char *path;		/* of the place, which outlives this */
	struct progress *progress;	/* NULL, or what a remote end tells how far it is */
	struct iopmem_stat st;		/* when it was opened */
	bool seekable;			/* else: from front to back, once */
	bool created;
	int fd;				/* here */
	struct remote *remote;		/* there */
	struct iopmem_file *file;
};

struct end_ops {
	/* From w->offset; at most w->len bytes, which becomes what was read: less only at the end. */
	int (*read)(struct end *e, struct window *w, struct iopmem_err *err);
	/* All of it, to stay. */
	int (*write)(struct end *e, const struct window *w, struct iopmem_err *err);
	/* The first data at or behind *data, and where it ends. NULL: not known. */
	void (*next_data)(struct end *e, uint64_t *data, uint64_t *end);
	int (*resize)(struct end *e, uint64_t size, struct iopmem_err *err);
	int (*close)(struct end *e, struct iopmem_err *err);
};

/* For reading. */
int end_open_source(const struct place *p, struct end *e, struct iopmem_err *err);
/* For writing, made if need be; emptied unless @keep. */
int end_open_sink(const struct place *p, uint32_t mode, bool keep, struct end *e,
		  struct iopmem_err *err);

int end_open_local(const struct place *p, int flags, uint32_t mode, struct end *e,
		   struct iopmem_err *err);
int end_open_remote(const struct place *p, int flags, uint32_t mode, struct end *e,
		    struct iopmem_err *err);

#endif
