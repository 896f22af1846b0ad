/* SPDX-License-Identifier: BSD-3-Clause */
/* What the modes of hostio share. */
#ifndef HOSTS_HOSTIO_H
#define HOSTS_HOSTIO_H

#include <iopmem.h>
#include <stdbool.h>
#include <stdint.h>

#include "block.h"
#include "journal.h"

struct options {
	const char *url;
	const char *path;
	const char *dir;	/* of the journals */
	const char *until;	/* ends when this file is there */
	uint32_t file;		/* id of the file */
	uint32_t writer;
	uint32_t chunks;	/* the file: so many chunks ... */
	uint32_t chunk;		/* ... of so many blocks */
	uint32_t index;		/* ours: those whose number modulo @of is @index */
	uint32_t of;
	uint32_t passes;
	uint32_t hold;		/* writes under one lease, or before a sync */
	uint32_t seconds;	/* it must have ended by then */
	uint64_t seed;		/* of the order; 0: ascending */
};

struct host {
	const struct options *o;
	struct iopmem_client *client;
	struct iopmem_file *file;
	struct iopmem_buf *buf;
	uint8_t *mem;		/* a chunk, in @buf */
	struct journal journal;
	uint64_t random;
	int64_t deadline_ms;
};

/* main.c */
void host_open(struct host *h, const struct options *o, int flags);
void host_close(struct host *h);
/* 31 bits; the same ones each time for a seed. */
size_t host_random(struct host *h);
/* The next of our @n chunks: in turn with seed 0, else by chance. */
uint32_t host_chunk(struct host *h, uint32_t *order, uint32_t n);
/* Our chunks; frees nothing: it ends with the program. */
uint32_t *host_chunks(const struct options *o, uint32_t *n);
/* Is it time to end?  Ends the program when it has taken too long. */
bool host_over(const struct host *h);
/* A failure of the network or the server that may pass: waits a little.  Ends the program else. */
void host_retry(const struct host *h, ssize_t ret, const struct iopmem_err *err, const char *what);

/* one mode each */
int mode_own(const struct options *o);
int mode_move(const struct options *o);
int mode_read(const struct options *o);
int mode_local(const struct options *o);
int mode_verify(const struct options *o);

#endif
