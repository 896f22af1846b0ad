/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A seeded generator for model tests.  The seed is fixed; IOPMEM_LONG=1 takes another one each time, which
 * IOPMEM_TEST_SEED repeats.
 */
#ifndef TEST_CLIENT_MODEL_H
#define TEST_CLIENT_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static uint64_t model_state;

static inline uint64_t model_rand(uint64_t below)
{
	model_state ^= model_state << 13;	/* xorshift64 */
	model_state ^= model_state >> 7;
	model_state ^= model_state << 17;
	return model_state % below;
}

static inline void model_seed(void)
{
	const char *text = getenv("IOPMEM_TEST_SEED");

	model_state = text ? strtoull(text, NULL, 0) :
		      getenv("IOPMEM_LONG") ? (uint64_t)time(NULL) * 2654435761U : 20490 * 2654435761U;
	model_state |= 1;
	print_message("IOPMEM_TEST_SEED=%llu\n", (unsigned long long)model_state);
}

#endif
