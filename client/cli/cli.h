/* SPDX-License-Identifier: BSD-3-Clause */
/* The iopmem command: one file per verb. */
#ifndef CLIENT_CLI_CLI_H
#define CLIENT_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "iopmem.h"
#include "url.h"

/* Each parses its own arguments and returns an exit status. */
int cmd_put(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_cp(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_mv(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_mkdir(int argc, char **argv);
int cmd_truncate(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_bench(int argc, char **argv);

/* args.c: what is no option. */
struct cli_list {
	char **arg;
	int n;
	int min, max;		/* how many are wanted; max 0 = any number */
};
/* For a verb's parser: takes the arguments, and refuses a wrong number of them. */
error_t cli_list_parse(int key, struct cli_list *list, struct argp_state *state);
/* Parses a verb's arguments under the name "iopmem VERB"; a wrong one ends the program. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);
/* For verbs with no options of their own. */
void cli_args(int argc, char **argv, const char *args_doc, const char *doc,
	      struct cli_list *list);
/* A number of bytes with K, M, G or T (powers of 1024) behind it. */
int cli_bytes(const char *text, uint64_t *bytes);

/* remote.c: an URL with a connection to its export. */
struct remote {
	struct url url;
	struct iopmem_client *client;
	struct iopmem_buf *buf;		/* see remote_register() */
};
int remote_open(const char *text, struct remote *r, struct iopmem_err *err);
/* Registers @memory for all transfers of this connection; once is enough. */
int remote_register(struct remote *r, void *memory, size_t len, struct iopmem_err *err);
int remote_close(struct remote *r);

/* "iopmem: VERB WHAT: cause" on stderr; returns 1. */
int cli_fail(const char *verb, const char *what, const struct iopmem_err *err);
/* Fills @err with "WHAT 'NAME': cause"; returns -@error. */
int cli_error(struct iopmem_err *err, int error, const char *what, const char *name);

#endif
