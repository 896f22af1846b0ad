/* SPDX-License-Identifier: BSD-3-Clause */
/* Security flavours as text: "sys,krb5:krb5i krb5p" is a mask of 1 << enum flavor. */
#ifndef IOPMEM_SERVER_SEC_H
#define IOPMEM_SERVER_SEC_H

#include "base/err.h"
#include "cred.h"

int sec_parse(const char *text, uint32_t *mask, struct iopmem_err *err);
const char *sec_name(enum flavor flavor);

#endif
