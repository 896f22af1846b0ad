/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a fuzzer and libFuzzer call each other.  Without libFuzzer, replay.c calls it with
 * each file of a corpus.
 */
#ifndef IOPMEM_TESTS_FUZZ_H
#define IOPMEM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
