/* SPDX-License-Identifier: BSD-3-Clause */
/* A checksum of a file, by OpenSSL: sha256, sha512, blake2b512 and whatever else it knows. */
#ifndef CLIENT_CLI_DIGEST_H
#define CLIENT_CLI_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DIGEST_TEXT_MAX 129	/* hexadecimal, with the NUL */

struct digest;

/* -EINVAL when @algorithm is not known. */
int digest_new(const char *algorithm, struct digest **d, struct iopmem_err *err);
void digest_add(struct digest *d, const void *data, size_t len);
void digest_add_zeros(struct digest *d, uint64_t len);
/* Ends it; @d starts anew. */
void digest_text(struct digest *d, char text[DIGEST_TEXT_MAX]);
void digest_free(struct digest *d);

#endif
