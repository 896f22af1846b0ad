/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration once more, while the server runs: command line and files are read and checked on
 * a helper thread.  What is wrong changes nothing; what may change does so in one step of the loop;
 * what may not is named and stays.
 */
#ifndef IOPMEM_SERVER_RELOAD_H
#define IOPMEM_SERVER_RELOAD_H

#include "options.h"
#include "server.h"

struct reload;

/* How a reload ended. */
struct reload_result {
	const struct iopmem_err *err;	/* code 0: it was taken */
	unsigned int changed;		/* options */
	const char *left;		/* options that need a restart, separated by commas; "": none */
};

/* Sets srv->reload.  Assumes: the exports are open.  @options stay the caller's. */
int reload_open(struct server *srv, const struct options *options, struct iopmem_err *err);
/* Assumes: the helpers have ended. */
void reload_close(struct server *srv);

/*
 * Loop thread.  One that is asked for while another is under way begins behind it.  @told (may be NULL)
 * is called when it is over; with @arg of reload_forget() no more.
 */
void reload_start(struct reload *r, void (*told)(void *arg, const struct reload_result *result),
		  void *arg);
/* False: somebody is to be told already. */
bool reload_may_ask(const struct reload *r);
void reload_forget(struct reload *r);

#endif
