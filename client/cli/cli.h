/* SPDX-License-Identifier: BSD-3-Clause */
/* The iopmem command: one file per verb. */
#ifndef CLIENT_CLI_CLI_H
#define CLIENT_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "iopmem.h"
#include "url.h"

/* Each parses its own arguments and returns an exit status. */
int cmd_put(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_mkdir(int argc, char **argv);

/* remote.c: an URL with a connection to its export. */
struct remote {
	struct url url;
	struct iopmem_client *client;
};
int remote_open(const char *text, struct remote *r, struct iopmem_err *err);
int remote_close(struct remote *r);

/* "iopmem: VERB WHAT: cause" on stderr; returns 1. */
int cli_fail(const char *verb, const char *what, const struct iopmem_err *err);

/* Exactly @n arguments after the verb, else usage and exit(64). */
void cli_args(int argc, char **argv, const char *args_doc, const char *doc, int n,
	      const char **out, int *progress);

#endif
