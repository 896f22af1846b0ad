/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operations on names share. */
#ifndef CLIENT_NAME_H
#define CLIENT_NAME_H

#include "client.h"
#include "path.h"

/* Repeats what the server answers with "not now"; "<what> '<path>': ..." in @err. */
int name_call(struct iopmem_client *client, struct session_op *op, const char *what,
	      const char *path, struct iopmem_err *err);
/* The same for a result of attributes, which go to @st unless it is NULL. */
int name_call_attr(struct iopmem_client *client, struct session_op *op, const char *what,
		   const char *path, struct iopmem_stat *st, struct iopmem_err *err);

#endif
