/* SPDX-License-Identifier: BSD-3-Clause */
/* Wire status codes (RFC 8881 section 15.1), from status.def. */
#ifndef IOPMEM_STATUS_H
#define IOPMEM_STATUS_H

enum iopmem_status {
#define STATUS(name, number, err, text) IOPMEM_##name = number,
#include "status.def"
#undef STATUS
};

/* Name ("RECALLCONFLICT") and text; "unknown status" for other numbers. */
const char *status_name(unsigned int status);
const char *status_text(unsigned int status);

/* Negative errno for a status; -EPROTO for an unknown one. */
int status_to_errno(unsigned int status);

/* Status for a negative errno; SERVERFAULT for what has none. */
enum iopmem_status status_from_errno(int err);

#endif
