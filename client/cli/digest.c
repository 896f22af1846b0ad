// SPDX-License-Identifier: BSD-3-Clause
#include "digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct digest {
	EVP_MD_CTX *ctx;
	const EVP_MD *md;
};

int digest_new(const char *algorithm, struct digest **out, struct iopmem_err *err)
{
	const EVP_MD *md = EVP_get_digestbyname(algorithm);
	struct digest *d;

	/* What has no fixed length is no checksum. */
	if (!md || EVP_MD_get_size(md) <= 0 || (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF))
		return err_msg(err, EINVAL, "'%.64s' is no checksum known here", algorithm);
	d = calloc(1, sizeof(*d));
	if (d)
		d->ctx = EVP_MD_CTX_new();
	if (!d || !d->ctx || !EVP_DigestInit_ex(d->ctx, md, NULL)) {
		digest_free(d);
		return err_msg(err, ENOMEM, "checksum '%.64s': out of memory", algorithm);
	}
	d->md = md;
	*out = d;
	return 0;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
	EVP_DigestUpdate(d->ctx, data, len);
}

void digest_add_zeros(struct digest *d, uint64_t len)
{
	static const uint8_t zeros[65536];
	size_t n;

	for (; len; len -= n) {
		n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);
		digest_add(d, zeros, n);
	}
}

void digest_text(struct digest *d, char text[DIGEST_TEXT_MAX])
{
	uint8_t value[EVP_MAX_MD_SIZE];
	unsigned int n = 0, i;

	EVP_DigestFinal_ex(d->ctx, value, &n);
	EVP_DigestInit_ex(d->ctx, d->md, NULL);
	for (i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", value[i]);
}

void digest_free(struct digest *d)
{
	if (d)
		EVP_MD_CTX_free(d->ctx);
	free(d);
}
