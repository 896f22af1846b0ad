/* SPDX-License-Identifier: BSD-3-Clause */
/* RPCSEC_GSS with Kerberos 5, the client's side: what libtirpc does, with messages. */
#ifndef CLIENT_GSS_H
#define CLIENT_GSS_H

#include <rpc/rpc.h>

#include "base/err.h"
#include "url.h"

/*
 * Establishes a context with the service iopmem of @host over @clnt.  Errors: -EACCES (no or
 * expired ticket, the server refuses), as "krb5: cause".
 */
int gss_auth(CLIENT *clnt, const char *host, enum url_sec sec, AUTH **auth,
	     struct iopmem_err *err);
/* Frees it without a word to the server, which may not answer any more. */
void gss_auth_free(AUTH *auth);

#endif
