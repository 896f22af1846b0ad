// SPDX-License-Identifier: BSD-3-Clause
#include "fabric/token.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int random_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int token_issue(struct token *token, uint8_t bytes[FABRIC_TOKEN_SIZE])
{
	int ret;

	token->valid = false;
	ret = random_bytes(token->bytes, sizeof(token->bytes));
	if (ret)
		return ret;
	token->valid = true;
	memcpy(bytes, token->bytes, sizeof(token->bytes));
	return 0;
}

void token_void(struct token *token)
{
	token->valid = false;
}

bool token_take(struct token *token, const uint8_t bytes[FABRIC_TOKEN_SIZE])
{
	uint8_t differ = 0;

	for (size_t i = 0; i < FABRIC_TOKEN_SIZE; i++)
		differ |= (uint8_t)(token->bytes[i] ^ bytes[i]);
	if (differ || !token->valid)
		return false;
	token->valid = false;
	return true;
}
