/* SPDX-License-Identifier: BSD-3-Clause */
/* A connect token: 128 random bits that admit one connection, once. */
#ifndef IOPMEM_FABRIC_TOKEN_H
#define IOPMEM_FABRIC_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fabric/fabric.h"

/* Zeroed: admits nobody. */
struct token {
	bool valid;
	uint8_t bytes[FABRIC_TOKEN_SIZE];
};

/* Fills @buf from getrandom(2); 0 or -errno. */
int random_bytes(void *buf, size_t len);

/* A new value; the unused last one is void, even on failure. */
int token_issue(struct token *token, uint8_t bytes[FABRIC_TOKEN_SIZE]);
void token_void(struct token *token);
/* True once for the issued bytes; takes the same time wherever they differ. */
bool token_take(struct token *token, const uint8_t bytes[FABRIC_TOKEN_SIZE]);

#endif
