/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of iopmem-server, which may name a configuration file. */
#ifndef IOPMEM_SERVER_OPTIONS_H
#define IOPMEM_SERVER_OPTIONS_H

#include "config.h"

struct options {
	int argc;
	char **argv;		/* a copy of the array: getopt sorts it */
	bool check_only;	/* --check-config */
};

/* Fills @cfg.  What is wrong is printed and ends the process with status 1. */
void options_parse(struct options *o, int argc, char **argv, struct config *cfg);

/* The same once more, for the files may have changed: errors are the caller's.  Any thread; reads files. */
int options_parse_again(const struct options *o, struct config *cfg, struct iopmem_err *err);

#endif
