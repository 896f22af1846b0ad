/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of iopmemctl share. */
#ifndef IOPMEM_SERVER_CTL_H
#define IOPMEM_SERVER_CTL_H

#include <json_object.h>
#include <stdbool.h>

/* Exit statuses, but for doctor's. */
enum ctl_exit { CTL_OK, CTL_REFUSED, CTL_UNREACHABLE, CTL_TIMED_OUT, CTL_USAGE = 64 };

/*
 * Sends one request and waits for its answer; progress lines go to stderr.  *@answer
 * is the caller's, also when the server refused (CTL_REFUSED, CTL_TIMED_OUT).  What is
 * wrong is printed.
 */
enum ctl_exit ctl_request(const char *socket, struct json_object *request,
			  struct json_object **answer);

/* Prints the answer to @command as text. */
void ctl_print(const char *command, struct json_object *answer);

#endif
